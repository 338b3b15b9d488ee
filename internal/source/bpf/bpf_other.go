//go:build !linux

package bpf

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"dropwatch/internal/pipeline"
)

var errElsewhere = fmt.Errorf("trace skb:kfree_skb with BPF on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// A Source is to be had on Linux only.
type Source struct{}

// Open fails: here is no BPF.
func Open(Options) (*Source, error) { return nil, errElsewhere }

// Run fails.
func (*Source) Run(context.Context, pipeline.Output) error { return errElsewhere }

// Close does nothing.
func (*Source) Close() error { return nil }
