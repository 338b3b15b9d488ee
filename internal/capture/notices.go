package capture

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"

	"dropwatch/internal/event"
)

// Notices prints what a person should know and no program reads, one line each, to
// standard error. Each line begins with the program's name and is escaped. It is
// safe for concurrent use.
type Notices struct {
	mu   sync.Mutex
	to   io.Writer
	held *bytes.Buffer // notices that wait for the end of the screen; nil: they are printed at once

	status string // the status line, which stays below all others; it has no newline
}

// NewNotices returns Notices that are written to w. Errors of w are ignored.
func NewNotices(w io.Writer) *Notices { return &Notices{to: w} }

// Note prints a notice. If it has several lines each begins with the program's
// name.
func (n *Notices) Note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.to
	if n.held != nil {
		to = n.held
	}
	n.clearStatus()
	defer n.drawStatus()
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintf(to, "dropwatch: %s\n", event.Escape(line))
	}
}

// Text prints a notice in which % has no meaning.
func (n *Notices) Text(text string) { n.Note("%s", text) }

// Warn prints an error that does not end the run.
func (n *Notices) Warn(err error) { n.Note("%v", err) }

// eraseLine moves to the first column and erases to the end (ECMA-48 EL).
const eraseLine = "\r\x1b[K"

// setStatus replaces the status line. An empty text removes it.
func (n *Notices) setStatus(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clearStatus()
	n.status = text
	n.drawStatus()
}

// write writes whole lines to a terminal that has the status line, too: above it.
func (n *Notices) write(to io.Writer, lines []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clearStatus()
	defer n.drawStatus()
	return to.Write(lines)
}

// clearStatus removes the status line, so that a notice takes its place. The caller holds mu.
func (n *Notices) clearStatus() {
	if n.status != "" {
		io.WriteString(n.to, eraseLine)
	}
}

func (n *Notices) drawStatus() { io.WriteString(n.to, n.status) }

// hold keeps notices back until release is called, which prints them. The screen
// needs it: a line on standard error would go right through it.
func (n *Notices) hold() (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = new(bytes.Buffer)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		_, _ = io.Copy(n.to, n.held)
		n.held = nil
	}
}
