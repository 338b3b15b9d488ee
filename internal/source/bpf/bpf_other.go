//go:build !linux

package bpf

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/pipeline"
)

// errElsewhere wraps errors.ErrUnsupported.
var errElsewhere = fmt.Errorf("trace skb:kfree_skb with BPF on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// A Source can be opened on Linux only.
type Source struct{}

// Open fails: only Linux has such programs.
func Open(Options) (*Source, error) { return nil, errElsewhere }

// Reasons fails.
func Reasons() (func(name string) (numbers []condition.Span, ok bool), error) {
	return nil, errElsewhere
}

// Run fails.
func (*Source) Run(context.Context, pipeline.Output) error { return errElsewhere }

// Began returns nothing.
func (*Source) Began() (from, until time.Time) { return from, until }

// Close does nothing.
func (*Source) Close() error { return nil }
