package segments_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/segments"
)

// quiet gets no notice.
func quiet(t *testing.T) func(string) {
	return func(text string) { t.Helper(); t.Errorf("notice %q", text) }
}

func options(t *testing.T, dir string) segments.Options {
	return segments.Options{
		Dir: dir, Bytes: segments.MinBytes, Header: session.Header{Host: "h", Source: "bpf", BootID: "b"}, Notify: quiet(t),
		Now: func() clock.Moment { return clock.Moment{Wall: time.Now()} },
	}
}

// drop is one whose reason has a number, with so many bytes.
func drop(n, size int) *event.Event {
	return &event.Event{
		Kind: event.Drop, Count: 1, Individual: true, Time: time.Unix(1e9, int64(n)), Reason: fmt.Sprint(n),
		Packet: event.Packet{Data: make([]byte, size), HasData: true},
	}
}

func write(t *testing.T, s *segments.Sink, from, to, size int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.Write(drop(n, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, s *segments.Sink) {
	t.Helper()
	last := event.Event{Kind: event.End, Time: time.Unix(1e9, 0), Ledger: new(event.Ledger)}
	if err := errors.Join(s.Write(&last), s.Flush()); err != nil {
		t.Fatal(err)
	}
}

// A kept is an output that keeps reasons, and counts losses.
type kept struct {
	reasons []string
	lost    uint64
}

func (k *kept) Emit(e *event.Event) {
	if e.Kind == event.Loss {
		k.lost += e.Count
		return
	}
	k.reasons = append(k.reasons, e.Reason)
}

func (k *kept) Flush() {}

// read reads a ring.
func read(t *testing.T, dir string, last segments.Last) (k kept) {
	t.Helper()
	r, err := segments.Open(dir, last, func(err error) { t.Errorf("warning: %v", err) })
	if errors.Is(err, segments.ErrNothing) {
		return k
	}
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Header(); h.Host != "h" || h.Started.IsZero() {
		t.Errorf("header %+v", h)
	}
	if err := r.Run(t.Context(), &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func numbers(from, to int) (texts []string) {
	for n := from; n < to; n++ {
		texts = append(texts, fmt.Sprint(n))
	}
	return texts
}

// TestOnceASecond: the disk is written to once a second, and then has all that was flushed; what it
// has not is in Lost. A ring without an end is read up to there.
func TestOnceASecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := segments.New(options(t, dir))
		on := func(want, lost int) {
			t.Helper()
			synctest.Wait()
			if got := read(t, dir, segments.Last{}).reasons; !slices.Equal(got, numbers(0, want)) {
				t.Errorf("%d drops are on the disk, want %d", len(got), want)
			}
			if l := s.Lost(); l.Shown != uint64(lost) {
				t.Errorf("%d are not, want %d", l.Shown, lost)
			}
		}
		write(t, s, 0, 3, 10)
		on(3, 0)
		write(t, s, 3, 5, 10)
		write(t, s, 5, 8, 10)
		on(3, 5)
		time.Sleep(999 * time.Millisecond)
		on(3, 5)
		time.Sleep(time.Millisecond)
		on(8, 0)
		time.Sleep(time.Hour)
		write(t, s, 8, 9, 10)
		on(9, 0)
		write(t, s, 9, 10, 10)
		end(t, s)
		on(10, 0)
	})
	info, err := os.Stat(filepath.Join(dir, "000000000001.dw"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info, err)
	}
}

// TestRing: the oldest drops make room for new ones, also after a new start, and the bound holds.
// Files of others are left alone.
func TestRing(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"notes.dw", "1.dw", "000000000001.dw.bak"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const batch, size = 1000, 1000
	n := 0
	for range 3 { // runs
		s := segments.New(options(t, dir))
		for range 4 {
			write(t, s, n, n+batch, size)
			n += batch
			checkSize(t, dir)
		}
		end(t, s)
		checkSize(t, dir)
	}
	got := read(t, dir, segments.Last{}).reasons
	if first := n - len(got); !slices.Equal(got, numbers(first, n)) || len(got) < segments.MinBytes*3/4/size {
		t.Errorf("%d drops, from %s to %s", len(got), got[0], got[len(got)-1])
	}
	for _, name := range []string{"notes.dw", "1.dw", "000000000001.dw.bak"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "mine" {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
}

// checkSize checks that the segments are not larger than the bound.
func checkSize(t *testing.T, dir string) {
	t.Helper()
	paths, err := segments.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			total += info.Size()
		}
	}
	if total > segments.MinBytes {
		t.Errorf("%d bytes in %d segments", total, len(paths))
	}
}

// since is what is read that is no older than a time.
func since(at time.Time) segments.Last {
	return segments.Last{Ago: time.Hour, Now: clock.Moment{Wall: at.Add(time.Hour)}}
}

// TestLast: what is older than was asked for is left out.
func TestLast(t *testing.T) {
	dir := t.TempDir()
	s := segments.New(options(t, dir))
	write(t, s, 0, 10, 10)
	end(t, s)
	if got := read(t, dir, since(time.Unix(1e9, 6))).reasons; !slices.Equal(got, numbers(6, 10)) {
		t.Errorf("drops %v", got)
	}
	from := time.Now().Add(time.Second)
	if r, err := segments.Open(dir, since(from), func(error) {}); err != nil || !r.Header().Started.Equal(from) || !r.Now().Equal(from) {
		t.Errorf("it does not begin at %v: %v", from, err)
	}
	path := filepath.Join(dir, "000000000001.dw")
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := segments.Open(dir, since(time.Now().Add(-time.Minute)), func(error) {}); !errors.Is(err, segments.ErrNothing) {
		t.Errorf("a segment of an hour ago: %v", err)
	}
}

// TestClockIsSetBack: a segment that was begun in the last minutes is shown, also if it was last written after the wall clock was
// set back, and so seems to be old.
func TestClockIsSetBack(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir)
	o.Now = func() clock.Moment { return clock.Moment{Wall: time.Unix(1e9, 0), SinceBoot: time.Hour} }
	s := segments.New(o)
	write(t, s, 0, 5, 10)
	end(t, s)
	back := time.Unix(1e9, 0).Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "000000000001.dw"), time.Time{}, back); err != nil {
		t.Fatal(err)
	}
	last := segments.Last{Ago: 10 * time.Minute, Now: clock.Moment{Wall: back, SinceBoot: time.Hour + time.Minute}, BootID: "b"}
	if got := read(t, dir, last).reasons; !slices.Equal(got, numbers(0, 5)) {
		t.Errorf("drops %v", got)
	}
}

