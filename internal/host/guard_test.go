package host

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

func TestDirectory(t *testing.T) {
	for name, want := range map[string]string{
		"etc/passwd": "etc/passwd", "home/ann/.local/share/x": "home/ann/.local", "var/lib/docker": "var/lib/docker", "": "",
		"run/containerd/io/x": "run/containerd/io",
	} {
		if got := directory(name); got != want {
			t.Errorf("%q is in %q, want %q", name, got, want)
		}
	}
}

// read reads a file that takes so long to answer.
func read(h *Host, name string, after time.Duration) error {
	_, err := guarded(h, name, foreignWait, func() (int, error) {
		time.Sleep(after)
		return 0, nil
	})
	return err
}

func TestGuardedWaitsForThoseBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := FS(fstest.MapFS{})
		errs := make(chan error)
		for range 10 {
			go func() { errs <- read(h, "var/lib/x/y", foreignWait/2) }()
		}
		for range 10 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestGuardedIsBounded: no more goroutines are left behind than there are guards, and
// a directory that answers again is read again.
func TestGuardedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, began := FS(fstest.MapFS{}), time.Now()
		for i := range maxGuards + 10 {
			for range 2 {
				if err := read(h, fmt.Sprintf("home/%d/x/y", i), time.Hour); !errors.Is(err, ErrNoAnswer) {
					t.Fatal(i, err)
				}
			}
		}
		if took := time.Since(began); took != maxGuards*foreignWait {
			t.Errorf("waited %v, want %v", took, maxGuards*foreignWait)
		}
		time.Sleep(time.Hour)
		if err := read(h, "home/0/x/y", 0); err != nil || len(h.guards.busy) != 0 {
			t.Errorf("when all have answered: %v, %d busy", err, len(h.guards.busy))
		}
	})
}
