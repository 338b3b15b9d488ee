package owner

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// TestClosedSocketIsNotOfAProcessWithTheSameNumber: its process ends, and another gets the PID.
func TestClosedSocketIsNotOfAProcessWithTheSameNumber(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(root))
		owner := func(inode uint64) event.Owner {
			e := known(inode)
			e.Owner.Socket.Cookie = 7
			h.fill(e, time.Now())
			return e.Owner
		}
		owner(1)
		h.holders.read = func() map[uint64]holder { return map[uint64]holder{8: {pid: 30}} }
		if err := os.WriteFile(filepath.Join(root, "proc/30/comm"), []byte("other\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		e := known(8)
		h.fill(e, time.Now())
		want := event.Process{PID: 30, Comm: "nginx", Confidence: event.Likely}
		if o := owner(0); e.Owner.Process.Comm != "other" || o.Process != want {
			t.Errorf("the new socket is of %+v, the closed one of %+v, want %+v", e.Owner.Process, o.Process, want)
		}
	})
}

// TestSocketsOfAProcessShareItsNames, also new ones: the files of the process are read once.
func TestSocketsOfAProcessShareItsNames(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(root))
		h.holders.read = func() map[uint64]holder { return map[uint64]holder{1: {pid: 30}, 2: {pid: 30, shared: true}} }
		read, n := h.processes.lookup, 0
		h.processes.lookup = func(pid uint32, now time.Time) process {
			n++
			return read(pid, now)
		}
		for inode, want := range map[uint64]event.Confidence{1: event.Certain, 2: event.Likely} {
			e := known(inode)
			h.fill(e, time.Now())
			if p := e.Owner.Process; p.Comm != "nginx" || p.Confidence != want || e.Owner.Unit != "nginx.service" {
				t.Errorf("socket %d is of %+v in %q", inode, p, e.Owner.Unit)
			}
		}
		if n != 1 {
			t.Errorf("the process was read %d times, want once", n)
		}
	})
}
