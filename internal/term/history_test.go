package term

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/vmtest"
)

// noWarning fails the test when the history is given up.
func noWarning(t *testing.T) func(error) {
	return func(err error) { t.Errorf("warned: %v", err) }
}

// historyFile returns the path of a file that holds content.
func historyFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// content reads a file.
func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestHistoryIsForTheOwnerOnly(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "history")
	h := openHistory(path, noWarning(t))
	defer h.close()
	for name, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode of %s is %v, want %v", filepath.Base(name), info.Mode(), want)
		}
	}
}

func TestHistoryRemembersWhatIsWorthIt(t *testing.T) {
	path := historyFile(t, "start\n\nbad \x1b[2J\nstop\n")
	h := openHistory(path, noWarning(t))
	if diff := cmp.Diff([]string{"start", "stop"}, h.lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	before := content(t, path)
	for _, line := range []string{"stop", "", " ", "a\tb", strings.Repeat("x", historyWidth+1), "show", "show", "stop"} {
		h.add(line)
	}
	if err := h.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	h.add("late")
	if got, want := content(t, path), before+"show\nstop\n"; got != want {
		t.Errorf("file holds %q, want %q", got, want)
	}
}

func TestHistoryIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	a, b := openHistory(path, noWarning(t)), openHistory(path, noWarning(t))
	defer a.close()
	defer b.close()
	a.add("start")
	b.add("show")
	a.add("stop")
	if got, want := content(t, path), "start\nshow\nstop\n"; got != want {
		t.Errorf("file holds %q, want %q", got, want)
	}
}

// numbered is the lines from to to, each ended.
func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestHistoryIsShortened(t *testing.T) {
	const twice = 2 * historyLines
	tests := []struct {
		lines int
		want  string
	}{
		{1, numbered(1, 1)},
		{historyLines + 1, numbered(1, historyLines+1)}, // not yet
		{twice - 1, numbered(1, twice-1)},
		{twice, numbered(historyLines+1, twice)},
	}
	for _, tt := range tests {
		path := historyFile(t, numbered(1, tt.lines))
		h := openHistory(path, noWarning(t))
		if got, want := len(h.lines), min(tt.lines, historyLines); got != want {
			t.Errorf("%d lines from a file of %d, want %d", got, tt.lines, want)
		}
		if got, want := h.lines[len(h.lines)-1], fmt.Sprintf("line %d", tt.lines); got != want {
			t.Errorf("last line %q, want %q", got, want)
		}
		h.add("new")
		h.close()
		if diff := cmp.Diff(tt.want+"new\n", content(t, path)); diff != "" {
			t.Errorf("file of %d lines (-want +got):\n%s", tt.lines, diff)
		}
	}
}

func TestHistoryGivesUpOnce(t *testing.T) {
	long := historyFile(t, strings.Repeat("x", historyBytes+1))
	file := historyFile(t, "")
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"directory", t.TempDir(), "is a directory"},
		{"no directory possible", filepath.Join(file, "history"), "not a directory"},
		{"fifo", fifo, "not a regular file"},
		{"device", os.DevNull, "not a regular file"},
		{"not a history", long, "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var warnings []string
			h := openHistory(tt.path, func(err error) { warnings = append(warnings, err.Error()) })
			h.add("start")
			h.add("stop")
			if err := h.close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0], tt.want) {
				t.Errorf("warnings %q, want one with %q", warnings, tt.want)
			}
		})
	}
	if got := len(content(t, long)); got != historyBytes+1 {
		t.Errorf("the large file was changed: %d bytes", got)
	}
}

// TestHistoryOfOthers is what a user can put where a root session that kept their
// HOME looks: nothing of it is read or changed.
func TestHistoryOfOthers(t *testing.T) {
	const text = "precious\n"
	link := func(t *testing.T, make func(old, new string) error) (path, target string) {
		target = historyFile(t, text)
		path = filepath.Join(t.TempDir(), "history")
		if err := make(target, path); err != nil {
			t.Fatal(err)
		}
		return path, target
	}
	given := func(t *testing.T, path string) {
		vmtest.RequireRoot(t) // which alone can give a file away
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		make func(t *testing.T) (path, target string)
		want string
	}{
		"a symbolic link": {func(t *testing.T) (string, string) { return link(t, os.Symlink) }, "a symbolic link"},
		"a hard link":     {func(t *testing.T) (string, string) { return link(t, os.Link) }, "another name elsewhere"},
		"another's file": {func(t *testing.T) (string, string) {
			path := historyFile(t, text)
			given(t, path)
			return path, path
		}, "owned by another user"},
		"another's directory": {func(t *testing.T) (string, string) {
			path := historyFile(t, text)
			given(t, filepath.Dir(path))
			return path, path
		}, "owned by another user"},
	} {
		t.Run(name, func(t *testing.T) {
			path, target := tt.make(t)
			var warnings []string
			h := openHistory(path, func(err error) { warnings = append(warnings, err.Error()) })
			h.add("start")
			h.close()
			if len(warnings) != 1 || !strings.Contains(warnings[0], tt.want) {
				t.Errorf("warnings %q, want one with %q", warnings, tt.want)
			}
			if got := content(t, target); got != text || len(h.lines) != 0 {
				t.Errorf("the file holds %q and %q was read of it", got, h.lines)
			}
		})
	}
}

// TestHistoryIsMadePrivate: an older one that others may read is closed to them.
func TestHistoryIsMadePrivate(t *testing.T) {
	path := historyFile(t, "start\n")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openHistory(path, noWarning(t)).close()
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, error %v, want -rw-------", info.Mode(), err)
	}
}

func TestHistoryOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	var warnings []error
	h := openHistory(path, func(err error) { warnings = append(warnings, err) })
	readOnly, err := os.Open(path) // any file that cannot be written
	if err != nil {
		t.Fatal(err)
	}
	h.file.Close()
	h.file = readOnly
	h.add("start")
	h.add("stop")
	if len(warnings) != 1 {
		t.Errorf("warnings: %v, want one", warnings)
	}
}

func TestHistoryWithoutFile(t *testing.T) {
	h := openHistory("", noWarning(t))
	h.add("start")
	if err := h.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	openHistory(t.TempDir(), nil).add("start") // nobody to warn
}
