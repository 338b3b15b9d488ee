package event_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"dropwatch/internal/event"
)

func TestWithoutPath(t *testing.T) {
	full := errors.New("full")
	ofFile := &fs.PathError{Op: "write", Path: "/dev/stdout", Err: full}
	for _, err := range []error{full, ofFile, fmt.Errorf("flush: %w", ofFile)} {
		if got := event.WithoutPath(err); got != full {
			t.Errorf("of %v: %v", err, got)
		}
	}
	if err := event.WithoutPath(nil); err != nil {
		t.Errorf("of nil: %v", err)
	}
}
