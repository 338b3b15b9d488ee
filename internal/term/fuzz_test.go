package term

import (
	"context"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"
)

// FuzzTerminalKeys types anything and then ends the session: no key may keep
// ReadLine from ending, nor the terminal from coming back.
func FuzzTerminalKeys(f *testing.F) {
	for _, keys := range []string{
		"start\r", "\t\t\x0b", "\t\t\x01", "\x12\x03", "\x12s\x12\x13\x7f", "x\x1b[D\x1b[3~",
		"\x1b", "\x1b[", "\x1b[1;5C", "\x1bOA\x1bOB", "\x10\x0e\x10x\r", "\xff\xe4", "\x1bd\x1bb\x1bf\x17\x19\x14",
	} {
		f.Add([]byte(keys), uint16(80))
		f.Add([]byte(keys), uint16(0))
		f.Add([]byte("stop\r"+keys+"\r"+keys), uint16(13))
	}
	f.Fuzz(func(t *testing.T, keys []byte, columns uint16) {
		if len(keys) > 1024 {
			t.Skip("more than a terminal takes at once")
		}
		s := open(t, nil)
		s.resize(columns, 24)
		cooked := s.mode()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := make(chan error, 1)
		go func() { c <- readUntil(ctx, s) }()
		s.until(prompt)
		s.send(string(keys) + "\x07\x15\x03.") // the end leaves every mode
		s.until(prompt + ".")
		cancel()
		select {
		case err := <-c:
			if err != context.Canceled {
				t.Errorf("ReadLine: %v, want %v", err, context.Canceled)
			}
		case <-time.After(maxWait):
			t.Fatalf("ReadLine hangs; goroutines:\n%s", stacks())
		}
		if !reflect.DeepEqual(s.mode(), cooked) {
			t.Error("terminal mode differs")
		}
	})
}

// readUntil reads lines until ctx ends; Ctrl-C and Ctrl-D do not stop it.
func readUntil(ctx context.Context, r Reader) error {
	for {
		_, err := r.ReadLine(ctx)
		if err != nil && !errors.Is(err, ErrInterrupt) && !errors.Is(err, io.EOF) {
			return err
		}
	}
}
