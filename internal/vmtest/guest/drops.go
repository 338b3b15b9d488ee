package guest

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// ClosedPort is a UDP port without a listener.
const ClosedPort = 9

// Flood sends n datagrams to [ClosedPort], of which the kernel drops exactly n (reason NO_SOCKET). It waits
// until the kernel has counted them.
func Flood(t testing.TB, n int) {
	t.Helper()
	before := noPorts(t)
	send(t, n)
	Eventually(t, "the kernel has counted all datagrams to no port", func() bool { return noPorts(t)-before >= n })
	if got := noPorts(t) - before; got != n {
		t.Fatalf("flooding: the kernel counts %d datagrams to no port, not %d", got, n)
	}
}

// send sends n datagrams to [ClosedPort], and returns how many the kernel refused.
func send(t testing.TB, n int) (failed int) {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: ClosedPort}
	for i := range n {
		if _, err := fmt.Fprintf(writerTo{c, to}, "dropwatch test %d", i); err != nil {
			failed++
		}
	}
	return failed
}

// writerTo writes datagrams to one address.
type writerTo struct {
	c  net.PacketConn
	to net.Addr
}

// Write sends a datagram.
func (w writerTo) Write(p []byte) (int, error) {
	return w.c.WriteTo(p, w.to)
}

// noPorts returns how many UDP datagrams found no socket since the boot.
func noPorts(t testing.TB) int {
	t.Helper()
	snmp, err := os.ReadFile("/proc/thread-self/net/snmp")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(snmp)) {
		if strings.HasPrefix(line, "Udp:") {
			rows = append(rows, strings.Fields(line))
		}
	}
	for i, name := range rows[0] {
		if name == "NoPorts" {
			n, err := strconv.Atoi(rows[1][i])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("reading /proc/net/snmp: no Udp NoPorts")
	return 0
}

// FloodOutput sends n datagrams that a netfilter rule drops on OUTPUT. Packet mode does not report such
// drops, as the packets have no MAC header yet.
func FloodOutput(t testing.TB, n int) {
	t.Helper()
	Do(t, "nft", "add table ip vmtest; "+
		"add chain ip vmtest out { type filter hook output priority 0; }; "+
		"add rule ip vmtest out udp dport "+strconv.Itoa(ClosedPort)+" drop")
	defer Do(t, "nft", "delete table ip vmtest")
	if failed := send(t, n); failed != n {
		t.Fatalf("flooding the output: %d of %d datagrams were refused", failed, n)
	}
}

// HardwareDrops starts a simulated switch (netdevsim) that reports drops by hardware, ten a second for each
// trap, until the test ends. The traps are "blackhole_route" of the group l3_drops, and two that are on by
// default: "fid_miss" of l2_drops and "ttl_value_is_too_small" of l3_exceptions.
func HardwareDrops(t testing.TB) {
	t.Helper()
	Do(t, "modprobe", "netdevsim")
	write(t, "/sys/bus/netdevsim/new_device", "10 1")
	t.Cleanup(func() { write(t, "/sys/bus/netdevsim/del_device", "10") })
	const ports = "/sys/bus/netdevsim/devices/netdevsim10/net"
	var port string
	Eventually(t, "the switch has a port", func() bool {
		entries, _ := os.ReadDir(ports)
		if len(entries) > 0 {
			port = entries[0].Name()
		}
		return port != ""
	})
	Do(t, "ip", "link", "set", port, "up")
	Do(t, "devlink", "trap", "set", "netdevsim/netdevsim10", "trap", "blackhole_route", "action", "trap")
}

// write writes a file of /proc or /sys, or fails the test.
func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}
