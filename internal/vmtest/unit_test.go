package vmtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseResults(t *testing.T) {
	const output = `early words
=== RUN   TestGuestGood
    a_test.go:1: said
--- PASS: TestGuestGood (0.01s)
=== RUN   TestGuestBad
=== RUN   TestGuestBad/one
    a_test.go:2: wrong
--- FAIL: TestGuestBad (0.02s)
    --- FAIL: TestGuestBad/one (0.00s)
    --- PASS: TestGuestBad/two (0.00s)
=== RUN   TestGuestOdd
    a_test.go:3: no reason
--- SKIP: TestGuestOdd (0.00s)
=== RUN   TestGuestDead
panic: oh
`
	want := []result{
		{"TestGuestGood", "PASS", "    a_test.go:1: said\n"},
		{"TestGuestBad", "FAIL", "    a_test.go:2: wrong\n    --- FAIL: TestGuestBad/one (0.00s)\n"},
		{"TestGuestOdd", "SKIP", "    a_test.go:3: no reason\n"},
		{"TestGuestDead", "FAIL", "panic: oh\n"},
	}
	if diff := cmp.Diff(want, parseResults(output), cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestClosureHasWhatModulesNeed(t *testing.T) {
	needs := map[string][]string{
		"kernel/a/net-sim.ko": {"kernel/b/sample.ko"},
		"kernel/b/sample.ko":  nil,
		"kernel/c/other.ko":   {"kernel/b/sample.ko"},
	}
	got := closure(needs, []string{"net_sim", "sample", "absent"})
	if want := []string{"kernel/a/net-sim.ko", "kernel/b/sample.ko"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKernelsAreInOrderOfVersion(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("DROPWATCH_CACHE", cache)
	for _, name := range []string{"6.12", "5.10", "6.1"} {
		dir := filepath.Join(cache, "kernels", name)
		if err := os.MkdirAll(filepath.Join(dir, "lib", "modules", name+".3-cloud"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "vmlinuz"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kernels, err := Kernels()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range kernels {
		got = append(got, k.Name, k.Release)
	}
	want := []string{"5.10", "5.10.3-cloud", "6.1", "6.1.3-cloud", "6.12", "6.12.3-cloud"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !kernels[2].AtLeast(6, 2) || kernels[1].AtLeast(6, 2) || !kernels[1].AtLeast(6, 1) {
		t.Error("AtLeast orders versions wrongly")
	}
}

func TestNoKernelsIsAnErrorThatSaysWhatToDo(t *testing.T) {
	t.Setenv("DROPWATCH_CACHE", t.TempDir())
	if _, err := Kernels(); !errors.Is(err, errSetup) {
		t.Errorf("error %v, want %v", err, errSetup)
	}
}

// TestArchive has busybox's cpio, another reading of the format, list one.
func TestArchive(t *testing.T) {
	var b bytes.Buffer
	a := newArchive(&b)
	a.text("/deep/down/file", 0o100644, "text")
	a.link("link", "deep")
	a.text("tool", 0o100755, "")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if b.Len()%512 != 0 {
		t.Errorf("%d bytes: not whole blocks", b.Len())
	}
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("no cpio to read it with")
	}
	cmd := exec.Command(cpio, "-it", "--quiet")
	cmd.Stdin = &b
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if want := "deep\ndeep/down\ndeep/down/file\nlink\ntool\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
