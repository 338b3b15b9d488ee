package file_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/file"
	"dropwatch/internal/sink/jsonl"
)

// A bench is a Sink on a file of a test, with what it notified.
type bench struct {
	t    *testing.T
	path string
	*file.Sink
	w *file.Writer

	mu      sync.Mutex
	notices []string
	fails   error // of open
}

func newBench(t *testing.T, path string, o file.Options) *bench {
	t.Helper()
	b := &bench{t: t, path: path}
	f, err := b.open()
	if err != nil {
		t.Fatal(err)
	}
	b.w = file.NewWriter(f, o, b.open, b.notify)
	b.Sink = file.NewSink(jsonl.New(b.w, jsonl.Options{}), b.w)
	return b
}

func (b *bench) open() (*os.File, error) {
	if b.fails != nil {
		return nil, b.fails
	}
	return os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

func (b *bench) notify(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notices = append(b.notices, text)
}

// drops writes drops with these reasons and flushes them.
func (b *bench) drops(reasons ...string) {
	b.t.Helper()
	for _, reason := range reasons {
		e := event.Event{Kind: event.Drop, Time: time.Unix(1, 0), Count: 2, Individual: true, Reason: reason}
		if err := b.Write(&e); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		b.t.Fatal(err)
	}
}

// end writes the End of a run that has shown n drops.
func (b *bench) end(n uint64) error {
	return errors.Join(b.Write(&event.Event{Kind: event.End, Time: time.Unix(2, 0), Ledger: &event.Ledger{Shown: n}}), b.Flush())
}

// reasons returns the reasons of the lines of a file, or the kind and count of other lines, and fails if
// one is not whole.
func reasons(t *testing.T, path string) (all []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	switch filepath.Ext(path) {
	case ".gz":
		r, err = gzip.NewReader(f)
	case ".zst":
		r, err = zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") {
			t.Errorf("%s: half a line: %q", path, line)
		}
		var reason, place string
		var count int
		if _, after, ok := strings.Cut(line, `"reason":"`); ok {
			reason, _, _ = strings.Cut(after, `"`)
			all = append(all, reason)
		} else if _, after, ok := strings.Cut(line, `"count":`); ok {
			fmt.Sscanf(after, "%d", &count)
			_, place, _ = strings.Cut(line, `"place":`)
			all = append(all, fmt.Sprintf("lost %d %s", count, strings.Trim(place, `"}`)))
		} else if _, after, ok := strings.Cut(line, `"sink":`); ok {
			fmt.Sscanf(after, "%d", &count)
			all = append(all, fmt.Sprintf("end, lost %d", count))
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return all
}

// rotated returns the rotated files, the oldest first.
func (b *bench) rotated() (names []string) {
	b.t.Helper()
	entries, err := os.ReadDir(filepath.Dir(b.path))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(b.path)+".") {
			names = append(names, filepath.Join(filepath.Dir(b.path), e.Name()))
		}
	}
	return names // sorted by ReadDir
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// closeWait is how long Close waits for compression, which a slow disk may not have written by then.
const closeWait = 3 * time.Second

// TestRotation: by size, no file is larger, none is lost of those that are kept, and no line. At the end all of
// them have the wanted form.
func TestRotation(t *testing.T) {
	for compress, suffix := range map[file.Compression]string{file.Uncompressed: "", file.Gzip: ".gz", file.Zstd: ".zst"} {
		t.Run(suffix, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a[b]*.json")
			b := newBench(t, path, file.Options{Size: 4096, Keep: 3, Compress: compress})
			var want []string
			for i := range 300 {
				want = append(want, fmt.Sprintf("R%03d", i))
				b.drops(want[i])
				if info, err := os.Stat(path); err != nil || info.Size() > 4096 || info.Mode().Perm() != 0o600 {
					t.Fatalf("%v, error %v", info, err)
				}
			}
			begin := time.Now()
			if err := b.w.Close(); err != nil {
				t.Error(err)
			}
			unlike := func(name string) bool { return !strings.HasSuffix(name, "Z"+suffix) }
			inTime, names := time.Since(begin) < closeWait, b.rotated()
			if inTime && (len(names) != 3 || slices.ContainsFunc(names, unlike)) {
				t.Errorf("at the end the rotated files are %q", names)
			}
			var got []string
			for _, name := range append(b.rotated(), path) {
				got = append(got, reasons(t, name)...)
			}
			if !slices.Equal(got, want[300-len(got):]) || len(got) < 90 || len(b.notices) > 0 {
				t.Errorf("%d lines: %q, notices %q", len(got), got, b.notices)
			}
		})
	}
}

// TestAge: a file that an earlier program began is rotated when its age is over.
func TestAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	b := newBench(t, path, file.Options{})
	b.drops("OLD")
	b.w.Close()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	b = newBench(t, path, file.Options{Age: 2 * time.Hour})
	b.drops("SAME")
	b.w.Close()
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	b = newBench(t, path, file.Options{Age: time.Hour})
	b.drops("NEW", "NEWER")
	b.w.Close()
	if got := reasons(t, path); !slices.Equal(got, []string{"NEW", "NEWER"}) || len(b.rotated()) != 1 {
		t.Fatalf("%q, and %q", got, b.rotated())
	}
	if got := reasons(t, b.rotated()[0]); !slices.Equal(got, []string{"OLD", "SAME"}) {
		t.Errorf("rotated: %q", got)
	}
	// The age of the file is that since the rotation, whoever has written to it since.
	b = newBench(t, path, file.Options{Age: 50 * time.Millisecond})
	eventually(t, "rotation", func() bool { b.drops("X"); return len(b.rotated()) > 1 })
	b.w.Close()
}

