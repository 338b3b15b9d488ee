package zoo

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"dropwatch/internal/vmtest/drops"
)

// resent are segments that TCP sends again: lost on this host, and beyond it.
var resent = []Scenario{
	{
		"TCP SYNs that a firewall here drops, sent again", lostHere,
		ruled("INPUT", "lo").by("exactly", "tcp flags").saying(`"sent_again":[{"peer":"127.0.0.1","segments":7}]`).follows(),
	},
	{
		"TCP SYNs lost beyond this host, sent again", lostBeyond,
		Want{
			IDs: id("retransmissions"), Class: "error", Severity: "maybe", Times: 2, Counter: "TcpRetransSegs",
			Cause: "peers did not answer", Says: `"peers":[{"peer":"10.0.2.2","beyond":14,"handshakes":14`,
			Fix: "peers are up", Elsewhere: notAnswered,
		},
	},
}

// follows returns the Want with the counters of what is sent again.
func (w Want) follows() Want {
	w.Elsewhere = notAnswered
	return w
}

// traces is a command that succeeds where what TCP sends again can be traced by BPF.
const traces = "test -e /sys/kernel/btf/vmlinux"

// lostHere has a rule that drops SYNs, and then one before it that lets pass those that are sent again.
func lostHere(ns *drops.Namespace, n int) func() {
	if !ns.Has(traces) {
		return nil
	}
	fd := ns.Socket(syscall.SOCK_STREAM)
	addr := netip.MustParseAddr("127.0.0.1")
	ns.Do(func() error { return errors.Join(syscall.Bind(fd, endpoint(addr)), syscall.Listen(fd, 100)) })
	chain(ns, "input", "policy accept", "tcp flags syn counter drop")
	return func() { connect(ns, addr, n, func() { ns.Run("nft", "insert rule ip t c tcp flags syn accept") }) }
}

// lostBeyond sends to a tun device, which takes what it gets: nobody answers. Time passes first, so that it is known
// that no SYN was sent before the diagnosis began.
func lostBeyond(ns *drops.Namespace, n int) func() {
	if !ns.Has(traces) {
		return nil
	}
	tunDevice(ns)
	return func() {
		time.Sleep(2500 * time.Millisecond)
		connect(ns, netip.MustParseAddr("10.0.2.2"), 2*n, func() {})
	}
}

// connect begins n connections to [drops.Port] of a host, calls begun, and gives them up when each SYN was sent again.
func connect(ns *drops.Namespace, to netip.Addr, n int, begun func()) {
	again := func() int { return ns.Counter("snmp", "Tcp", "RetransSegs") }
	end := again() + n
	var fds []int
	for range n {
		fd := ns.Socket(syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK)
		fds = append(fds, fd)
		ns.Do(func() error {
			if err := syscall.Connect(fd, endpoint(to)); !errors.Is(err, syscall.EINPROGRESS) {
				return err
			}
			return nil
		})
	}
	begun()
	ns.Await("SYNs are sent again", func() bool { return again() >= end })
	ns.Do(func() (err error) {
		for _, fd := range fds {
			err = errors.Join(err, ns.Close(fd))
		}
		return err
	})
}

// endpoint is the port of all scenarios at an IPv4 address.
func endpoint(a netip.Addr) *syscall.SockaddrInet4 {
	return &syscall.SockaddrInet4{Port: drops.Port, Addr: a.As4()}
}
