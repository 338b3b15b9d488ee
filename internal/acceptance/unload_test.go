package acceptance

import (
	"strings"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// unload unloads the drop monitor, which is loaded again at the end of the test at the latest.
func unload(t *testing.T) {
	t.Helper()
	guest.Do(t, "modprobe", "-r", "drop_monitor")
	t.Cleanup(func() { guest.Do(t, "modprobe", "drop_monitor") })
}

// openSession opens a terminal with a session that has set a value of the drop monitor.
func openSession(t *testing.T) *terminal {
	t.Helper()
	guest.ResetMonitor(t)
	s := openTerminal(t, "-l", "kas")
	s.expect("dropwatch> ")
	s.enter("set trunc 99")
	s.expect("Truncation length successfully set")
	s.expect("dropwatch> ")
	return s
}

// TestGuestUnloadedModule: a session whose module is unloaded sets everything again, and says so.
func TestGuestUnloadedModule(t *testing.T) {
	s := openSession(t)
	unload(t)
	s.enter("set alertmode packet")
	s.expect("the module drop_monitor was unloaded: it is loaded again, and set to mode summary, truncation 99, queue 1000 again")
	s.expect("Alert mode successfully set")
	const want = "Alert mode: Packet\nTruncation length: 99\nQueue length: 1000\n"
	if r := guest.Run(t, "show\nexit\n", oracle); !strings.Contains(r.Stdout, want) {
		t.Errorf("it is set to\n%s", r.Stdout)
	}
	s.expect("dropwatch> ")
	s.enter("start")
	s.expect("Issue Ctrl-C to stop monitoring")
	guest.Flood(t, 1)
	s.expect("drop at: ")
	s.press("\x03")
	s.expect("Got a stop message")
	s.expect("dropwatch> ")
	s.enter("exit")
	s.wait()
	asFound(t)
}

// TestGuestUnloadedModuleThatStaysAway: what cannot be set is an error.
func TestGuestUnloadedModuleThatStaysAway(t *testing.T) {
	s := openSession(t)
	guest.Sysctl(t, "kernel/modprobe", "/nonexistent")
	unload(t)
	s.enter("set alertmode packet")
	s.expect("dropwatch: ")
	s.expect("NET_DM")
	s.expect("dropwatch> ")
	if strings.Contains(s.written(), "Alert mode successfully set") {
		t.Error("it says that it is set")
	}
	s.enter("exit")
	s.wait()
}

// TestGuestUnloadedModuleAtTheEnd: there is nothing to restore, which is no failure.
func TestGuestUnloadedModuleAtTheEnd(t *testing.T) {
	s := openSession(t)
	unload(t)
	s.enter("exit")
	s.wait()
	asFound(t)
}
