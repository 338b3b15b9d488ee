package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/pcap"
	"dropwatch/internal/term"
)

// openCaptures opens the source that reads capture files, one after the other. All of them must be there
// when it begins.
func (r *Runner) openCaptures(spec *Spec) (*openedSource, error) {
	var files []pcap.File
	var size int64
	for _, path := range spec.Captures {
		f, n, err := r.captureFile(path)
		if err != nil {
			return nil, err
		}
		files, size = append(files, f), size+n
	}
	s := pcap.New(pcap.Options{
		Files: files, MaxFlows: spec.MaxFlows,
		Counted: func(e *event.Event) bool { return spec.Filter.Decide(e) != condition.False },
	})
	return &openedSource{
		Source: s, name: "pcap", arrange: spec.Filter.Stages, now: s.Now, close: func() {}, captures: s,
		progress: func() string { return readSoFar(s.Bytes(), size) },
	}, nil
}

// captureFile returns a file to be read and its size, 0 if that is not known, as of a FIFO.
func (r *Runner) captureFile(path string) (f pcap.File, size int64, err error) {
	f.Name = event.Escape(path)
	if path == "-" {
		if term.IsTerminal(r.In) {
			return f, 0, &SpecError{errors.New("a capture file cannot be typed: name a file, or pipe one in")}
		}
		f.Name = "standard input"
		f.Open = func(ctx context.Context) (io.ReadCloser, error) { return io.NopCloser(waitingReader{ctx, r.In}), nil }
		return f, 0, nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return f, 0, captureError(path, err)
	case info.IsDir():
		return f, 0, &advised{fmt.Errorf("read %s: it is a directory", f.Name), nameInside}
	}
	f.Open = func(ctx context.Context) (io.ReadCloser, error) { return openCapture(ctx, path, info) }
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}

// openCapture opens a capture file. A FIFO is waited for until ctx ends.
func openCapture(ctx context.Context, path string, info fs.FileInfo) (io.ReadCloser, error) {
	f, err := wait(ctx, func() (*os.File, error) { return os.Open(path) })
	switch {
	case err != nil:
		return nil, captureError(path, err)
	case info.Mode().IsRegular():
		return f, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{waitingReader{ctx, f}, f}, nil
}

// captureError describes why a capture file cannot be opened, and what to do.
func captureError(path string, err error) error {
	err = cause(err)
	fix := "name a file that tcpdump or Wireshark has written"
	if errors.Is(err, fs.ErrPermission) {
		fix = "try sudo"
	}
	return openError("read", path, err, fix)
}

// readSoFar says how much of a number of bytes was read; total is 0 if that is not known.
func readSoFar(read, total int64) string {
	if total == 0 {
		return byteCount(read) + " read"
	}
	const width = 30
	done := min(read, total)
	bar := make([]byte, width)
	for i := range bar {
		bar[i] = ' '
		if int64(i) < done*width/total {
			bar[i] = '='
		}
	}
	return fmt.Sprintf("[%s] %3d %% of %s", bar, done*100/total, byteCount(total))
}
