package capture

import (
	"os"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/follow"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/source/trace"
)

// A Runner runs Specs, one at a time. All fields but Symbols, Progress and Helper are required, and must
// not change while a run is under way. It owns none of them: closing Monitor is up
// to the caller.
type Runner struct {
	In, Out, Err *os.File // the standard streams
	Version      string   // of dropwatch, for the headers of files
	Notices      *Notices // what a person is told besides the outputs
	Signals      *Signals
	Monitor      *Monitor
	Host         *host.Host
	Symbols      *Symbols           // nil: locations stay addresses
	Progress     *pipeline.Progress // shows the state of each run without a screen to others; nil: to nobody
	Helper       []string           // is that of the readers of connections, see package counters

	// These open the sources; see [Opener].
	OpenBPF     func(bpf.Options) (Tracer, error)
	OpenTrace   func(trace.Options) (Tracer, error)
	OpenRetrans func(retrans.Options) (Tracer, error)

	// OpenRetransTrace opens the source that is used where OpenRetrans fails.
	OpenRetransTrace func(retrans.Options) (Tracer, error)

	OpenProbe func(probe.Options) (Tracer, error) // for Input.Points

	OpenFlows func(follow.Options) (FlowCounter, error) // for Input.Flows
}

// A Tracer is a source that is open before it runs. Whoever has it must run or
// close it; Run closes it when it returns.
type Tracer interface {
	pipeline.Source
	Close() error

	// Began returns two times between which it began to report drops.
	Began() (from, until time.Time)
}

// Opener adapts the Open function of a source's package to the fields of a Runner.
func Opener[O any, S Tracer](open func(O) (S, error)) func(O) (Tracer, error) {
	return func(o O) (Tracer, error) {
		s, err := open(o)
		if err != nil {
			return nil, err // not s: a Tracer with a nil pointer in it is not nil
		}
		return s, nil
	}
}

// An End says why a run ended.
type End uint8

const (
	Finished    End = iota // the source ended: a recording was read completely
	Interrupted            // by a signal, by the caller, or because Spec.Child exited
	Elapsed                // Spec.Duration is over
	Limited                // Spec.Limit drops were shown
)

// An Outcome is the result of a run. It is valid after an error, too.
type Outcome struct {
	End       End             // why it ended
	Ledger    event.Ledger    // of all drops of the run
	Recording *session.Reader // that was replayed; nil: drops were live, or of Input.Segments

	Points   []string // of Input.Points, the names of those that were reported
	NotShown string   // lines about drops that a session counted and did not show, as they are printed

	// ChildExit is the exit code of Spec.Child, 128+N after signal N. It is 0 if the
	// run ended before the child exited.
	ChildExit int
}