// TestClockIsSet: what was recorded in the last minutes is shown, however the wall clock was set meanwhile, forward or back; of
// another boot it is not known how, so its wall clock counts.
func TestClockIsSet(t *testing.T) {
	for _, step := range []time.Duration{0, 2 * time.Hour, -2 * time.Hour} {
		dir, now := t.TempDir(), clock.Moment{Wall: time.Now().Round(0).Add(-15 * time.Minute), SinceBoot: time.Hour}
		o := options(t, dir)
		o.Now = func() clock.Moment { return now }
		s := segments.New(o)
		for n := range 15 { // one each minute
			if n == 8 {
				now.Wall = now.Wall.Add(step)
			}
			e := drop(n, 10)
			e.Time = now.Wall
			if err := errors.Join(s.Write(e), s.Flush()); err != nil {
				t.Fatal(err)
			}
			now.Wall, now.SinceBoot = now.Wall.Add(time.Minute), now.SinceBoot+time.Minute
		}
		end(t, s)
		paths, err := segments.List(dir)
		if want := map[bool]int{true: 1, false: 2}[step == 0]; err != nil || len(paths) != want {
			t.Fatalf("step %v: %d segments, want %d, %v", step, len(paths), want, err)
		}
		for i, path := range paths { // which were last written before the step, or now
			at := now.Wall
			if i < len(paths)-1 {
				at = time.Now().Add(-7 * time.Minute)
			}
			if err := os.Chtimes(path, time.Time{}, at); err != nil {
				t.Fatal(err)
			}
		}
		last := segments.Last{Ago: 10*time.Minute + time.Second, Now: now, BootID: "b"}
		if got := read(t, dir, last).reasons; !slices.Equal(got, numbers(5, 15)) {
			t.Errorf("step %v: drops %v", step, got)
		}
		last.BootID = "another"
		want := map[time.Duration][]string{0: numbers(5, 15), 2 * time.Hour: numbers(8, 15), -2 * time.Hour: numbers(0, 15)}[step]
		if got := read(t, dir, last).reasons; !slices.Equal(got, want) {
			t.Errorf("step %v, of another boot: drops %v, want %v", step, got, want)
		}
	}
}

