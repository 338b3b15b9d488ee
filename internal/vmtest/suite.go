package vmtest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	guestTests  = "^TestGuest" // the tests that run inside
	bootTimeout = 15 * time.Minute
)

// atOnce is how many guests run at the same time, of all test processes: two
// keep two cores busy, and a third makes all of them miss their time limits.
const atOnce = 2

// takeSlot waits until fewer than atOnce guests run, by locks in the cache that
// end with their process at the latest, and gives what frees the slot.
func takeSlot(ctx context.Context) (free func(), err error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	for ; ; time.Sleep(100 * time.Millisecond) {
		for i := range atOnce {
			f, err := os.OpenFile(filepath.Join(cache, fmt.Sprintf("slot%d", i)), os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				return nil, fmt.Errorf("waiting for other guests: %w", err)
			}
			if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				return func() { f.Close() }, nil
			}
			f.Close()
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// A Suite runs the TestGuest functions of the package under test in a guest of
// every kernel, and reports each as a subtest.
type Suite struct {
	// Programs are built and put in the guest: guest's path -> package.
	Programs map[string]string
	// Files are put in the guest too: guest's path -> host's path.
	Files map[string]string
	// Check, if not nil, looks on the host at what the tests left in /out.
	Check func(t *testing.T, k Kernel, out string)
	// Skips are the tests that may skip, each with the kernels and the reason.
	// All others must run everywhere: a skip that nobody expected is a failure.
	Skips map[string]Skip
}

// A Skip says on which kernels a test cannot run.
type Skip struct {
	Kernel func(k Kernel) bool
	Reason string
}

// Main is for TestMain of a package with a [Suite]: on the host it leaves out
// the TestGuest functions, and in a guest it runs what it is told to.
func Main(m *testing.M) {
	flag.Parse()
	if !InGuest() {
		skip := flag.Lookup("test.skip").Value
		if err := skip.Set(strings.TrimSuffix(guestTests+"|"+skip.String(), "|")); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// InGuest reports whether this process runs in a guest.
func InGuest() bool {
	return os.Getenv("DROPWATCH_GUEST") == "1"
}

// Need returns the kernels to test on. Where there are none it ends the test, as
// [Without] does.
func Need(t testing.TB) []Kernel {
	t.Helper()
	kernels, err := Kernels()
	if err == nil {
		_, err = exec.LookPath("qemu-system-x86_64")
	}
	if err != nil {
		Without(t, err)
	}
	return kernels
}

// Without ends a test that something is missing for: as skipped, or as failed if
// DROPWATCH_REQUIRE_ALL is 1.
func Without(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("DROPWATCH_REQUIRE_ALL") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// Run builds the test binary and the programs, then boots each kernel.
func (s Suite) Run(t *testing.T) {
	kernels := Need(t)
	files, err := s.build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kernels {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			free, err := takeSlot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer free()
			s.runOn(t, k, files)
		})
	}
}

// build makes the binaries and returns all files for the guest.
func (s Suite) build(dir string) (map[string]string, error) {
	files := map[string]string{"/guest.test": filepath.Join(dir, "guest.test")}
	if err := goTool("test", "-c", "-o", files["/guest.test"], "."); err != nil {
		return nil, err
	}
	for guest, pkg := range s.Programs {
		files[guest] = filepath.Join(dir, filepath.Base(guest))
		if err := goTool("build", "-o", files[guest], pkg); err != nil {
			return nil, err
		}
	}
	for guest, host := range s.Files {
		files[guest] = host
	}
	return files, nil
}

// goTool runs the go command for the guest: nothing there but the kernel.
func goTool(args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (s Suite) runOn(t *testing.T, k Kernel, files map[string]string) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), bootTimeout,
		fmt.Errorf("not done after %v", bootTimeout))
	defer cancel()
	var output strings.Builder
	g := Guest{
		Kernel:  k,
		Command: "/guest.test -test.v -test.run '" + guestPattern() + "'",
		Files:   files,
		Output:  &output,
		Out:     t.TempDir(),
	}
	status, err := g.Run(ctx)
	results := parseResults(output.String())
	for _, r := range results {
		t.Run(r.name, func(t *testing.T) { s.report(t, k, r) })
	}
	switch {
	case err != nil:
		t.Errorf("%v\noutput:\n%s", err, output.String())
	case len(results) == 0 || (status != 0 && !t.Failed()):
		t.Errorf("the tests in the guest: exit status %d:\n%s", status, output.String())
	case s.Check != nil && guestPattern() == guestTests:
		s.Check(t, k, g.Out)
	}
}

// report makes a guest's result the result of t.
func (s Suite) report(t *testing.T, k Kernel, r result) {
	skip, known := s.Skips[r.name]
	switch {
	case r.verdict == "PASS":
		if r.output != "" {
			t.Log(r.output)
		}
	case r.verdict == "SKIP" && known && skip.Kernel(k):
		t.Skip(skip.Reason)
	case r.verdict == "SKIP":
		t.Errorf("it skipped, which nobody expects on %s:\n%s", k.Name, r.output)
	default:
		t.Error(r.output)
	}
}

// guestPattern is what to run inside: with -run 'TestKernels/6.1/TestGuestX'
// only that test, else all of them.
func guestPattern() string {
	_, rest, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	if _, pattern, ok := strings.Cut(rest, "/"); ok {
		return pattern
	}
	return guestTests
}
