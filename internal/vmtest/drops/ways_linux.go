package drops

import (
	"errors"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// Port is one that nobody listens on who was not told to.
const Port = 9

// A Way is a way in which the kernel loses packets.
type Way struct {
	Name    string
	Silent  bool   // the kernel frees them as if all were well, so that no event tells
	Iface   string // that they came in by; empty if they were sent and have none yet
	First   Header // that they have
	Owner   Party
	prepare func(ns *Namespace, n int) (drop func())
	reasons []since
}

// A Header is the first that a packet has when it is dropped.
type Header int

// The headers, from the outermost: what is sent has no MAC header before it has
// an interface, and TCP's has none of IP before it has a route.
const (
	MAC Header = iota
	IP
	Transport
)

// A Party is whose socket the kernel has at hand when it drops a packet.
type Party int

// The parties.
const (
	Nobody Party = iota
	Sender
	Receiver // which it tells since 6.11
)

// since is the reason that the kernel gives since a version.
type since struct {
	major, minor int
	reason       string
}

// Ways are all of them.
var Ways = []Way{
	{Name: "UDP to a closed port", Iface: "lo", prepare: closedPort, reasons: []since{{5, 17, "NO_SOCKET"}}},
	{Name: "full receive buffer", Iface: "lo", Owner: Receiver, prepare: fullBuffer, reasons: []since{{5, 18, "SOCKET_RCVBUFF"}}},
	{Name: "OUTPUT firewall", First: IP, Owner: Sender, prepare: firewall("output"), reasons: []since{{5, 18, "NETFILTER_DROP"}}},
	{Name: "INPUT firewall", Iface: "lo", prepare: firewall("input"), reasons: []since{{5, 18, "NETFILTER_DROP"}}},
	{Name: "rp_filter", Iface: "far", prepare: reversePath, reasons: []since{{5, 18, "IP_RPFILTER"}}},
	{
		Name: "forwarding without a route", Iface: "far", reasons: []since{{5, 18, "IP_INNOROUTES"}},
		prepare: through(ipv4{src: "10.0.0.2", dst: "192.0.2.1", transport: syscall.IPPROTO_UDP, payload: udpHeader(0)}),
	},
	{
		Name: "sending without a route", First: Transport, Owner: Sender, reasons: []since{{5, 18, "IP_OUTNOROUTES"}},
		prepare: lostRoute,
	},
	{
		Name: "wrong UDP checksum", Iface: "far", reasons: []since{{5, 17, "UDP_CSUM"}},
		prepare: through(ipv4{src: "10.0.0.2", dst: "10.0.0.1", transport: syscall.IPPROTO_UDP, payload: udpHeader(0xbaad)}),
	},
	{
		Name: "wrong TCP checksum", Iface: "far", reasons: []since{{5, 17, "TCP_CSUM"}},
		prepare: through(ipv4{src: "10.0.0.2", dst: "10.0.0.1", transport: syscall.IPPROTO_TCP, payload: badSYN()}),
	},
	{
		Name: "TTL expired", Iface: "far", reasons: []since{{5, 18, "IP_INHDR"}},
		prepare: through(ipv4{src: "10.0.0.2", dst: "10.0.0.3", ttl: 1, transport: syscall.IPPROTO_UDP, payload: udpHeader(0)}),
	},
	{Name: "SYN to a full accept queue", Silent: true, prepare: fullQueue},
	{
		Name: "end of a handshake with a full accept queue", Iface: "lo", Owner: Receiver, reasons: []since{{6, 15, "TCP_LISTEN_OVERFLOW"}},
		prepare: fullQueueLate,
	},
}

// Prepare makes a [Namespace] in which drop loses exactly n packets, which it
// has when it returns.
func (w Way) Prepare(t testing.TB, n int) (drop func()) {
	t.Helper()
	return w.PrepareIn(NewNamespace(t), n)
}

// PrepareIn is [Way.Prepare] in a namespace that is there and that nothing else
// was prepared in.
func (w Way) PrepareIn(ns *Namespace, n int) (drop func()) {
	ns.t.Helper()
	return w.prepare(ns, n)
}

// Reason is what this kernel says why the packets are lost: nothing before 5.17.
func (w Way) Reason() string {
	for _, s := range w.reasons {
		if guest.AtLeast(s.major, s.minor) {
			return s.reason
		}
	}
	if guest.AtLeast(5, 17) {
		return "NOT_SPECIFIED"
	}
	return ""
}

func closedPort(ns *Namespace, n int) func() {
	return func() { ns.sendUDP(n) }
}

// fullBuffer has a socket that nobody reads.
func fullBuffer(ns *Namespace, n int) func() {
	fd := ns.listen(syscall.SOCK_DGRAM)
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) }) // the least there is
	ns.sendUDP(100)
	return func() { ns.sendUDP(n) }
}