// TestDamage: a segment that is damaged, torn, empty or no recording does not hide the others.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	for n := range 5 {
		s := segments.New(options(t, dir))
		write(t, s, n, n+1, 10)
		end(t, s)
	}
	path := func(n int) string { return filepath.Join(dir, fmt.Sprintf("%012d.dw", n)) }
	for n, change := range map[int]func([]byte) []byte{
		1: func(b []byte) []byte { return nil },
		2: func(b []byte) []byte { return []byte("not a recording at all") },
		3: func(b []byte) []byte { return b[:len(b)-1] },
		4: func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
	} {
		b, err := os.ReadFile(path(n))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path(n), change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var warnings []string
	r, err := segments.Open(dir, segments.Last{}, func(err error) { warnings = append(warnings, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	var k kept
	if err := r.Run(t.Context(), &k); err != nil || !slices.Contains(k.reasons, "4") {
		t.Errorf("drops %v, %v", k.reasons, err)
	}
	if text := strings.Join(warnings, "\n"); len(warnings) != 2 || !strings.Contains(text, "not a dropwatch recording") ||
		!strings.Contains(text, "the file is damaged") {
		t.Errorf("warnings %q", warnings)
	}
}

// TestReadsWhileWritten: a reader that stops in the middle of a ring that goes on loses nothing that
// it was promised, and segments that were removed meanwhile are no error.
func TestReadsWhileWritten(t *testing.T) {
	dir := t.TempDir()
	s := segments.New(options(t, dir))
	write(t, s, 0, 1000, 1000)
	r, err := segments.Open(dir, segments.Last{}, func(err error) { t.Errorf("warning: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, 1000, 9000, 1000)
	var k kept
	if err := r.Run(t.Context(), &k); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx, &k); err != nil {
		t.Errorf("after its end: %v", err)
	}
	end(t, s)
}

// TestNothing: a directory without a segment says so.
func TestNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := segments.Open(dir, segments.Last{}, func(error) {}); !errors.Is(err, segments.ErrNothing) {
		t.Errorf("error %v", err)
	}
	if _, err := segments.Open(dir+"/none", segments.Last{}, func(error) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestNameIsTaken: what has the name of the next segment, and is none, is left alone.
func TestNameIsTaken(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "000000000001.dw"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := segments.New(options(t, dir))
	write(t, s, 0, 3, 10)
	end(t, s)
	if got := read(t, dir, segments.Last{}).reasons; !slices.Equal(got, numbers(0, 3)) {
		t.Errorf("read %v", got)
	}
}

// TestRemoved: what is written after its directory was removed is lost, and that is said; the Sink goes on when
// the directory is there again.
func TestRemoved(t *testing.T) { synctest.Test(t, testRemoved) }

func testRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ring")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var notices []string
	o := options(t, dir)
	o.Notify = func(text string) { notices = append(notices, text) }
	s := segments.New(o)
	write(t, s, 0, 10, 8) // which is on the disk at once
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, s, 10, 20, 8)
	time.Sleep(2 * time.Second)
	synctest.Wait()
	want := []string{"write to " + dir + ": no such file or directory: drops are counted as lost until it can be written"}
	if lost := s.Lost(); lost.Shown != 10 || !slices.Equal(notices, want) {
		t.Errorf("lost %d, notices %q, want 10 and %q", lost.Shown, notices, want)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, s, 20, 22, 8)
	end(t, s)
	if k := read(t, dir, segments.Last{}); !slices.Equal(k.reasons, []string{"20", "21"}) || k.lost != 10 || len(notices) != 2 {
		t.Errorf("%q, lost %d, notices %q", k.reasons, k.lost, notices)
	}
}
