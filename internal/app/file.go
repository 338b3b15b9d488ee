package app

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"dropwatch/internal/event"
)

// An outFile is where drops are written, and its name for errors. The zero one
// is no file.
type outFile struct {
	*os.File
	name string
	ours bool // to close: it is not standard output
	made bool // by us
}

// reserve opens a file for writing and leaves what it holds, so that nothing is
// lost before it is clear that drops can be had. "-" is standard output.
func (a *App) reserve(ctx context.Context, path string) (outFile, error) {
	switch path {
	case "":
		return outFile{}, nil
	case "-":
		return outFile{File: a.out, name: "standard output"}, nil
	}
	_, err := os.Lstat(path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := await(ctx, func() (*os.File, error) { return os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666) })
	if err != nil {
		return outFile{}, err
	}
	return outFile{File: f, name: event.Escape(path), ours: true, made: made}, nil
}

// begin forgets what the file held, if it is one that can hold anything.
func (f outFile) begin() error {
	if !f.ours {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Truncate(0)
}

// is tells whether it is the same file as another.
func (f outFile) is(other *os.File) bool {
	if f.File == nil {
		return false
	}
	a, err := f.Stat()
	b, err2 := other.Stat()
	return err == nil && err2 == nil && os.SameFile(a, b) && a.Mode().IsRegular()
}

// abandon removes the file if we made it.
func (f outFile) abandon() {
	if f.made {
		os.Remove(f.File.Name())
	}
}

// Close closes a file of ours.
func (f outFile) Close() error {
	if !f.ours {
		return nil
	}
	return f.File.Close()
}

// await does what may wait for another program, as opening a fifo does. When ctx
// ends it leaves that behind and returns errDone.
func await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := do()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, errDone
	}
}

// A waiting reads until ctx ends, also where that waits.
type waiting struct {
	ctx context.Context
	r   io.Reader
}

func (w waiting) Read(b []byte) (int, error) {
	own := make([]byte, len(b)) // a Read that is left behind may still write to it
	n, err := await(w.ctx, func() (int, error) { return w.r.Read(own) })
	return copy(b, own[:n]), err
}
