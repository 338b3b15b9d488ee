package app

import (
	"errors"
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
func (a *App) reserve(path string) (outFile, error) {
	switch path {
	case "":
		return outFile{}, nil
	case "-":
		return outFile{File: a.out, name: "standard output"}, nil
	}
	_, err := os.Lstat(path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
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
