//go:build !linux

package retrans

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"dropwatch/internal/pipeline"
)

// errElsewhere wraps errors.ErrUnsupported.
var errElsewhere = fmt.Errorf("trace TCP retransmissions on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// A Trace can be opened on Linux only.
type Trace struct{ Source }

// OpenTrace fails: only Linux has perf events.
func OpenTrace(Options) (*Trace, error) { return nil, errElsewhere }

// A Source can be opened on Linux only.
type Source struct{}

// Open fails: only Linux has such programs.
func Open(Options) (*Source, error) { return nil, errElsewhere }

// Run fails.
func (*Source) Run(context.Context, pipeline.Output) error { return errElsewhere }

// Began returns nothing.
func (*Source) Began() (from, until time.Time) { return from, until }

// Close does nothing.
func (*Source) Close() error { return nil }
