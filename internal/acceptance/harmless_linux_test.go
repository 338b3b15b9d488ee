package acceptance

import (
	"net"
	"testing"

	"dropwatch/internal/stage/harmless"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// TestGuestHarmless frees packets that are not lost, and some that are: under each
// source, those that lost nothing are in a sum of their own.
func TestGuestHarmless(t *testing.T) {
	const n = 34
	all := startWatches(t)
	ns := drops.NewNamespace(t)
	var free []func()
	var places []*drops.Namespace
	for i, f := range drops.FreeScenarios {
		places = append(places, ns.Another())
		free = append(free, f.PrepareIn(places[i], n))
	}
	before := all.settle(t)
	for i, f := range drops.FreeScenarios {
		t.Run(f.Name, func(t *testing.T) {
			free[i]()
			after := all.settle(t)
			wantFree(t, all, before, f, n, places[i].Counter("snmp", "Tcp", "RetransSegs"))
			before = after
		})
	}
	t.Run("own broadcast", func(t *testing.T) { watchBroadcast(t, all["netdm"]) })
	all.end(t)
}

// wantFree checks what each watch has shown after so many bytes of a scenario that was made n times, in which TCP
// sent so many segments again.
func wantFree(t *testing.T, all watches, before map[string]int, f drops.FreeScenario, n, again int) {
	t.Helper()
	for source, p := range all {
		lost, harmless := n*f.Lost, n*f.Harmless
		// Only trace has nothing of the socket, and only bpf what the kernel took the packet
		// for: the monitor's addresses are not those of this namespace.
		if source == "trace" && !f.Stack || source == "netdm" && f.Name[:3] == "own" {
			lost, harmless = lost+harmless, 0
		}
		wantFreed(t, source, since(t, p, before[source]), lost, harmless, again)
	}
}

// sentAgain reports whether a segment is one that TCP sent again, as the guest was slow:
// it comes for what had arrived, or for a connection that is closed.
func sentAgain(l *line) bool {
	return l.Symbol == "tcp_v4_rcv" && l.Reason == "NO_SOCKET" || l.Reason == "TCP_OLD_DATA"
}

// wantFreed checks how many of some drops lost something. Netlink messages, which are
// freed at any time, have no protocol. A FIN that was sent again is as harmless as the first.
func wantFreed(t *testing.T, source string, all []line, wantLost, wantHarmless, again int) {
	t.Helper()
	lost, harmless := 0, 0
	for _, l := range all {
		switch {
		case l.Harmless != nil:
			harmless += l.Count
		case l.Protocol == "ipv4" && !sentAgain(&l):
			lost += l.Count
		}
	}
	if lost != wantLost || harmless < wantHarmless || harmless > wantHarmless+again {
		t.Errorf("%s: %d lost and %d harmless, want %d and %d, %d sent again: %+v",
			source, lost, harmless, wantLost, wantHarmless, again, all)
	}
}

// watchBroadcast sends broadcasts from the monitor's own network namespace.
func watchBroadcast(t *testing.T, p *guest.Process) {
	const n = 5
	guest.Do(t, "ip", "link", "add", "d0", "type", "dummy")
	t.Cleanup(func() { guest.Do(t, "ip", "link", "del", "d0") })
	guest.Do(t, "ip", "addr", "add", "10.9.0.1/24", "brd", "+", "dev", "d0")
	guest.Do(t, "ip", "link", "set", "d0", "up")
	guest.Do(t, "ip", "route", "add", "default", "dev", "d0")
	watch := watches{"netdm": p}
	before := watch.settle(t)
	for _, to := range []string{"10.9.0.255:9", "255.255.255.255:9", "224.0.0.251:9"} {
		conn, err := net.Dial("udp4", to)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, err := conn.Write([]byte("anybody?")); err != nil {
				t.Error(err)
			}
		}
		conn.Close()
		after := watch.settle(t)
		all := since(t, p, before["netdm"])
		before = after
		if to[:3] == "224" { // which nobody has joined, so there is no copy
			wantFreed(t, "netdm", all, 0, 0, 0)
			continue
		}
		wantFreed(t, "netdm", all, 0, n, 0)
		for _, l := range all {
			if l.Harmless != nil && l.Harmless != harmless.OwnBroadcast {
				t.Errorf("harmless: %v", l.Harmless)
			}
		}
	}
}
