package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxScriptLine is the length of the longest line of a script, in bytes and
// with its end.
const maxScriptLine = 1 << 20

// script is the Reader of a pipe or a file. It shows prompt and line as a
// terminal would have, the way C dropwatch does.
type script struct {
	lines   *bufio.Scanner
	out     io.Writer
	prompt  string
	pending chan error // answers the read under way, if there is one
	end     error      // why there is no next line
	closing sync.Once
	closed  chan struct{}
}

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
	if _, err := fmt.Fprintln(s.out, line); err != nil {
		return "", fmt.Errorf("echo command: %w", err)
	}
	return line, nil
}

// scan reads the next line in a goroutine, as nothing ends a read of a silent
// pipe. A read that outlives its ctx serves the next call.
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

// next moves on to the next line. The Scanner must not be asked again after
// its end: it would hand out the part of a line that was too long.
func (s *script) next() error {
	if s.end != nil || s.lines.Scan() {
		return s.end
	}
	switch err := s.lines.Err(); {
	case err == nil:
		s.end = io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		s.end = fmt.Errorf("read command: line longer than %d bytes", maxScriptLine)
	default:
		s.end = fmt.Errorf("read command: %w", err)
	}
	return s.end
}

// Confirm implements Reader.
func (s *script) Confirm(context.Context, string) (bool, error) {
	return false, nil
}

// Close implements Reader.
func (s *script) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return nil
}
