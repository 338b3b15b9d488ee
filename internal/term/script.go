package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"dropwatch/internal/event"
)

// maxScriptLine is the length of the longest line of a script in bytes, with its newline.
const maxScriptLine = 1 << 20

// script is the Reader of a pipe or a file. It prints prompt and line as a terminal would echo them,
// as the C dropwatch does.
type script struct {
	lines   *bufio.Scanner
	out     io.Writer
	prompt  string
	pending chan error // gets the result of the read in progress; nil if there is none
	end     error      // why there is no further line
	closing sync.Once
	closed  chan struct{} // closed by Close, which ends a read
}

// newScript returns the Reader of the lines of in.
func newScript(in io.Reader, out io.Writer, prompt string) *script {
	s := &script{lines: bufio.NewScanner(in), out: out, prompt: prompt, closed: make(chan struct{})}
	s.lines.Buffer(nil, maxScriptLine)
	return s
}

// ReadLine implements Reader.
func (s *script) ReadLine(ctx context.Context) (string, error) {
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-s.closed:
		return "", io.EOF
	default:
	}
	if _, err := io.WriteString(s.out, s.prompt); err != nil {
		return "", fmt.Errorf("show prompt: %w", err)
	}
	if err := s.scan(ctx); err != nil {
		return "", err
	}
	line := s.lines.Text()
	if _, err := fmt.Fprintln(s.out, printable(line)); err != nil {
		return "", fmt.Errorf("echo command: %w", err)
	}
	return line, nil
}

// printable returns a line escaped for a terminal, except for its tabs.
func printable(line string) string {
	parts := strings.Split(line, "\t")
	for i := range parts {
		parts[i] = event.Escape(parts[i])
	}
	return strings.Join(parts, "\t")
}

// scan reads the next line in a goroutine, because a read of a silent pipe cannot be interrupted. If
// ctx ends first, the next call gets the result of the read.
func (s *script) scan(ctx context.Context) error {
	if s.pending == nil {
		s.pending = make(chan error, 1)
		go func(done chan<- error) { done <- s.next() }(s.pending)
	}
	select {
	case err := <-s.pending:
		s.pending = nil
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.closed:
		return io.EOF
	}
}

// next advances to the next line. After the end the Scanner must not be called again: it would return
// a part of a line that was too long.
func (s *script) next() error {
	if s.end != nil || s.lines.Scan() {
		return s.end
	}
	switch err := s.lines.Err(); {
	case err == nil:
		s.end = io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		s.end = fmt.Errorf("read command: a line is longer than %d bytes: split it", maxScriptLine)
	default:
		s.end = fmt.Errorf("read command: %w", err)
	}
	return s.end
}

// Confirm implements Reader: nobody can be asked.
func (s *script) Confirm(context.Context, string) (bool, error) {
	return false, nil
}

// Close implements Reader.
func (s *script) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return nil
}
