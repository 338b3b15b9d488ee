package drops

import (
	"errors"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// Port has no listener unless a scenario needs one.
const Port = 9

// A Scenario makes the kernel drop packets.
type Scenario struct {
	Name    string // for the name of a subtest
	Silent  bool   // the kernel frees the packets as if they had been delivered: there is no event
	Iface   string // through which they came in; empty if they are sent and have none yet
	First   Header // the first header that they have
	Owner   Party  // of the socket that the kernel names
	prepare func(ns *Namespace, n int) (drop func())
	reasons []since // newest first
}

// A Header is the first header that a packet has when it is dropped.
type Header int

// The headers, outermost first. A packet that is sent has no MAC header before it has an interface, and one of
// TCP has no IP header before it has a route.
const (
	MAC Header = iota
	IP
	Transport
)

// A Party is the owner of the socket that the kernel knows when it drops a packet.
type Party int

// The parties.
const (
	Nobody Party = iota
	Sender
	Receiver // which the kernel names since 6.11
)

// A since is the reason that the kernel states since a version.
type since struct {
	major, minor int
	reason       string
}

// Scenarios are all scenarios.
var Scenarios = []Scenario{
	{Name: "UDP to a closed port", Iface: "lo", prepare: closedPort, reasons: []since{{5, 17, "NO_SOCKET"}}},
	{Name: "full receive buffer", Iface: "lo", Owner: Receiver, prepare: fullBuffer, reasons: []since{{5, 18, "SOCKET_RCVBUFF"}}},
	{Name: "OUTPUT firewall", First: IP, Owner: Sender, prepare: firewall("output"), reasons: []since{{5, 18, "NETFILTER_DROP"}}},
	{Name: "INPUT firewall", Iface: "lo", prepare: firewall("input"), reasons: []since{{5, 18, "NETFILTER_DROP"}}},
	{Name: "rp_filter", Iface: "far", prepare: reversePath, reasons: []since{{5, 18, "IP_RPFILTER"}}},
	{
		Name: "forwarding without a route", Iface: "far", reasons: []since{{5, 18, "IP_INNOROUTES"}},
		prepare: through(IPv4{Src: "10.0.0.2", Dst: "192.0.2.1", Protocol: syscall.IPPROTO_UDP, Payload: UDPHeader(0)}),
	},
	{
		Name: "sending without a route", First: Transport, Owner: Sender, reasons: []since{{5, 18, "IP_OUTNOROUTES"}},
		prepare: lostRoute,
	},
	{
		Name: "wrong UDP checksum", Iface: "far", reasons: []since{{5, 17, "UDP_CSUM"}},
		prepare: through(IPv4{Src: "10.0.0.2", Dst: "10.0.0.1", Protocol: syscall.IPPROTO_UDP, Payload: UDPHeader(0xbaad)}),
	},
	{
		Name: "wrong TCP checksum", Iface: "far", reasons: []since{{5, 17, "TCP_CSUM"}},
		prepare: through(IPv4{Src: "10.0.0.2", Dst: "10.0.0.1", Protocol: syscall.IPPROTO_TCP, Payload: BadSYN()}),
	},
	{
		Name: "TTL expired", Iface: "far", reasons: []since{{5, 18, "IP_INHDR"}},
		prepare: through(IPv4{Src: "10.0.0.2", Dst: "10.0.0.3", TTL: 1, Protocol: syscall.IPPROTO_UDP, Payload: UDPHeader(0)}),
	},
	{Name: "SYN to a full accept queue", Silent: true, prepare: fullQueue},
	{
		Name: "end of a handshake with a full accept queue", Iface: "lo", Owner: Receiver, reasons: []since{{6, 15, "TCP_LISTEN_OVERFLOW"}},
		prepare: fullQueueLate,
	},
}

// Named returns the scenario with a name.
func Named(name string) Scenario {
	for _, w := range Scenarios {
		if w.Name == name {
			return w
		}
	}
	panic("no scenario " + name)
}

// Prepare makes a [Namespace] in which drop makes the kernel drop exactly n packets; it has done so when drop returns.
func (w Scenario) Prepare(t testing.TB, n int) (drop func()) {
	t.Helper()
	return w.PrepareIn(NewNamespace(t), n)
}

// PrepareIn is [Scenario.Prepare] in an existing namespace, in which nothing else was prepared.
func (w Scenario) PrepareIn(ns *Namespace, n int) (drop func()) {
	ns.t.Helper()
	return w.prepare(ns, n)
}

// Reason returns the drop reason that this kernel states: none before 5.17.
func (w Scenario) Reason() string {
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

// closedPort sends datagrams to a port on which no socket listens.
func closedPort(ns *Namespace, n int) func() {
	return func() { ns.SendUDP(n) }
}

// fullBuffer has a socket that nobody reads.
func fullBuffer(ns *Namespace, n int) func() {
	fd := ns.Listen(syscall.SOCK_DGRAM)
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) }) // the least there is
	ns.SendUDP(100)
	return func() { ns.SendUDP(n) }
}

