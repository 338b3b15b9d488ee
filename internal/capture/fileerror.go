package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dropwatch/internal/event"
	"dropwatch/internal/suggest"
)

// nameInside is what to do about a directory where a file is wanted.
const nameInside = "name a file in it"

// cause returns an error without the operation and the path that os puts before it:
// they are said in other words.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// writeError describes why a file cannot be opened for writing, and what to do.
func writeError(path string, err error) error {
	err = cause(err)
	fix := "name another file"
	switch dir := event.Escape(filepath.Dir(path)); {
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%s is a link in a directory that other users can write to: name a file elsewhere", event.Escape(path))
	case errors.Is(err, fs.ErrNotExist):
		fix = "create the directory " + dir + ", or name another file"
	case errors.Is(err, syscall.EISDIR):
		fix = nameInside
	case errors.Is(err, fs.ErrPermission):
		fix = "name a file elsewhere, or try sudo"
	}
	return openError("write to", path, err, fix)
}

// openInput opens a recording. Its errors say what to do.
func openInput(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err == nil {
		return f, nil
	}
	err = cause(err)
	fix := "name a file that record has written"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if question := suggest.Question(path, recordingsBeside(path)); question != "" {
			fix = event.Escape(question)
		}
	case errors.Is(err, fs.ErrPermission):
		fix = "recordings are readable by their owner only: try sudo"
	}
	return nil, openError("replay", path, err, fix)
}

// openError returns the whole error. What advice knows of any file, such as too many
// open ones, goes before fix.
func openError(what, path string, err error, fix string) error {
	err = adviseOne(fmt.Errorf("%s %s: %w", what, event.Escape(path), err))
	if errors.As(err, new(*advised)) {
		return err
	}
	return &advised{err, fix}
}

// recordingsBeside returns the recordings of the directory of a path, by their names.
func recordingsBeside(path string) []string {
	dir, _ := filepath.Split(path)
	entries, _ := os.ReadDir(filepath.Clean(dir)) // without any there is no suggestion
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".dw" {
			names = append(names, dir+e.Name())
		}
	}
	return names
}
