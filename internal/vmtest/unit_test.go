package vmtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFollow has a guest's output whose every fault must fail a test of the host.
// The test runs itself again for it, as those failures are wanted.
func TestFollow(t *testing.T) {
	const output = `early words
### begins: good
=== RUN   TestGuestGood
    a_test.go:1: said
--- PASS: TestGuestGood (0.01s)
PASS

### ended with status 0
### begins: bad
=== RUN   TestGuestBad
=== RUN   TestGuestBad/one
    a_test.go:2: wrong
--- FAIL: TestGuestBad (0.02s)
    --- FAIL: TestGuestBad/one (0.00s)
    --- PASS: TestGuestBad/two (0.00s)
=== RUN   TestGuestPart
--- PASS: TestGuestPart (0.00s)
    --- SKIP: TestGuestPart/one (0.00s)
=== RUN   TestGuestOdd
    a_test.go:3: no reason
--- SKIP: TestGuestOdd (0.00s)
=== RUN   TestGuestDead
panic: oh

### ended with status 2
### begins: exits
=== RUN   TestGuestGood
--- PASS: TestGuestGood (0.01s)
on the way out

### ended with status 3
### begins: dead
=== RUN   TestGuestHang
`
	if os.Getenv("DROPWATCH_TEST_FOLLOW") != "" {
		follow(strings.NewReader(output)).binaries(t, []testRun{
			{name: "good", tests: []string{"TestGuestGood"}},
			{name: "bad", tests: []string{"TestGuestBad", "TestGuestNotRun"}},
			{name: "exits", tests: []string{"TestGuestGood"}},
			{name: "dead"},
			{name: "never"},
		})
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFollow$", "-test.v")
	cmd.Env = append(os.Environ(), "DROPWATCH_TEST_FOLLOW=1")
	text, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("it passed")
	}
	for _, want := range []string{
		"--- PASS: TestFollow/good/TestGuestGood ", "a_test.go:1: said",
		"--- FAIL: TestFollow/bad/TestGuestBad ", "a_test.go:2: wrong\n", "--- FAIL: TestGuestBad/one ",
		"--- FAIL: TestFollow/bad/TestGuestPart ", "--- SKIP: TestGuestPart/one ",
		"--- FAIL: TestFollow/bad/TestGuestOdd ", "a_test.go:3: no reason",
		"--- FAIL: TestFollow/bad/TestGuestDead ", "panic: oh",
		"TestGuestNotRun was not run",
		"--- FAIL: TestFollow/exits ", "exit status 3:\n", "on the way out", "--- PASS: TestFollow/exits/TestGuestGood ",
		"--- FAIL: TestFollow/dead/TestGuestHang ", "the guest ended before this did",
		"never was not run", "early words",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPlan(t *testing.T) {
	packages := []guestPackage{
		{path: "m/netlink", tests: []string{"TestGuestA", "TestGuestB"}},
		{path: "m/internal/source/bpf", tests: []string{"TestGuestA", "TestGuestLastC"}},
	}
	for pattern, want := range map[string]string{
		"":                              "netlink: TestGuestA TestGuestB; source.bpf: TestGuestA; source.bpf.last: TestGuestLastC; ",
		"TestKernels/6.1$":              "netlink: TestGuestA TestGuestB; source.bpf: TestGuestA; source.bpf.last: TestGuestLastC; ",
		"TestKernels//bpf":              "source.bpf: TestGuestA; source.bpf.last: TestGuestLastC; ",
		"TestKernels/6.1/bpf$":          "source.bpf: TestGuestA; ",
		"TestKernels/6.1//TestGuestB/x": "netlink: TestGuestB; ",
	} {
		var got strings.Builder
		for _, r := range plan(packages, elements(pattern)) {
			fmt.Fprintf(&got, "%s: %s; ", r.name, strings.Join(r.tests, " "))
		}
		if got.String() != want {
			t.Errorf("%q: got %q, want %q", pattern, got.String(), want)
		}
	}
}

// TestBoots: a guest gets runs until it has enough, a run is never parted, and those that take longest begin first.
func TestBoots(t *testing.T) {
	run := func(name string, tests int) testRun { return testRun{name: name, tests: make([]string, tests)} }
	old, current := Kernel{Name: "5.10"}, Kernel{Name: "6.1"}
	s := Suite{Seconds: map[string]int{"slow": 20}}
	for _, tt := range []struct {
		runs []testRun
		want string
	}{
		{nil, ""},
		{[]testRun{run("a", 201)}, "6.1 a|5.10 a|"},
		{[]testRun{run("slow", 9), run("a", 20), run("b", 1)}, "6.1 slow a|5.10 slow a|6.1 b|5.10 b|"},
		{[]testRun{run("a", 1), run("slow", 11), run("b", 200)}, "6.1 slow|5.10 slow|6.1 b|5.10 b|6.1 a|5.10 a|"},
	} {
		var got strings.Builder
		for _, b := range s.boots([]Kernel{old, current}, tt.runs) {
			got.WriteString(b.kernel.Name)
			for _, r := range b.runs {
				got.WriteString(" " + r.name)
			}
			got.WriteString("|")
		}
		if got.String() != tt.want {
			t.Errorf("%v: %s, want %s", tt.runs, got.String(), tt.want)
		}
	}
}

// TestTurns: a guest has its turn when all before it have begun, or never will.
func TestTurns(t *testing.T) {
	guests := Suite{}.boots([]Kernel{{Name: "5.10"}, {Name: "6.1"}, {Name: "6.12"}}, []testRun{{name: "a", tests: []string{"TestGuestA"}}})
	hasTurn := func(b boot) bool {
		select {
		case <-b.turn:
			return true
		default:
			return false
		}
	}
	if !hasTurn(guests[0]) || hasTurn(guests[1]) {
		t.Error("not the first alone has its turn")
	}
	guests[1].began()
	guests[1].began()
	if hasTurn(guests[1]) {
		t.Error("the second has its turn before the first has begun")
	}
	guests[0].began()
	if !hasTurn(guests[1]) || !hasTurn(guests[2]) {
		t.Error("the others have no turn after those before them have begun")
	}
}

func TestExports(t *testing.T) {
	t.Setenv("DROPWATCH_TEST_EXPORTS", "it's set")
	command := exports([]string{"DROPWATCH_TEST_EXPORTS", "DROPWATCH_TEST_NOT_SET"})
	cmd := exec.Command("sh", "-c", command+`echo "$DROPWATCH_TEST_EXPORTS, ${DROPWATCH_TEST_NOT_SET-not set}"`)
	cmd.Env = []string{}
	if out, err := cmd.Output(); string(out) != "it's set, not set\n" || err != nil {
		t.Errorf("%s: the shell says %q, %v", command, out, err)
	}
}

// TestPackagesOfThisModule reads this module, in which each package with tests for guests
// must leave them out on the host.
func TestPackagesOfThisModule(t *testing.T) {
	packages, err := guestPackages("dropwatch")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string][]string)
	for _, p := range packages {
		names[p.name()] = p.tests
	}
	if !slices.Contains(names["netlink"], "TestGuestAlerts") || !slices.Contains(names["source.trace"], "TestGuestAsHere") {
		t.Errorf("found %q", names)
	}
}

func TestPackageThatRunsGuestTestsOnTheHost(t *testing.T) {
	dir := t.TempDir()
	const source = "package p\nfunc TestGuestX(t *testing.T) {}\n"
	if err := os.WriteFile(filepath.Join(dir, "x_test.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readPackage("m/p", dir, []string{"x_test.go"}); err == nil || !strings.Contains(err.Error(), "vmtest.Main(m)") {
		t.Errorf("error %v", err)
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
		SkipOrFail(t, err)
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
