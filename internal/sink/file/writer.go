// Package file appends the lines of a format to a file for as long as a service runs: it rotates
// and compresses the file, follows it when it is moved away, and survives a full disk without half
// a line. What it could not write is counted.
package file

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"dropwatch/internal/event"
)

// A Writer appends whole lines to a file. It is safe for concurrent use.
type Writer struct {
	path, name string // name is path escaped, for messages
	o          Options
	open       func() (*os.File, error) // opens path to append
	notify     func(string)

	mu      sync.Mutex
	f       *os.File
	begun   time.Time // when the file was begun, for its age
	torn    int64     // offset at which a part of a line is to be cut off; -1: there is none
	failure string    // of the last rotation or reopening, which is reported once
	wrote   outcome   // of Write, until take is called
	err     error     // of the last write; nil if it succeeded

	old archive
}

// An outcome is what became of the lines since it was asked for last.
type outcome uint8

const (
	nothing   outcome = iota // none were given to the file
	kept                     // they are in the file
	discarded                // they are not: err says why
)

// NewWriter returns a Writer for a regular file that was opened with O_APPEND, which it closes. Open opens
// the file of the same name again, when the other was moved or rotated. Notify gets what a person
// should know; it may be called by any goroutine.
func NewWriter(f *os.File, o Options, open func() (*os.File, error), notify func(string)) *Writer {
	w := &Writer{path: f.Name(), name: event.Escape(f.Name()), o: o, open: open, notify: notify, torn: -1}
	w.old = archive{path: w.path, o: o, notify: notify}
	w.adopt(f)
	if o.Rotates() {
		w.old.tidySoon()
	}
	return w
}

// adopt makes f the file that is written. The age of one that has contents counts from the last
// rotation or, without any, from its last change; if that is in the future, as the clock was set back, from now.
// Setting the clock later does not change it.
func (w *Writer) adopt(f *os.File) {
	w.f, w.begun = f, time.Now()
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		age := w.begun.Sub(w.old.newest(info.ModTime()))
		w.begun = w.begun.Add(-max(0, age))
	}
}

// Write appends lines, all or none. It returns no error: a format that writes to it goes on, and
// take says what became of the lines.
func (w *Writer) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.follow()
	w.rotate(int64(len(lines)))
	w.err = w.append(lines)
	w.wrote = kept
	if w.err != nil {
		w.wrote = discarded
	}
	return len(lines), nil
}

// append writes lines at the end of the file. What was written of them when it fails is cut off.
func (w *Writer) append(lines []byte) error {
	if err := w.repairEnd(); err != nil {
		return err
	}
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	n, err := w.f.Write(lines)
	if err != nil && n > 0 {
		w.torn = info.Size()
		_ = w.repairEnd() // or before the next lines
	}
	return err
}

// repairEnd cuts off what was written of lines that did not fit.
func (w *Writer) repairEnd() error {
	if w.torn < 0 {
		return nil
	}
	if err := w.f.Truncate(w.torn); err != nil {
		return err
	}
	w.torn = -1
	return nil
}

// take returns what became of the lines since the last call, and why they were discarded.
func (w *Writer) take() (outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wrote := w.wrote
	w.wrote = nothing
	return wrote, w.err
}

// Reopen releases a file that was moved away or removed, and begins the one that now has its name.
// Write does so, too; Reopen is for those who wait for the release, such as logrotate(8).
func (w *Writer) Reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.follow()
}

// follow opens the file again if its name is not that of the open one any more. If that fails the
// open one is written on.
func (w *Writer) follow() {
	named, err := os.Stat(w.path)
	if err == nil {
		if info, err := w.f.Stat(); err == nil && os.SameFile(named, info) {
			return
		}
	}
	w.reopen()
}

// reopen goes on in a file under the same name, as logrotate(8) expects after it has renamed the old one. If there can be none,
// the old one is kept.
func (w *Writer) reopen() {
	f, err := w.open()
	if w.report("open", err); err != nil {
		return
	}
	w.f.Close()
	w.torn = -1
	w.adopt(f)
}

// report says once what could not be done to the file, until it succeeds or fails otherwise.
func (w *Writer) report(what string, err error) {
	failure := ""
	if err != nil {
		failure = fmt.Sprintf("%s %s again: %v: lines are appended to the old file meanwhile", what, w.name, event.WithoutPath(err))
	}
	if failure != w.failure && failure != "" {
		w.notify(failure)
	}
	w.failure = failure
}

// rotate renames the file and begins another if n more bytes are too many, or if it is too old.
func (w *Writer) rotate(n int64) {
	info, err := w.f.Stat()
	if err != nil || info.Size() == 0 || !w.due(info, n) {
		return
	}
	if err := os.Rename(w.path, w.old.newName()); err != nil {
		w.report("rotate", renameCause(err))
		return
	}
	w.reopen()
	w.old.tidySoon()
}

// due reports whether the file is to be rotated before n more bytes are written to it.
func (w *Writer) due(info fs.FileInfo, n int64) bool {
	return w.o.Size > 0 && info.Size()+n > w.o.Size || w.o.Age > 0 && time.Since(w.begun) >= w.o.Age
}

// Close closes the file and ends the work on rotated files. A compression that it interrupts is done
// again by the next Writer.
func (w *Writer) Close() error {
	w.old.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.f.Close()
}
