package guest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// AtLeast reports whether the running kernel is of this version or newer.
func AtLeast(major, minor int) bool {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		panic(err) // a guest has /proc
	}
	var m, n int
	fmt.Sscanf(string(release), "%d.%d", &m, &n)
	return m > major || m == major && n >= minor
}

// Monitoring reports whether the drop monitor is on: it is then, and only
// then, in use.
func Monitoring() bool {
	users, err := os.ReadFile("/sys/module/drop_monitor/refcnt")
	return err == nil && strings.TrimSpace(string(users)) != "0"
}

// AwaitMonitoring waits until the drop monitor is on. A program's output does
// not tell: C programs keep theirs back while it goes to a pipe.
func AwaitMonitoring(t testing.TB) {
	t.Helper()
	Eventually(t, "the drop monitor is on", Monitoring)
	// It is in use from the beginning of the start command, which takes a
	// while to put its probes in; any other command has to wait for that.
	Run(t, "show\nexit\n", "/usr/bin/dropwatch")
}

// ResetMonitor puts the drop monitor back as it was when it was loaded, now
// and at the end of the test.
func ResetMonitor(t testing.TB) {
	t.Helper()
	reset := func() {
		// Without "set hw", the C program's stop leaves hardware drops on.
		const script = "set sw true\nset hw true\nstop\nset alertmode summary\nset trunc 0\nset queue 1000\nexit\n"
		if r := Run(t, script, "/usr/bin/dropwatch"); Monitoring() {
			t.Fatalf("resetting the drop monitor: it is still on:\n%s%s", r.Stdout, r.Stderr)
		}
	}
	reset()
	t.Cleanup(reset)
}
