package term

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// all reads a script to its end and returns the lines and the last error.
func all(r Reader) (lines []string, err error) {
	for {
		line, err := r.ReadLine(context.Background())
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
}

// escaped is how the echo shows what a terminal would obey.
var escaped = strings.NewReplacer(
	"\r", `\x0d`, "\x00", `\x00`, "\x03", `\x03`, "\x04", `\x04`, "\x1a", `\x1a`, "\xff", `\xff`, "\xfe", `\xfe`,
)

func TestScriptLines(t *testing.T) {
	long := strings.Repeat("x", maxScriptLine-1)
	tests := []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"one", "start\n", []string{"start"}},
		{"no newline at the end", "show\nstart", []string{"show", "start"}},
		{"crlf", "start\r\nstop\r\n", []string{"start", "stop"}},
		{"blank lines", "\n \n\t\n\n", []string{"", " ", "\t", ""}},
		{"carriage return inside", "a\rb\n", []string{"a\rb"}},
		{"nul", "a\x00b\n\x00\n", []string{"a\x00b", "\x00"}},
		{"control keys", "a\x03\x04\x1a\tb\n", []string{"a\x03\x04\x1a\tb"}},
		{"invalid utf-8", "\xff\xfe\n", []string{"\xff\xfe"}},
		{"longest", long + "\n" + long[1:] + "\r\n" + long, []string{long, long[1:], long}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			lines, err := all(newScript(strings.NewReader(tt.in), &out, prompt))
			if err != io.EOF {
				t.Errorf("error %v, want EOF", err)
			}
			if diff := cmp.Diff(tt.want, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%.500s", diff)
			}
			var want strings.Builder
			for _, line := range tt.want {
				want.WriteString(prompt + escaped.Replace(line) + "\n")
			}
			want.WriteString(prompt) // and no newline, as in C
			if out.String() != want.String() {
				t.Errorf("output %.200q, want %.200q", out.String(), want.String())
			}
		})
	}
}

func TestScriptReadsByteByByte(t *testing.T) {
	in := iotest.OneByteReader(strings.NewReader("start\r\nstop"))
	lines, err := all(newScript(in, io.Discard, prompt))
	if diff := cmp.Diff([]string{"start", "stop"}, lines); diff != "" || err != io.EOF {
		t.Errorf("error %v, lines (-want +got):\n%s", err, diff)
	}
}

func TestScriptLineTooLong(t *testing.T) {
	in := "start\n" + strings.Repeat("x", maxScriptLine) + "\nstop\n"
	s := newScript(strings.NewReader(in), io.Discard, prompt)
	for _, want := range []int{1, 0} { // the error stays
		lines, err := all(s)
		if len(lines) != want {
			t.Errorf("%d lines, want %d", len(lines), want)
		}
		if err == nil || !strings.Contains(err.Error(), "a line is longer than 1048576 bytes") {
			t.Errorf("error %v", err)
		}
	}
}

func TestScriptErrors(t *testing.T) {
	broken := errors.New("broken")
	t.Run("read", func(t *testing.T) {
		_, err := all(newScript(iotest.ErrReader(broken), io.Discard, prompt))
		if !errors.Is(err, broken) {
			t.Errorf("error %v, want %v", err, broken)
		}
	})
	t.Run("prompt", func(t *testing.T) {
		_, err := all(newScript(strings.NewReader("start\n"), failAfter(0, broken), prompt))
		if !errors.Is(err, broken) {
			t.Errorf("error %v, want %v", err, broken)
		}
	})
	t.Run("echo", func(t *testing.T) {
		_, err := all(newScript(strings.NewReader("start\n"), failAfter(1, broken), prompt))
		if !errors.Is(err, broken) {
			t.Errorf("error %v, want %v", err, broken)
		}
	})
}

// failing is a Writer that works a few times.
type failing struct {
	left int
	err  error
}

func failAfter(n int, err error) *failing { return &failing{n, err} }

func (f *failing) Write(b []byte) (int, error) {
	if f.left == 0 {
		return 0, f.err
	}
	f.left--
	return len(b), nil
}

func TestScriptOnSilentPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, pipe := io.Pipe()
		s := newScript(in, io.Discard, prompt)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("over"))
		defer cancel()
		begin := time.Now()
		if _, err := s.ReadLine(ctx); err == nil || err.Error() != "over" {
			t.Errorf("ReadLine: %v, want the cause", err)
		}
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("ReadLine took %v, want an hour", took)
		}
		if _, err := s.ReadLine(ctx); err == nil || err.Error() != "over" {
			t.Errorf("next ReadLine: %v, want the cause", err)
		}
		go func() {
			io.WriteString(pipe, "start\nstop\n")
			pipe.Close()
		}()
		lines, err := all(s)
		if diff := cmp.Diff([]string{"start", "stop"}, lines); diff != "" || err != io.EOF {
			t.Errorf("error %v, lines (-want +got):\n%s", err, diff)
		}
	})
}

func TestScriptClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, pipe := io.Pipe()
		defer pipe.Close()
		s := newScript(in, io.Discard, prompt)
		c := make(chan error, 1)
		go func() {
			_, err := s.ReadLine(t.Context())
			c <- err
		}()
		synctest.Wait()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if err := <-c; err != io.EOF {
			t.Errorf("waiting ReadLine: %v, want EOF", err)
		}
	})
}

func TestScriptAfterClose(t *testing.T) {
	var out bytes.Buffer
	s := newScript(strings.NewReader("start\n"), &out, prompt)
	s.Close()
	if line, err := s.ReadLine(t.Context()); err != io.EOF || out.Len() > 0 {
		t.Errorf("ReadLine = %q, %v, want EOF; wrote %q", line, err, out.String())
	}
}

func TestScriptConfirm(t *testing.T) {
	var out bytes.Buffer
	s := newScript(strings.NewReader("y\n"), &out, prompt)
	if yes, err := s.Confirm(t.Context(), "Sure?"); yes || err != nil || out.Len() > 0 {
		t.Errorf("Confirm = %v, %v, wrote %q; want no", yes, err, out.String())
	}
	if line, err := s.ReadLine(t.Context()); line != "y" || err != nil {
		t.Errorf("ReadLine = %q, %v, want y", line, err)
	}
}

func TestOpenPipe(t *testing.T) {
	in, inEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, outEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	r, err := Open(Config{Stdin: in, Stdout: outEnd, Prompt: prompt})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	inEnd.WriteString("show\nexit")
	inEnd.Close()
	lines, err := all(r)
	outEnd.Close()
	if diff := cmp.Diff([]string{"show", "exit"}, lines); diff != "" || err != io.EOF {
		t.Errorf("error %v, lines (-want +got):\n%s", err, diff)
	}
	if got, _ := io.ReadAll(out); string(got) != "dropwatch> show\ndropwatch> exit\ndropwatch> " {
		t.Errorf("output %q", got)
	}
}
