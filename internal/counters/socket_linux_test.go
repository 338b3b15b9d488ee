package counters_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/counters"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestDeafSockets: a packet, a raw and a netlink socket that nobody reads drop what their
// small buffers cannot hold.
func TestDeafSockets(t *testing.T) {
	vmtest.RequireRoot(t)
	deafSockets(t)
}

// TestGuestDeafSockets: packet_diag may be a module, which is loaded, and raw_diag may be missing.
func TestGuestDeafSockets(t *testing.T) { deafSockets(t) }

func deafSockets(t *testing.T) {
	ns := drops.NewNamespace(t)
	const all = 0x0300 // ETH_P_ALL in network byte order
	var packet, raw, link int
	ns.Do(func() (err error) {
		if packet, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		if raw, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP); err != nil {
			return err
		}
		if link, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE); err != nil {
			return err
		}
		for _, fd := range []int{packet, raw, link} {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 2304); err != nil {
				return err
			}
		}
		return unix.Bind(link, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK})
	})
	defer unix.Close(packet)
	defer unix.Close(raw)
	defer unix.Close(link)
	got := changes(t, ns, func() {
		sendUDP(t, ns, 30, 9)
		inNamespace(t, ns, strings.Repeat("ip link set lo mtu 1500\nip link set lo mtu 1600\n", 5))
	}, counters.Socket)
	var lost, copies, told, full uint64
	for name, c := range got {
		switch {
		case strings.HasPrefix(name, "packet protocol 0x0003 ") && c.Name == "capture_drops":
			lost = c.Delta
		case strings.HasPrefix(name, "packet protocol 0x0003 ") && c.Name == "receive_buffer":
			full = c.Value * 100 / c.Limit
		case strings.HasPrefix(name, "raw 0.0.0.0:17 ") && c.Name == "drops":
			copies = c.Delta
		case strings.HasPrefix(name, "netlink rtnl:") && c.Name == "netlink_drops":
			told = c.Delta
		}
	}
	if lost == 0 || full < 50 || copies == 0 || told == 0 {
		t.Errorf("the packet socket lost %d and is full to %d %%, the raw socket lost %d, the netlink socket %d: %v",
			lost, full, copies, told, got)
	}
}
