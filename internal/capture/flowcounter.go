package capture

import (
	"time"

	"dropwatch/internal/flows"
	"dropwatch/internal/source/follow"
)

// A FlowCounter counts packets where they pass, from Start to Stop.
type FlowCounter interface {
	Start() error
	Covers(time.Time) bool // packets were counted then
	Read() (flows.Reading, error)
	Blind() string // why it is not known how many were delivered; empty: it is
	Stop() error
	Close() error
}

// OpenFlows opens the FlowCounter of this host.
func OpenFlows(o follow.Options) (FlowCounter, error) {
	c, err := follow.Open(o)
	if err != nil {
		return nil, err // not c: a FlowCounter with a nil pointer in it is not nil
	}
	return c, nil
}
