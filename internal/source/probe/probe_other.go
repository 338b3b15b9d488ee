//go:build !linux

package probe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"dropwatch/internal/pipeline"
)

// errElsewhere wraps errors.ErrUnsupported.
var errElsewhere = fmt.Errorf("probe functions of the kernel on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Testers returns none.
func (*Typed) Testers() []Tester { return nil }

// A Source works on Linux only.
type Source struct{}

// Open fails: only Linux has perf events.
func Open(Options) (*Source, error) { return nil, errElsewhere }

// Run fails.
func (*Source) Run(context.Context, pipeline.Output) error { return errElsewhere }

// Began returns nothing.
func (*Source) Began() (from, until time.Time) { return from, until }

// Close does nothing.
func (*Source) Close() error { return nil }
