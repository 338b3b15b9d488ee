package zoo

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"dropwatch/internal/vmtest/drops"
)

// tracking are losses by connection tracking.
var tracking = []Scenario{
	{
		"conntrack table full", tableFull,
		Want{
			IDs: id("conntrack.drop"), Class: "no_buffer", Severity: "harm", IfName: "far", Counter: "conntrack.drop",
			Setting: "net.netfilter.nf_conntrack_max", Cause: "table of tracked connections is full", Fix: "Raise nf_conntrack_max",
			NotFix: "llow the traffic",
		},
	},
	{
		"conntrack entry that clashes (insert_failed)", clash,
		Want{
			IDs: id("conntrack.insert_failed"), Class: "error", Severity: "harm", IfName: "far",
			Counter: "conntrack.insert_failed", Fix: "single-request-reopen", NotFix: "llow the traffic",
		},
	},
	{
		"segment out of conntrack's window, answered by our own RST", ownReset,
		Want{
			IDs: id("NO_SOCKET"), Class: "local", Severity: "harm", IfName: "far", Counter: "conntrack.invalid",
			Setting: "net.netfilter.nf_conntrack_tcp_be_liberal", Cause: "INVALID", Fix: "nf_conntrack_tcp_be_liberal",
			NotFix: "Start the service", Says: `"conntrack":{"state":"ESTABLISHED","nat":"destination NAT to 10.0.0.9:1","zone":5}`,
		},
	},
}

// tableFull has datagrams of new connections arrive, and room for one. The kernel removes that if it is in a bucket near
// that of a new one (early_drop): with many buckets it seldom is. They are dropped by nf_conntrack_in
// (net/netfilter/nf_conntrack_core.c).
func tableFull(ns *drops.Namespace, n int) func() {
	const room = 1
	peer := ns.Peer()
	chain(ns, "input", "policy accept", "ct state new counter")
	fd := ns.Socket(syscall.SOCK_DGRAM)
	ns.Do(func() error { return syscall.Bind(fd, here) })
	ns.HostSysctl("netfilter/nf_conntrack_buckets", "65536")
	ns.HostSysctl("netfilter/nf_conntrack_max", strconv.Itoa(room))
	from := func(first, n int) {
		arriveEach(peer, n, func(i int) []byte {
			b := drops.UDPHeader(0)
			b[1] = byte(first + i) // of the port
			return datagram("10.0.0.1", b)
		})
	}
	from(0, room+1)
	return func() { from(room+1, n) }
}

// clash has a connection whose answers are those of another one, which was translated.
func clash(ns *drops.Namespace, n int) func() {
	knownPeer(ns)
	ns.Run("ip", "addr", "add", "10.0.0.11/24", "dev", "far")
	chain(ns, "output", "policy accept", "ct state new accept")
	ns.Sysctl("netfilter/nf_conntrack_udp_timeout", "600") // however slow the machine is
	ns.Run("nft", "table ip nat { chain c { type nat hook postrouting priority 100; ip saddr 10.0.0.11 snat to 10.0.0.1; }; }")
	query := func(from byte, n int, want error) {
		fd := ns.Socket(syscall.SOCK_DGRAM)
		ns.Do(func() error {
			err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: 1000, Addr: [4]byte{10, 0, 0, from}})
			for range n {
				got := syscall.Sendto(fd, []byte("query"), 0, &syscall.SockaddrInet4{Port: 53, Addr: [4]byte{10, 0, 0, 2}})
				if got != want {
					err = errors.Join(err, fmt.Errorf("send from 10.0.0.%d: %v, want %v", from, got, want))
				}
			}
			return err
		})
	}
	query(11, 1, nil)
	ns.Run("nft", "delete table ip nat")
	return func() { query(1, n, syscall.EPERM) }
}

// ownReset has a connection, in a zone, to an address that is translated to that of another host,
// whose segments come that belong to no byte that may come.
func ownReset(ns *drops.Namespace, n int) func() {
	peer := silent(ns)
	ns.Run("ip", "route", "add", "10.9.0.0/16", "via", silentAddr)
	ns.Run("nft", "table ip raw { chain out { type filter hook output priority -300; ct zone set 5; };"+
		" chain in { type filter hook prerouting priority -300; ct zone set 5; }; }")
	ns.Run("nft", "table ip nat { chain c { type nat hook output priority -100; ip daddr 10.9.9.9 dnat to "+silentAddr+"; }; }")
	fd := ns.Socket(syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK)
	ns.Do(func() error { return errors.Join(startAt(fd, sent), syscall.Bind(fd, here)) })
	ns.Do(func() error {
		err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: 1, Addr: [4]byte{10, 9, 9, 9}})
		if err != syscall.EINPROGRESS {
			return err
		}
		return nil
	})
	peer.Inject("near", segment{port: 1, seq: received, ack: sent + 1, flags: synFlag | ackFlag}.frame(), 1)
	peer.Inject("near", segment{port: 1, seq: received + 1, ack: sent + 1, flags: ackFlag, data: []byte("x")}.frame(), 1)
	ns.Read(fd)
	data := segment{port: 1, seq: received + 1<<28, ack: sent + 1, flags: ackFlag, data: []byte("x")}.frame()
	return func() { peer.Inject("near", data, n) }
}

// startAt has a socket that is not connected begin with a sequence number (for repair_linux.go).
func startAt(fd int, seq int) error {
	set := func(option, value int) error { return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, option, value) }
	return errors.Join(set(repair, 1), set(queue, sendQueue), set(queueSeq, seq), set(repair, offWithoutProbe))
}
