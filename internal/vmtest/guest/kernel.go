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

// IsBetween reports whether the running kernel is neither the oldest nor the newest of the guests:
// there, tests leave out cases in which only programs differ.
func IsBetween() bool {
	return AtLeast(5, 11) && !AtLeast(7, 0)
}

// Monitoring reports whether the drop monitor is on: exactly then its module is in use.
func Monitoring() bool {
	users, err := os.ReadFile("/sys/module/drop_monitor/refcnt")
	return err == nil && strings.TrimSpace(string(users)) != "0"
}

// AwaitMonitoring waits until the drop monitor is on. The output of the program that starts it does not show
// that: C programs buffer their output when it goes to a pipe.
func AwaitMonitoring(t testing.TB) {
	t.Helper()
	Eventually(t, "the drop monitor is on", Monitoring)
	// The module is in use from the beginning of START, which takes a while. Any other command
	// waits until it is done.
	Run(t, "show\nexit\n", "/usr/bin/dropwatch")
}

// isReset is set while nothing has used the drop monitor since this process reset it.
var isReset bool

// ResetMonitor switches the drop monitor off and sets its defaults, now and at the end of the test. Every test
// that switches it on or sets it must call this before.
func ResetMonitor(t testing.TB) {
	t.Helper()
	resetMonitor(t)
	isReset = false
	t.Cleanup(func() { resetMonitor(t) })
}

// resetMonitor sets the drop monitor to what it is after boot, by the C program, so that a fault of this one cannot hide
// in it.
func resetMonitor(t testing.TB) {
	t.Helper()
	if isReset && !Monitoring() {
		return
	}
	// Without "set hw", the C program's stop leaves hardware drops on.
	const script = "set sw true\nset hw true\nstop\nset alertmode summary\nset trunc 0\nset queue 1000\nexit\n"
	if r := Run(t, script, "/usr/bin/dropwatch"); Monitoring() {
		t.Fatalf("resetting the drop monitor: it is still on:\n%s%s", r.Stdout, r.Stderr)
	}
	isReset = true
}

// Sysctl sets a file below /proc/sys. At the end of the test it restores the old value, because tests of other
// packages run later in the same guest.
func Sysctl(t testing.TB, name, value string) {
	t.Helper()
	name = "/proc/sys/" + name
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, value)
	t.Cleanup(func() { write(t, name, string(before)) })
}
