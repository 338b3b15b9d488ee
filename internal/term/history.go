package term

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	historyLines = 500                             // how many lines are kept
	historyWidth = 1024                            // bytes of the longest line that is kept
	historyBytes = 2 * historyLines * historyWidth // a longer file is no history
)

// historyWait is how long a session waits for its history: the home of a user may be on a
// file system that does not answer.
const historyWait = 2 * time.Second

// history is the file of the lines that were entered, oldest first. Sessions that run at the same
// time share it: each appends.
type history struct {
	file  *os.File // nil without history, or after its first error
	warn  func(error)
	lines []string // the lines in the file when it was opened
	last  string   // the last line in it
}

// openHistory never fails. If the file cannot be used it calls warn, and the history remembers
// nothing; so it does, without a warning, if path is empty.
func openHistory(path string, warn func(error)) *history {
	none := &history{warn: warn}
	if path == "" {
		return none
	}
	h, opened := &history{warn: warn}, make(chan error, 1)
	go func() { opened <- h.open(path) }()
	select {
	case err := <-opened:
		if err != nil {
			h.fail(err)
		}
		return h
	case <-time.After(historyWait): // h is left to its goroutine
		none.fail(fmt.Errorf("%s: the file system does not answer", path))
		return none
	}
}

// open reads the file and shortens it in place: other sessions may have it open.
func (h *history) open(path string) error {
	f, err := openOwn(path)
	if err != nil {
		return err
	}
	h.file = f
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

// openOwn opens or creates a history file, mode 0600, in a directory of the effective user. As root
// with the HOME of another user, as after sudo, it opens nothing of that user's and follows no link.
func openOwn(path string) (*os.File, error) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if info, err := root.Stat("."); err != nil || !isOwn(info) {
		return nil, cmp.Or(err, fmt.Errorf("%s: owned by another user", dir))
	}
	if info, err := root.Lstat(name); err == nil && info.Mode().Type() == os.ModeSymlink {
		return nil, fmt.Errorf("%s: a symbolic link", path)
	}
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err = checkHistory(f); err == nil {
		err = f.Chmod(0o600)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// isOwn reports whether a file is the effective user's.
func isOwn(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

// checkHistory returns an error for a file that cannot be a history, so that a wrong path neither
// blocks the session nor destroys anything.
func checkHistory(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case !isOwn(info):
		return errors.New("owned by another user")
	case info.Sys().(*syscall.Stat_t).Nlink > 1:
		return errors.New("it has another name elsewhere (a hard link)")
	case info.Size() > historyBytes:
		return fmt.Errorf("larger than %d bytes", historyBytes)
	}
	return nil
}

// shorten keeps the last historyLines lines. The file is rewritten only when it has twice as many.
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

// add appends a line, unless it repeats the one before.
func (h *history) add(line string) {
	if h.file == nil || line == h.last || !memorable(line) {
		return
	}
	h.last = line
	if _, err := h.file.WriteString(line + "\n"); err != nil {
		h.fail(err)
	}
}

// fail closes the file and warns that there is no history.
func (h *history) fail(err error) {
	_ = h.close()
	if h.warn != nil {
		h.warn(fmt.Errorf("no command history: %w", err))
	}
}

// close closes the file. It may be called again, and without a file.
func (h *history) close() error {
	if h.file == nil {
		return nil
	}
	defer func() { h.file = nil }()
	return h.file.Close()
}

// memorable reports whether a line is worth keeping, and safe to print later.
func memorable(line string) bool {
	return strings.TrimSpace(line) != "" && len(line) <= historyWidth &&
		!strings.ContainsFunc(line, unicode.IsControl)
}
