package segments_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/sink/segments"
	"dropwatch/internal/vmtest"
)

// TestFullDisk: what does not fit is counted, the oldest segments make room, and the ring goes on
// with a Loss. Each drop is in a segment, was removed with one, or is lost.
func TestFullDisk(t *testing.T) {
	vmtest.RequireRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("small", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(dir, 0)
	o := options(t, dir)
	var notices []string
	o.Notify = func(text string) { notices = append(notices, text) }
	s := segments.New(o)
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, make([]byte, 120<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, s, 0, 100, 1000)
	if l := s.Lost(); l.Shown != 100 {
		t.Errorf("%d are lost, want 100", l.Shown)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	write(t, s, 100, 150, 1000)
	end(t, s)
	if l := s.Lost(); l.Shown != 100 {
		t.Errorf("%d are lost, want 100", l.Shown)
	}
	k := read(t, dir, segments.Last{})
	if !slices.Equal(k.reasons, numbers(100, 150)) || k.lost != 100 {
		t.Errorf("drops %v, %d lost", k.reasons, k.lost)
	}
	if len(notices) != 2 || !strings.Contains(notices[0], "no space left on device") || !strings.Contains(notices[1], "again") {
		t.Errorf("notices %q", notices)
	}
}
