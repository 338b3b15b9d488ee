package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/pcap"
	"dropwatch/internal/term"
)

// openCaptures opens the source that reads capture files, one after the other. All of them must be there
// when it begins.
func (r *Runner) openCaptures(spec *Spec) (*openedSource, error) {
	var files []pcap.File
	var size int64
	if err := spec.checkUnwritten(); err != nil {
		return nil, err
	}
	for i, path := range spec.Captures {
		follow := spec.Follow && i == len(spec.Captures)-1
		f, n, err := r.captureFile(path, follow)
		if err != nil {
			return nil, err
		}
		files, size = append(files, f), size+n
	}
	s := pcap.New(pcap.Options{
		Files: files, MaxFlows: spec.MaxFlows,
		Counted: func(e *event.Event) bool { return spec.Filter.Decide(e) != condition.False },
	})
	if spec.Follow {
		size = 0 // it grows
	}
	var source pipeline.Source = s
	if spec.State != "" {
		source = &stateful{s, spec.State}
	}
	return &openedSource{
		Source: source, name: "pcap", arrange: spec.Filter.Stages, now: s.Now, close: func() {}, captures: s,
		progress: func() string { return readSoFar(s.Bytes(), size) },
	}, nil
}

// checkUnwritten returns an error if an output, by whatever name, is a capture file that is read: lines would be appended to it.
func (s *Spec) checkUnwritten() error {
	for _, path := range s.Captures {
		read, err := os.Stat(path)
		if err != nil || !read.Mode().IsRegular() {
			continue
		}
		for i := range s.Outputs {
			o := &s.Outputs[i]
			if written, err := os.Stat(o.File); err == nil && o.isLog() && os.SameFile(read, written) {
				return fmt.Errorf("write to %s: it is the capture file that is read: name another file", event.Escape(o.File))
			}
		}
	}
	return nil
}

// captureFile returns a file to be read, perhaps beyond its end, and its size, 0 if that is not known, as of
// a FIFO.
func (r *Runner) captureFile(path string, follow bool) (f pcap.File, size int64, err error) {
	f.Name = event.Escape(path)
	if path == "-" {
		if term.IsTerminal(r.In) {
			return f, 0, &SpecError{Err: errors.New("a capture file cannot be typed: name a file, or pipe one in")}
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
	case info.Mode().IsRegular() && isRecording(path):
		return f, 0, &advised{fmt.Errorf("read %s: it is a recording", f.Name), "show it with dropwatch replay or dropwatch retrans"}
	}
	f.Open = func(ctx context.Context) (io.ReadCloser, error) { return openCapture(ctx, path, info, follow) }
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}

// isCapture reports whether a regular file begins as capture files do.
func isCapture(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return pcap.Begins(f)
}

// openCapture opens a capture file. A FIFO is waited for until ctx ends.
func openCapture(ctx context.Context, path string, info fs.FileInfo, follow bool) (io.ReadCloser, error) {
	f, err := wait(ctx, func() (*os.File, error) { return os.Open(path) })
	switch {
	case err != nil:
		return nil, captureError(path, err)
	case !info.Mode().IsRegular():
		return readCloser{waitingReader{ctx, f}, f}, nil
	case follow:
		return readCloser{&follower{ctx: ctx, f: f}, f}, nil
	}
	return f, nil
}

// A readCloser reads a file in its own way.
type readCloser struct {
	io.Reader
	io.Closer
}

// followEvery is how often a follower looks whether the file has grown.
const followEvery = 200 * time.Millisecond

// A follower is an io.Reader of a file that another program appends to. It ends with ctx.
type follower struct {
	ctx context.Context
	f   *os.File
	at  int64 // offset of what is read next
}

// Read waits at the end of the file. A file that became shorter is an error: what follows is not what was
// read before.
func (r *follower) Read(b []byte) (int, error) {
	for {
		n, err := r.f.Read(b)
		r.at += int64(n)
		if n > 0 || err != io.EOF {
			return n, err
		}
		if info, err := r.f.Stat(); err == nil && info.Size() < r.at {
			return 0, errors.New("another program has shortened the file: read it again")
		}
		select {
		case <-r.ctx.Done():
			return 0, io.EOF
		case <-time.After(followEvery):
		}
	}
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