// firewall drops at a hook of netfilter.
func firewall(hook string) func(*Namespace, int) func() {
	return func(ns *Namespace, n int) func() {
		ns.Run("nft", "add table ip t; add chain ip t c { type filter hook "+hook+" priority 0; }; add rule ip t c udp dport 9 drop")
		return func() { ns.SendUDP(n) }
	}
}

// through sends a packet over a wire.
func through(p IPv4) func(*Namespace, int) func() {
	return func(ns *Namespace, n int) func() {
		ns.Wire()
		return func() { ns.Inject("near", p.Frame(), n) }
	}
}

// reversePath has packets come in where their answers would not go out.
func reversePath(ns *Namespace, n int) func() {
	drop := through(IPv4{Src: "192.0.2.1", Dst: "10.0.0.1", Protocol: syscall.IPPROTO_UDP, Payload: UDPHeader(0)})(ns, n)
	ns.Sysctl("ipv4/conf/far/rp_filter", "1")
	return drop
}

// lostRoute has a connection whose addresses go away.
func lostRoute(ns *Namespace, n int) func() {
	ns.Listen(syscall.SOCK_STREAM)
	fd := ns.Dial()
	ns.Run("ip", "addr", "flush", "dev", "lo")
	return func() {
		for range n {
			ns.Write(fd)
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

// fullQueue has a socket that accepts no connection, and one connection waiting.
func fullQueue(ns *Namespace, n int) func() {
	ns.Listen(syscall.SOCK_STREAM)
	ns.Dial()
	return func() {
		for range n {
			fd := ns.Dial()
			ns.Do(func() error { return abandon(fd) }) // or it would send the SYN again
		}
	}
}

// fullQueueLate has connections whose handshake ends with their first data, of
// which only one is accepted.
func fullQueueLate(ns *Namespace, n int) func() {
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Do(func() error {
		err := syscall.SetsockoptInt(listener, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 60)
		return errors.Join(err, syscall.Listen(listener, n+1))
	})
	first, late := ns.Dial(), make([]int, n)
	for i := range late {
		late[i] = ns.Dial()
	}
	ns.Write(first)
	ns.Do(func() error { return syscall.Listen(listener, 0) })
	return func() {
		for _, fd := range late {
			ns.Write(fd)
			ns.Do(func() error { return abandon(fd) }) // or it would send that again
		}
	}
}

// closed is the port at 127.0.0.1 on which no socket listens.
var closed = &syscall.SockaddrInet4{Port: Port, Addr: [4]byte{127, 0, 0, 1}}

// Socket opens a socket, which is closed at the end of the test.
func (ns *Namespace) Socket(kind int) (fd int) {
	ns.t.Helper()
	ns.Do(func() (err error) {
		fd, err = syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
		return err
	})
	ns.t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

// Listen opens a socket at Port, where one connection may wait.
func (ns *Namespace) Listen(kind int) (fd int) {
	ns.t.Helper()
	fd = ns.Socket(kind)
	ns.Do(func() error {
		err := syscall.Bind(fd, closed)
		if err == nil && kind == syscall.SOCK_STREAM {
			err = syscall.Listen(fd, 0)
		}
		return err
	})
	return fd
}

// Dial begins to connect to Port.
func (ns *Namespace) Dial() (fd int) {
	ns.t.Helper()
	fd = ns.Socket(syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK)
	ns.Do(func() error {
		if err := syscall.Connect(fd, closed); !errors.Is(err, syscall.EINPROGRESS) {
			return err
		}
		return nil
	})
	return fd
}

// Write sends a segment of its own on a connection, as soon as there is one: Dial does not wait for it.
func (ns *Namespace) Write(fd int) {
	ns.t.Helper()
	ns.Await("there is a connection", func() (written bool) {
		ns.Do(func() error {
			_, err := syscall.Write(fd, []byte("x"))
			if written = !errors.Is(err, syscall.EAGAIN); !written {
				return nil
			}
			return err
		})
		return written
	})
}

// SendUDP sends datagrams to Port, which a firewall may refuse.
func (ns *Namespace) SendUDP(n int) {
	ns.t.Helper()
	fd := ns.Socket(syscall.SOCK_DGRAM)
	ns.Do(func() error {
		for range n {
			if err := syscall.Sendto(fd, make([]byte, 100), 0, closed); err != nil && !errors.Is(err, syscall.EPERM) {
				return err
			}
		}
		return nil
	})
}
