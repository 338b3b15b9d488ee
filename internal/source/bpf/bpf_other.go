//go:build !linux

package bpf

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"dropwatch/internal/condition"
	"dropwatch/internal/pipeline"
)

var errElsewhere = fmt.Errorf("trace skb:kfree_skb with BPF on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// A Source is to be had on Linux only.
type Source struct{}

// Open fails: here is no BPF.
func Open(Options) (*Source, error) { return nil, errElsewhere }

// Reasons fails, too.
func Reasons() (func(name string) (numbers []condition.Span, ok bool), error) {
	return nil, errElsewhere
}

// Run fails.
func (*Source) Run(context.Context, pipeline.Output) error { return errElsewhere }

// Close does nothing.
func (*Source) Close() error { return nil }
