package elastic

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"dropwatch/internal/event"
)

// open returns how many descriptors this process has open.
func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestCloseReleases: whatever became of a Sink, it leaves nothing behind: a service makes a new one whenever it reads
// its configuration again.
func TestCloseReleases(t *testing.T) {
	c := newCluster(t)
	dead := newCluster(t)
	dead.http.Close()
	dir := t.TempDir()
	abort := make(chan struct{})
	close(abort)
	run := func() {
		for _, o := range []Options{
			{URLs: []string{c.http.URL}}, {URLs: []string{dead.http.URL}}, {URLs: []string{dead.http.URL, c.http.URL}, Spool: dir},
		} {
			r := newRig(t, Config{Options: o, Abort: abort})
			r.drops(0, 3)
			_ = r.finish()
			r.Close()
		}
	}
	run()
	c.http.CloseClientConnections()
	goroutines, descriptors := runtime.NumGoroutine(), open(t)
	for range 20 {
		run()
	}
	c.http.CloseClientConnections()
	eventually(t, "the goroutines and descriptors of before", func() bool {
		return runtime.NumGoroutine() <= goroutines && open(t) <= descriptors
	})
}

// TestSpoolNowhere: only the spool itself is made, not what would be above it.
func TestSpoolNowhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none", "spool")
	_, err := openSpool(dir, 1<<20)
	if want := "create the spool " + dir + ": no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestSpoolIsGone: what cannot be spooled is lost and counted, and what was spooled, also the batch that was read already.
func TestSpoolIsGone(t *testing.T) {
	dead := newCluster(t)
	dead.http.Close()
	dir := filepath.Join(t.TempDir(), "spool")
	abort := make(chan struct{})
	close(abort)
	r := newRig(t, Config{Options: Options{URLs: []string{dead.http.URL}, Spool: dir, Count: 5}, Abort: abort})
	r.drops(0, 15)
	eventually(t, "the first batch has been read from the spool", func() bool { return len(r.said()) > 0 })
	if lost := r.Lost(); lost != (event.Ledger{}) {
		t.Errorf("lost %+v of what is in the spool", lost)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	r.drops(15, 10)
	if err := r.finish(); err == nil || !strings.HasPrefix(err.Error(), "elastic: not everything was delivered: ") {
		t.Errorf("error %v", err)
	}
	if lost := r.Lost(); lost.Shown != r.shown {
		t.Errorf("lost %+v of %d", lost, r.shown)
	}
	want := "write to the spool " + dir + ": no such file or directory: drops are counted as lost until there is room"
	if said := strings.Join(r.said(), "\n"); strings.Count(said, want) != 1 {
		t.Errorf("said %s", said)
	}
}
