package file_test

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/file"
)

// inChild runs a test in a process of its own, whose limits it may change: the test log is not written there.
func inChild(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	const variable = "DROPWATCH_TEST_CHILD"
	if os.Getenv(variable) != "" {
		test(t)
		return
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), variable+"=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// limitFiles limits the size of the files that this process writes, as a disk that is full would.
func limitFiles(t *testing.T, size uint64) {
	t.Helper()
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit)
	if limit.Cur = min(size, limit.Max); err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk: what does not fit is lost as a whole, counted, said once and told in the file when there is room
// again; the End has it in its ledger.
func TestFullDisk(t *testing.T) { inChild(t, testFullDisk) }

func testFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	b := newBench(t, path, file.Options{})
	b.drops("A")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	limitFiles(t, uint64(info.Size())+30)
	b.drops("B", "C")
	b.drops("D")
	if lost := b.Lost(); lost.Shown != 6 {
		t.Errorf("lost %+v", lost)
	}
	limitFiles(t, math.MaxUint64)
	b.drops("E")
	b.drops("F")
	if err := b.end(12); err != nil {
		t.Error(err)
	}
	if got, want := reasons(t, path), []string{"A", "E", "lost 6 sink", "F", "end, lost 6"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	want := []string{
		"write to " + path + ": file too large: drops are counted as lost until it can be written",
		"writing to " + path + " again: 6 drops lost",
	}
	if !slices.Equal(b.notices, want) {
		t.Errorf("notices %q, want %q", b.notices, want)
	}
	b.w.Close()
}

// TestFullDiskOfTCP: what TCP did is no drop, and told apart.
func TestFullDiskOfTCP(t *testing.T) { inChild(t, testFullDiskOfTCP) }

func testFullDiskOfTCP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	b := newBench(t, path, file.Options{})
	limitFiles(t, 0)
	b.drops("A")
	retransmit := event.Event{Kind: event.Retransmit, Time: time.Unix(1, 0), Count: 1, Segments: 3, Segment: new(event.Segment)}
	if err := errors.Join(b.Write(&retransmit), b.Flush()); err != nil {
		t.Fatal(err)
	}
	if lost := b.Lost(); lost.Shown != 2 || lost.TCP.Retransmits != 3 {
		t.Errorf("lost %+v", lost)
	}
	limitFiles(t, math.MaxUint64)
	b.drops("B")
	if got, want := reasons(t, path), []string{"B"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	b.drops("C")
	if got, want := reasons(t, path), []string{"B", "lost 3 sink", "lost 2 sink", "C"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if want := "writing to " + path + " again: 2 drops and 3 TCP segments lost"; len(b.notices) != 2 || b.notices[1] != want {
		t.Errorf("notices %q, want %q", b.notices, want)
	}
	b.w.Close()
}

// TestFullDiskAtTheEnd is an error.
func TestFullDiskAtTheEnd(t *testing.T) { inChild(t, testFullDiskAtTheEnd) }

func testFullDiskAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	b := newBench(t, path, file.Options{})
	b.drops("A")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	limitFiles(t, uint64(info.Size()))
	b.drops("B")
	if err := b.end(4); err == nil || err.Error() != "write to "+path+": file too large" {
		t.Errorf("error %v", err)
	}
	if lost := b.Lost(); lost.Shown != 2 {
		t.Errorf("lost %+v", lost)
	}
	if got := reasons(t, path); !slices.Equal(got, []string{"A"}) {
		t.Errorf("%q", got)
	}
	b.w.Close()
}
