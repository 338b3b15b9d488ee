//go:build !linux

package trace

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"dropwatch/internal/pipeline"
)

// A Source is to be had on Linux only.
type Source struct{}

// Open fails: here are no perf events.
func Open(Options) (*Source, error) {
	return nil, fmt.Errorf("trace skb:kfree_skb on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Run fails.
func (*Source) Run(context.Context, pipeline.Output) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Source) Close() error { return nil }
