package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/segments"
	"dropwatch/internal/term"
)

// openRecording opens a recording as a source. It reads standard input if the path
// is -. A FIFO is waited for until ctx ends.
func (r *Runner) openRecording(ctx context.Context, spec *Spec) (*openedSource, error) {
	in, path := r.In, spec.Input.Recording
	if path != "-" {
		var err error
		if in, err = wait(ctx, func() (*os.File, error) { return openInput(path) }); err != nil {
			return nil, err
		}
	} else if term.IsTerminal(in) {
		return nil, &SpecError{Err: errors.New("a recording cannot be typed: name a file, or pipe one in")}
	}
	release := func() {
		if in != r.In {
			in.Close()
		}
	}
	from, err := session.Open(waitingReader{ctx, in}, event.Escape(path))
	if err != nil {
		release()
		return nil, noRecording(path, err)
	}
	if spec.Input.KeepHost {
		from.KeepHost()
	}
	return &openedSource{
		Source: from, name: from.Header().Source, arrange: spec.Filter.Stages, recording: from, now: from.Now,
		close: release, restore: release,
	}, nil
}

// noRecording describes why a file is not the recording that it should be, and what to do.
func noRecording(path string, err error) error {
	switch name := event.Escape(path); {
	case errors.Is(err, syscall.EISDIR):
		return &advised{err, nameInside}
	case errors.Is(err, session.ErrNoSession) && isCapture(path):
		return &advised{fmt.Errorf("replay %s: it is a capture file", name), "show it with dropwatch pcap " + name}
	}
	return err
}

// openRing opens the recordings of a service as a source.
func (r *Runner) openRing(spec *Spec) (*openedSource, error) {
	last := segments.Last{Ago: spec.Input.Last, Now: clock.Present(), BootID: r.Host.Identity().BootID}
	from, err := segments.Open(spec.Input.Segments, last, r.Notices.Warn)
	switch {
	case errors.Is(err, segments.ErrNothing), errors.Is(err, fs.ErrNotExist):
		return nil, &advised{err, "run a service with an output recorder (dropwatch help outputs)"}
	case errors.Is(err, fs.ErrPermission):
		return nil, &advised{err, "it is readable by its owner only: try sudo"}
	case err != nil:
		return nil, err
	}
	nothing := func() {}
	return &openedSource{
		Source: from, name: from.Header().Source, arrange: spec.Filter.Stages, recording: from, now: from.Now,
		close: nothing, restore: nothing,
	}, nil
}
