package app

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestInterruptedWait: what waits for another program ends when its context
// does, and that is no failure.
func TestInterruptedWait(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	silent, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	defer w.Close()
	a := &App{in: silent}
	waits := map[string]func(context.Context) error{
		"writing to a fifo":   func(ctx context.Context) error { _, err := a.reserve(ctx, fifo); return err },
		"replay of a fifo":    func(ctx context.Context) error { return a.replay(ctx, fifo, &replayOptions{}) },
		"replay of a pipe":    func(ctx context.Context) error { return a.replay(ctx, "-", &replayOptions{}) },
		"reading from a pipe": func(ctx context.Context) error { _, err := io.ReadAll(waiting{ctx, silent}); return err },
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := wait(ctx); !errors.Is(err, errDone) {
				t.Errorf("it ended by %v", err)
			}
		})
	}
}

func TestReplayFromWords(t *testing.T) {
	c := script(t, "")
	c.send("replay -\n").expect("dropwatch: replay: standard input has the commands of the session: name a file\n").wait(1)
	newConsole(t, nil, "dropwatch", "replay", "-").onTerminal().expect("a recorded session cannot be typed").wait(2)
	for _, verb := range []string{"record", "replay"} {
		newConsole(t, nil, "dropwatch", verb, "").onTerminal().expect("dropwatch: " + verb + ": no file").wait(2)
	}
}
