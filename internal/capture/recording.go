package capture

import (
	"context"
	"errors"
	"os"
	"syscall"

	"dropwatch/internal/event"
	"dropwatch/internal/session"
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
		return nil, &SpecError{errors.New("a recording cannot be typed: name a file, or pipe one in")}
	}
	release := func() {
		if in != r.In {
			in.Close()
		}
	}
	from, err := session.Open(waitingReader{ctx, in}, event.Escape(path))
	if err != nil {
		release()
		if errors.Is(err, syscall.EISDIR) {
			err = &advised{err, nameInside}
		}
		return nil, err
	}
	if spec.Input.KeepHost {
		from.KeepHost()
	}
	return &openedSource{
		Source: from, name: from.Header().Source, arrange: spec.Filter.Stages, recording: from, now: from.Now,
		close: release, restore: release,
	}, nil
}
