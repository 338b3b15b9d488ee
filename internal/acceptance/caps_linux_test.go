package acceptance

import (
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// TestGuestCapabilities: an error names each missing capability. Without
// CAP_NET_ADMIN a session uses source bpf.
func TestGuestCapabilities(t *testing.T) {
	guest.ResetMonitor(t)
	const netAdmin, sysAdmin, sysResource, syslog = 12, 21, 24, 34
	r := runAs(t, "show\nstats\nexit\n", nil)
	if r.Code != 0 || !strings.Contains(r.Stdout, "Alert mode: Summary\n") {
		t.Errorf("show without capabilities: %+v", r)
	}
	r = runAs(t, "set trunc 5\n", []uintptr{sysAdmin})
	if r.Code != 1 || !strings.Contains(r.Stderr, "CAP_NET_ADMIN") {
		t.Errorf("set without CAP_NET_ADMIN: %+v", r)
	}
	p := startAs(t, "start\nexit\n", []uintptr{sysAdmin, sysResource})
	p.AwaitOutput("Issue Ctrl-C", 1)
	r = p.Interrupt()
	why := strings.Contains(r.Stderr, "using source bpf (unavailable: netdm: ") && strings.Contains(r.Stderr, "CAP_NET_ADMIN")
	if r.Code != 0 || !why {
		t.Errorf("start without CAP_NET_ADMIN: %+v", r)
	}
	r = runAs(t, "start\n", []uintptr{netAdmin})
	if r.Code != 1 || r.Stderr != "dropwatch: root needed: try sudo dropwatch\n" {
		t.Errorf("start without CAP_SYS_ADMIN: %+v", r)
	}
	if guest.Monitoring() {
		t.Error("monitoring was left on")
	}
	p = startAs(t, "start\nexit\n", []uintptr{netAdmin, sysAdmin, syslog})
	p.AwaitOutput("Issue Ctrl-C", 1)
	guest.Flood(t, 2)
	p.AwaitOutput(`drops at .*udp`, 1)
	if r := p.Interrupt(); r.Code != 0 || r.Stderr != "" {
		t.Errorf("with all three: %+v", r)
	}
}

// startAs starts dropwatch as the user nobody with these capabilities.
func startAs(t *testing.T, script string, caps []uintptr) *guest.Process {
	return guest.StartAs(t, &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: caps,
	}, script, dropwatchPath)
}

func runAs(t *testing.T, script string, caps []uintptr) guest.Result {
	t.Helper()
	return startAs(t, script, caps).Wait()
}