// firewall drops at a hook of netfilter.
func firewall(hook string) func(*Namespace, int) func() {
	return func(ns *Namespace, n int) func() {
		ns.run("nft", "add table ip t; add chain ip t c { type filter hook "+hook+" priority 0; }; add rule ip t c udp dport 9 drop")
		return func() { ns.sendUDP(n) }
	}
}

// through sends a packet over a wire.
func through(p ipv4) func(*Namespace, int) func() {
	return func(ns *Namespace, n int) func() {
		ns.wire()
		return func() { ns.Do(func() error { return inject("near", p.frame(), n) }) }
	}
}

// reversePath has packets come in where their answers would not go out.
func reversePath(ns *Namespace, n int) func() {
	drop := through(ipv4{src: "192.0.2.1", dst: "10.0.0.1", transport: syscall.IPPROTO_UDP, payload: udpHeader(0)})(ns, n)
	ns.sysctl("ipv4/conf/far/rp_filter", "1")
	return drop
}

// lostRoute has a connection whose addresses go away.
func lostRoute(ns *Namespace, n int) func() {
	ns.listen(syscall.SOCK_STREAM)
	fd := ns.dial()
	ns.run("ip", "addr", "flush", "dev", "lo")
	return func() {
		for range n {
			ns.write(fd)
		}
		ns.Do(func() error { return abandon(fd) })
	}
}

// abandon closes a TCP socket that sends nothing more, not even again what was
// lost: as if it were to be repaired elsewhere (include/uapi/linux/tcp.h). Its
// number stays taken.
func abandon(fd int) error {
	const repair, on = 19, 1 // TCP_REPAIR, TCP_REPAIR_ON
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(null)
	err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, repair, on)
	return errors.Join(err, syscall.Dup3(null, fd, syscall.O_CLOEXEC))
}

// fullQueue has a socket that accepts nobody, and one who waits for it.
func fullQueue(ns *Namespace, n int) func() {
	ns.listen(syscall.SOCK_STREAM)
	ns.dial()
	return func() {
		for range n {
			ns.dial()
		}
	}
}

// fullQueueLate has connections whose handshake ends with their first data, of
// which only one is accepted.
func fullQueueLate(ns *Namespace, n int) func() {
	listener := ns.listen(syscall.SOCK_STREAM)
	ns.Do(func() error {
		err := syscall.SetsockoptInt(listener, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 60)
		return errors.Join(err, syscall.Listen(listener, n+1))
	})
	first, late := ns.dial(), make([]int, n)
	for i := range late {
		late[i] = ns.dial()
	}
	ns.write(first)
	ns.Do(func() error { return syscall.Listen(listener, 0) })
	return func() {
		for _, fd := range late {
			ns.write(fd)
		}
	}
}

var closed = &syscall.SockaddrInet4{Port: Port, Addr: [4]byte{127, 0, 0, 1}}

// socket opens a socket, which is closed at the end of the test.
func (ns *Namespace) socket(kind int) (fd int) {
	ns.t.Helper()
	ns.Do(func() (err error) {
		fd, err = syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
		return err
	})
	ns.t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

// listen opens a socket at Port, where one connection may wait.
func (ns *Namespace) listen(kind int) (fd int) {
	ns.t.Helper()
	fd = ns.socket(kind)
	ns.Do(func() error {
		err := syscall.Bind(fd, closed)
		if err == nil && kind == syscall.SOCK_STREAM {
			err = syscall.Listen(fd, 0)
		}
		return err
	})
	return fd
}

// dial begins to connect to Port.
func (ns *Namespace) dial() (fd int) {
	ns.t.Helper()
	fd = ns.socket(syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK)
	ns.Do(func() error {
		if err := syscall.Connect(fd, closed); !errors.Is(err, syscall.EINPROGRESS) {
			return err
		}
		return nil
	})
	return fd
}

// write sends a segment of its own on a connection.
func (ns *Namespace) write(fd int) {
	ns.t.Helper()
	ns.Do(func() error {
		_, err := syscall.Write(fd, []byte("x"))
		return err
	})
}

// sendUDP sends datagrams to Port, which a firewall may refuse.
func (ns *Namespace) sendUDP(n int) {
	ns.t.Helper()
	fd := ns.socket(syscall.SOCK_DGRAM)
	ns.Do(func() error {
		for range n {
			if err := syscall.Sendto(fd, make([]byte, 100), 0, closed); err != nil && !errors.Is(err, syscall.EPERM) {
				return err
			}
		}
		return nil
	})
}
