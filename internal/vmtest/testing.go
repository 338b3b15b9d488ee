package vmtest

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Main is for TestMain of a package with TestGuest functions. On the host it skips them; in a guest it runs
// the tests that -test.run selects.
func Main(m *testing.M) {
	flag.Parse()
	if !InGuest() {
		skip := flag.Lookup("test.skip").Value
		if err := skip.Set(strings.TrimSuffix("^"+guestPrefix+"|"+skip.String(), "|")); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// InGuest reports whether this process runs in a guest.
func InGuest() bool {
	return os.Getenv("DROPWATCH_GUEST") == "1"
}

// errNotRequested is why tests boot no kernel by default.
var errNotRequested = errors.New("no kernel is booted: set DROPWATCH_GUESTS=1, or run make guest")

// RequireKernels returns the kernels to test on. If none can be booted, or DROPWATCH_GUESTS
// is not 1, it ends the test as [SkipOrFail] does.
func RequireKernels(t testing.TB) []Kernel {
	t.Helper()
	if os.Getenv("DROPWATCH_GUESTS") != "1" {
		SkipOrFail(t, errNotRequested)
	}
	kernels, err := Kernels()
	if err == nil {
		_, err = exec.LookPath("qemu-system-x86_64")
	}
	if err != nil {
		SkipOrFail(t, err)
	}
	return kernels
}

// SkipOrFail ends a test that cannot run because of err: as skipped, or as failed if
// DROPWATCH_REQUIRE_ALL is 1.
func SkipOrFail(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("DROPWATCH_REQUIRE_ALL") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// RequireRoot ends a test without root as [SkipOrFail] does. It is for tests that change or
// trace this kernel. With -short it skips them, as they are slow.
func RequireRoot(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out the tests that need root")
	}
	if os.Geteuid() != 0 {
		SkipOrFail(t, errors.New("it needs root"))
	}
}
