package capture

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
)

// TestCountersAtIntervals: what was read is in the file at once, without a drop, and once more
// at the end.
func TestCountersAtIntervals(t *testing.T) {
	file, h := startHostRecorder(t, 10*time.Millisecond, 1<<30, nil)
	var before uint64
	for begun := time.Now(); before < 3; time.Sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("%d snapshots after a minute", before)
		}
		before = readHost(t, file).Snapshots
	}
	end := event.Event{Kind: event.End, Time: time.Now(), Ledger: new(event.Ledger)}
	if err := h.Write(&end); err != nil {
		t.Fatal(err)
	}
	if err := h.Flush(); err != nil {
		t.Fatal(err)
	}
	of := readHost(t, file)
	if of.Snapshots <= before || len(of.Last.Counters) == 0 || !of.Last.Time.After(of.First.Time) || of.Last.Time.After(time.Now()) {
		t.Errorf("%d snapshots, before the end %d, from %v to %v", of.Snapshots, before, of.First.Time, of.Last.Time)
	}
	if len(of.Answers) == 0 {
		t.Error("the host answered nothing")
	}
}

// TestCountersOnAFullDisk: a run that only waits for drops ends when its counters cannot be
// written, and what was written can be read.
func TestCountersOnAFullDisk(t *testing.T) {
	stopped := make(chan struct{})
	size := int64(0)
	func() {
		file, h := startHostRecorder(t, time.Hour, 1<<30, nil)
		defer h.timer.Stop()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		size = info.Size()
	}()
	file, h := startHostRecorder(t, time.Millisecond, size+size/2, func() { close(stopped) })
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Fatal("the run goes on")
	}
	if err := h.Write(&event.Event{Kind: event.End, Ledger: new(event.Ledger)}); err == nil {
		t.Error("the End has no error")
	}
	if of := readHost(t, file); of.Snapshots == 0 {
		t.Error("nothing can be read")
	}
}

// A smallDisk is a file with room for so many bytes.
type smallDisk struct {
	*os.File
	room int64
}

func (d *smallDisk) Write(b []byte) (int, error) {
	if d.room -= int64(len(b)); d.room < 0 {
		return 0, syscall.ENOSPC
	}
	return d.File.Write(b)
}

// startHostRecorder records into a file, and calls stop when that fails.
func startHostRecorder(t *testing.T, interval time.Duration, room int64, stop func()) (file string, h *hostRecorder) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "x.dw")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w, err := session.NewWriter(&smallDisk{f, room}, "x", session.Header{Counters: true})
	if err != nil {
		t.Fatal(err)
	}
	here := host.FS(fstest.MapFS{"proc/thread-self/net/softnet_stat": {Data: []byte("00000001 00000002 00000003\n")}})
	h = &hostRecorder{reader: AllCounters(here), ask: DiagnosedHost(here), interval: interval, to: w, failed: stop}
	if err := h.begin(); err != nil {
		t.Fatal(err)
	}
	return file, h
}

// readHost reads what a file has of the host so far.
func readHost(t *testing.T, file string) session.Host {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := session.Open(bytes.NewReader(b), "x")
	if err != nil {
		t.Fatal(err)
	}
	r.KeepHost()
	p := pipeline.Pipeline{Source: r, Sink: pipeline.Tee{}}
	_, _ = p.Run(t.Context()) // which says that it is truncated
	return r.Host()
}
