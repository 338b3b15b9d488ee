package term

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

const (
	historyLines = 500  // how many lines are kept
	historyWidth = 1024 // bytes of the longest line worth keeping
	historyBytes = 2 * historyLines * historyWidth
)

// history is the file of the lines entered, oldest first. Sessions at the same
// time share it: each appends.
type history struct {
	file  *os.File // nil without history, or after its first error
	warn  func(error)
	lines []string // what the file held when it was opened
	last  string
}

// openHistory never fails: without a file it remembers nothing, and tells warn
// why unless path is empty.
func openHistory(path string, warn func(error)) *history {
	h := &history{warn: warn}
	if path == "" {
		return h
	}
	if err := h.open(path); err != nil {
		h.fail(err)
	}
	return h
}

// open reads the file and shortens it in place, which keeps it the file that
// other sessions append to.
func (h *history) open(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	h.file = f
	if err := checkHistory(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSuffix(line, "\n"); memorable(line) {
			h.lines = append(h.lines, line)
			h.last = line
		}
	}
	return h.shorten()
}

// checkHistory refuses a file that cannot be a history, so that a wrong path
// neither blocks the session nor destroys anything.
func checkHistory(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Size() > historyBytes:
		return fmt.Errorf("larger than %d bytes", historyBytes)
	}
	return nil
}

// shorten drops the oldest lines once there are twice as many as are kept.
func (h *history) shorten() error {
	excess := len(h.lines) - historyLines
	if excess <= 0 {
		return nil
	}
	h.lines = h.lines[excess:]
	if excess < historyLines {
		return nil
	}
	if err := h.file.Truncate(0); err != nil {
		return err
	}
	_, err := h.file.WriteString(strings.Join(h.lines, "\n") + "\n")
	return err
}

// add appends line unless it repeats the one before.
func (h *history) add(line string) {
	if h.file == nil || line == h.last || !memorable(line) {
		return
	}
	h.last = line
	if _, err := h.file.WriteString(line + "\n"); err != nil {
		h.fail(err)
	}
}

// fail gives the file up and says so.
func (h *history) fail(err error) {
	_ = h.close()
	if h.warn != nil {
		h.warn(fmt.Errorf("no command history: %w", err))
	}
}

// close is safe to call again and without a file.
func (h *history) close() error {
	if h.file == nil {
		return nil
	}
	defer func() { h.file = nil }()
	return h.file.Close()
}

// memorable reports whether line is worth keeping and safe to show later.
func memorable(line string) bool {
	return strings.TrimSpace(line) != "" && len(line) <= historyWidth &&
		!strings.ContainsFunc(line, unicode.IsControl)
}