// TestClockSetBack: of rotated files the first is removed, not the last, when names have a time that is still to come;
// and the age of a file counts.
func TestClockSetBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	later := path + time.Now().Add(time.Hour).UTC().Format(".20060102T150405.000Z")
	for _, name := range []string{path, later} {
		if err := os.WriteFile(name, []byte("{\"reason\":\"OLD\"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, path, file.Options{Age: 50 * time.Millisecond, Keep: 2})
	n := 0
	write := func() { n++; b.drops(fmt.Sprint(n)) }
	eventually(t, "two rotations", func() bool { write(); return len(b.rotated()) == 2 && !slices.Contains(b.rotated(), later) })
	b.w.Close()
	var got []string
	for _, name := range append(b.rotated(), path) {
		got = append(got, reasons(t, name)...)
	}
	want := []string{"OLD"}
	for i := range n {
		want = append(want, fmt.Sprint(i+1))
	}
	want = want[max(0, len(want)-len(got)):] // a slow machine may have rotated again, and removed more
	if names := b.rotated(); len(got) == 0 || !slices.Equal(got, want) || names[0] <= later {
		t.Errorf("%q of %d, in %q, beside %s", got, n, names, later)
	}
}

// TestTidy: what another program left is compressed, unless it is not of this file; an interrupted compression
// is done again.
func TestTidy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "drops.json")
	const plain, half, other = "drops.json.20260102T030405.000Z", "drops.json.20260102T030405.000Z.tmp", "drops.json.old"
	for _, name := range []string{plain, half, other, "drops.json.20260102T030405.000Z.gz.bak", "x.20260102T030405.000Z"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{\"reason\":\"OLD\"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, path, file.Options{Size: 4096, Compress: file.Gzip})
	want := []string{
		"drops.json", plain + ".gz", plain + ".gz.bak", other, "x.20260102T030405.000Z",
	}
	var got []string
	eventually(t, "compression", func() bool {
		got = nil
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			got = append(got, e.Name())
		}
		slices.Sort(got)
		slices.Sort(want)
		return err == nil && slices.Equal(got, want)
	})
	b.w.Close()
	if got := reasons(t, filepath.Join(dir, plain+".gz")); !slices.Equal(got, []string{"OLD"}) {
		t.Errorf("%q", got)
	}
}

// TestTidyFails: why rotated files cannot be compressed is said once, however many there are.
func TestTidyFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	for _, stamp := range []string{".20260102T030405.000Z", ".20260102T030406.000Z"} {
		if err := os.WriteFile(path+stamp, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path+stamp+".tmp", 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, path, file.Options{Size: 4096, Compress: file.Gzip})
	defer b.w.Close()
	want := []string{"compress or remove rotated files of " + path + ": file exists: they stay until the next rotation"}
	var got []string
	eventually(t, "notice", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		got = slices.Clone(b.notices)
		return len(got) > 0
	})
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestMovedAway: lines go to the file of that name, also when nobody says that it was moved, and the old one is
// released when somebody does.
func TestMovedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	b := newBench(t, path, file.Options{})
	b.drops("A")
	moved := path + ".1"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	b.fails = errors.New("no such directory")
	b.drops("B", "C")
	b.drops("D")
	want := []string{"open " + path + " again: no such directory: lines are appended to the old file meanwhile"}
	if !slices.Equal(b.notices, want) {
		t.Errorf("notices %q, want %q", b.notices, want)
	}
	b.fails = nil
	b.w.Reopen()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("reopened: %v, %v", info, err)
	}
	b.drops("E")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b.drops("F")
	b.w.Reopen() // which changes nothing
	b.drops("G")
	if got := reasons(t, path); !slices.Equal(got, []string{"F", "G"}) {
		t.Errorf("%q", got)
	}
	if old := reasons(t, moved); !slices.Equal(old, []string{"A", "B", "C", "D"}) {
		t.Errorf("before: %q", old)
	}
	b.w.Close()
}

// TestCloseReleases: a Writer leaves no goroutine behind, also if it is closed while it compresses.
func TestCloseReleases(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 20 {
		b := newBench(t, filepath.Join(t.TempDir(), "drops.json"), file.Options{Size: 4096, Compress: file.Gzip})
		for j := range 50 * (i % 3) {
			b.drops(fmt.Sprintf("R%03d", j))
		}
		if err := b.w.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the goroutines of before", func() bool { return runtime.NumGoroutine() <= before })
}

// TestTruncated: a program may empty the file, as logrotate's copytruncate does, and no hole is left.
func TestTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	b := newBench(t, path, file.Options{})
	b.drops("A", "B")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	b.drops("C")
	if got := reasons(t, path); !slices.Equal(got, []string{"C"}) {
		t.Errorf("%q", got)
	}
	b.w.Close()
}

// TestOptions: what is for rotated files needs something that rotates.
func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		o    file.Options
		fine bool
	}{
		{file.Options{}, true}, {file.Options{Size: 1}, true}, {file.Options{Age: 1, Keep: 2, Compress: file.Gzip}, true},
		{file.Options{Keep: 1}, false}, {file.Options{Compress: file.Gzip}, false},
	} {
		if err := tt.o.Check(); (err == nil) != tt.fine {
			t.Errorf("%+v: error %v", tt.o, err)
		}
	}
}
