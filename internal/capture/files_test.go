package capture

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/host"
	"dropwatch/internal/session"
	"dropwatch/internal/vmtest"
)

// testRunner is one without terminals and sources.
func testRunner(t *testing.T, in *os.File) *Runner {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	if in == nil {
		in = null
	}
	return &Runner{In: in, Out: null, Err: null, Notices: NewNotices(null), Signals: new(Signals), Host: host.New("/")}
}

// TestReserveLocks: a file that is being written is not written by a second program, even with
// --force, until the first has closed it.
func TestReserveLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "same.dw")
	first, err := reserve(t.Context(), path, keepOthers)
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []keep{keepAll, keepRecordings, keepOthers} {
		_, err := reserve(t.Context(), path, kept)
		if err == nil || !strings.Contains(err.Error(), "another program is writing to "+path) {
			t.Errorf("keep %d: error %v", kept, err)
		}
	}
	first.Close()
	second, err := reserve(t.Context(), path, keepOthers)
	if err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
	second.Close()
}

// TestReserve: what is written is for its owner only, is not written over without
// being asked for, and not through a link that others can have put there.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o777), os.Chmod(shared, 0o1777), os.Mkdir(filepath.Join(dir, "own"), 0o700)); err != nil {
		t.Fatal(err)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"shared/full": "x", "own/full": "x", "own/text": "x",
		"own/night": session.Magic, "own/night2": session.Magic,
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"shared/link": "own/full", "own/link": "own/full", "own/linked": "own/text", "shared/dir": "own", "shared/nowhere": "own/none",
	} {
		if err := os.Symlink(path(to), path(link)); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		kept keep
		want string
	}{
		"own/new": {keepAll, ""}, "shared/new": {keepAll, ""}, "own/full": {keepRecordings, ""}, "shared/full": {keepRecordings, ""},
		"own/link": {keepRecordings, ""}, "own/linked": {keepOthers, "is not a recording: name another file, or remove it first"},
		"own/text": {keepOthers, "is not a recording: name another file, or remove it first"}, "own/night2": {keepOthers, ""},
		"own/night":   {keepRecordings, "is a recording: name another file, or remove it first"},
		"shared/link": {keepOthers, "is a link"}, "shared/nowhere": {keepOthers, "is a link"}, "shared/dir/new2": {keepOthers, "is a link"},
		"none/new": {keepAll, "write to " + path("none/new") + ": no such file or directory: create the directory " + path("none")},
		"own":      {keepOthers, "write to " + path("own") + ": is a directory: name a file in it"},
	}
	for name, tt := range tests {
		f, err := reserve(t.Context(), path(name), tt.kept)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
		f.Close()
	}
	for _, name := range []string{"own/full", "own/link", "own/night"} {
		if _, err := reserve(t.Context(), path(name), keepAll); err == nil || !strings.Contains(err.Error(), "exists") {
			t.Errorf("%s, which exists: %v", name, err)
		}
	}
}

// TestReserveInHomes: root follows no link that the owner of a directory may have put there.
func TestReserveInHomes(t *testing.T) {
	vmtest.RequireRoot(t)
	dir := t.TempDir()
	home, target := filepath.Join(dir, "home"), filepath.Join(dir, "target")
	link := filepath.Join(home, "night.dw")
	const another = 1000 // a user
	if err := errors.Join(os.Mkdir(home, 0o755), os.WriteFile(target, []byte(session.Magic), 0o600),
		os.Symlink(target, link), os.Chown(home, another, another)); err != nil {
		t.Fatal(err)
	}
	if _, err := reserve(t.Context(), link, keepOthers); err == nil || !strings.Contains(err.Error(), "is a link") {
		t.Errorf("through a link: %v", err)
	}
	f, err := reserve(t.Context(), filepath.Join(home, "new.dw"), keepAll)
	if err != nil {
		t.Errorf("a new file: %v", err)
	}
	f.Close()
}

// TestInterruptedWait: what waits for another program ends when its context
// does.
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
	waits := map[string]func(context.Context) error{
		"writing to a fifo":   func(ctx context.Context) error { _, err := reserve(ctx, fifo, keepOthers); return err },
		"reading from a pipe": func(ctx context.Context) error { _, err := io.ReadAll(waitingReader{ctx, silent}); return err },
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended by %v", err)
			}
		})
	}
	for name, recording := range map[string]string{"replay of a fifo": fifo, "replay of a pipe": "-"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			spec := Spec{Input: Input{Recording: recording}, Outputs: []Output{{Format: Lines}}}
			outcome, err := testRunner(t, silent).Run(ctx, spec, nil)
			if err != nil || outcome.End != Interrupted {
				t.Errorf("it ended by %v, %v", outcome.End, err)
			}
		})
	}
}

// TestOpenInput: an error says what to do.
func TestOpenInput(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("d", 0o700), os.WriteFile("night.dw", nil, 0o600), os.WriteFile("d/day.dw", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"nigth.dw":           "replay nigth.dw: no such file or directory: did you mean night.dw?",
		"./nigth.dw":         "replay ./nigth.dw: no such file or directory: did you mean ./night.dw?",
		"d/dya.dw":           "replay d/dya.dw: no such file or directory: did you mean d/day.dw?",
		"none/x":             "replay none/x: no such file or directory: name a file that record has written",
		"night.dw/x":         "replay night.dw/x: not a directory: name a file that record has written",
		"\x1b" + "nigth.dw_": `replay \x1bnigth.dw_: no such file or directory: did you mean night.dw?`,
	} {
		if _, err := openInput(path); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
}
