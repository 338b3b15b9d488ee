//go:build !linux

package follow

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"dropwatch/internal/flows"
)

// A Counter can be opened on Linux only.
type Counter struct{}

// Open fails: only Linux has such programs.
func Open(Options) (*Counter, error) {
	return nil, fmt.Errorf("count packets with BPF on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Read fails.
func (*Counter) Read() (flows.Reading, error) { return flows.Reading{}, errors.ErrUnsupported }

// Blind returns nothing.
func (*Counter) Blind() string { return "" }

// Start fails.
func (*Counter) Start() error { return errors.ErrUnsupported }

// Covers returns false.
func (*Counter) Covers(time.Time) bool { return false }

// Stop does nothing.
func (*Counter) Stop() error { return nil }

// Close does nothing.
func (*Counter) Close() error { return nil }
