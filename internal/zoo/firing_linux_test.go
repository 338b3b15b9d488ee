package zoo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// A firing is a built-in point with what does not reach it and what does.
type firing struct {
	point string
	on    func() bool // reports whether to try it on this kernel; nil: on all

	// prepare makes what is needed in a namespace. Spare does what does not meet the condition of the point, fire
	// what does: it returns how often that was, and the values that are read each time.
	prepare func(ns *drops.Namespace) (spare func(), fire func() (n int, values string))
}

var firings = []firing{
	{"iptables", atEnds, iptablesIPv4},
	{"iptables", atEnds, iptablesIPv6},
	{"pmtu6", atEnds, tooBig6},
	{"socket_queue", atEnds, pingSocketFull},
	{"bridge_vlan", onNewest, bridgeVLAN},
	{"conntrack_helper", withTypes, helperRefuses},
	{"tcp_accept_queue_ack6", atEnds, endOfHandshake6},
	{"conntrack_drop", nil, trackedFull("hook=NF_INET_PRE_ROUTING family=2 in=far")},
	{"conntrack_table", nil, trackedFull("family=2 proto=17 src=10.0.0.2 dst=10.0.0.1 dport=9 zone=5")},
	{"neighbour_table", nil, neighboursFull},
	{"tcp_receive_buffer", nil, receiveBufferFull},
	{"qdisc_enqueue", nil, netemFull},
	{"qdisc_enqueue", nil, pfifoBelow},
}

// atEnds is on the oldest kernel and the newest, which are enough for functions that are alike on all.
func atEnds() bool { return !guest.IsBetween() }

// withTypes is on kernels that have types of modules.
func withTypes() bool { return guest.AtLeast(5, 11) }

// onNewest is for functions of modules that are alike on all kernels with types of modules.
func onNewest() bool { return guest.AtLeast(7, 0) }

// TestGuestFiring: a point is reached when its condition is true, with the values that the test has set, and not when
// the same function is called and it is false.
func TestGuestFiring(t *testing.T) {
	o, ns := probing(t), drops.NewNamespace(t)
	guest.Do(t, "ip", "link", "set", "lo", "down") // which ends the neighbour that what a guest sends to itself leaves: see neighboursFull
	guest.Do(t, "ip", "link", "set", "lo", "up")
	for _, f := range firings {
		p, ok := point.Lookup(f.point)
		if !ok {
			t.Fatalf("there is no point %s", f.point)
		}
		t.Run(f.point, func(t *testing.T) {
			if f.on != nil && !f.on() {
				return
			}
			n := ns.Of(t)
			spare, fire := f.prepare(n)
			running := watch(t, o, n, p)
			spare()
			want, values := fire()
			running.Await(uint64(want))
			checkValues(t, running.End(), want, values)
		})
	}
}

// TestGuestSYNQueue: the point is reached for each SYN that the kernel refuses, up to the limit and beyond. Where the function
// that is called only then is inlined, so it is for one at the limit that a kernel accepts, which is said to be uncertain.
func TestGuestSYNQueue(t *testing.T) {
	const limit = 3
	if guest.IsBetween() && guest.AtLeast(6, 12) {
		return // it is as the newest
	}
	o, ns := probing(t), drops.NewNamespace(t)
	p, _ := point.Lookup("tcp_syn_queue")
	peer := silent(ns)
	ns.Sysctl("ipv4/tcp_syncookies", "0")
	ns.Sysctl("ipv4/tcp_synack_retries", "100") // a request that is given up makes room
	listen(ns, limit)
	refused := func() int { return ns.Counter("netstat", "TcpExt", "TCPReqQFullDrop") }
	inlined := len(o.Symbols.Everywhere("tcp_syn_flood_action")) == 0
	running := watch(t, o, ns, p)
	syns(peer, 1, limit) // of which the last finds one less than the limit
	if n := refused(); n != 0 {
		t.Fatalf("%d SYNs are refused below the limit", n)
	}
	syns(peer, 1+limit, 5)
	ns.Await("SYNs are refused", func() bool { return refused() >= 4 })
	certain := refused()
	if !inlined {
		running.Await(uint64(certain))
		checkValues(t, running.End(), certain, "limit=3 port=9")
		return
	}
	running.Await(5)
	checkUncertain(t, running.End(), certain, limit)
}

// checkUncertain checks the events of 5 SYNs to a queue that has as many as its limit, of which the kernel has refused so many:
// at the limit it may have accepted one.
func checkUncertain(t *testing.T, events []event.Event, refused, limit int) {
	t.Helper()
	at := fmt.Sprintf("qlen=%d limit=%[1]d port=9 certain=false", limit)
	beyond := fmt.Sprintf("qlen=%d limit=%d port=9 certain=true", limit+1, limit)
	if refused == 5 { // with >=
		checkValues(t, events, 5, at)
		return
	}
	if len(events) != 5 || refused != 4 {
		t.Fatalf("%d events of 5 SYNs, %d refused", len(events), refused)
	}
	checkValues(t, events[:1], 1, at)
	checkValues(t, events[1:], refused, beyond)
}

// sendTo sends n datagrams to a port of the host itself, by IPv4 or IPv6. A firewall may refuse them.
func sendTo(ns *drops.Namespace, addr string, port, n int) {
	a := netip.MustParseAddr(addr)
	family, to := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Port: port})
	if a.Is4() {
		to.(*syscall.SockaddrInet4).Addr = a.As4()
	} else {
		family, to = syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: a.As16()}
	}
	ns.Do(func() error {
		fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		for range n {
			if err := syscall.Sendto(fd, make([]byte, 100), 0, to); err != nil && !errors.Is(err, syscall.EPERM) {
				return err
			}
		}
		return nil
	})
}

// iptablesIPv4 has a rule for one port.
func iptablesIPv4(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	ns.Run("iptables-legacy", "-w", "-A", "INPUT", "-p", "udp", "--dport", "9", "-j", "DROP")
	return func() { sendTo(ns, "127.0.0.1", 8, 3) }, func() (int, string) {
		sendTo(ns, "127.0.0.1", 9, 3)
		return 3, "table=filter hook=NF_INET_LOCAL_IN family=2 in=lo"
	}
}

// iptablesIPv6 has a rule of ip6tables, which is the same program by another name.
func iptablesIPv6(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	ns.EnableIPv6()
	ns.Do(func() error {
		program, err := exec.LookPath("iptables-legacy")
		if err != nil {
			return err
		}
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		link := filepath.Join(dir, "ip6tables-legacy")
		if err := os.Symlink(program, link); err != nil {
			return err
		}
		out, err := exec.Command(link, "-w", "-t", "filter", "-A", "OUTPUT", "-p", "udp", "--dport", "9", "-j", "DROP").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", link, err, out)
		}
		return nil
	})
	return func() { sendTo(ns, "::1", 8, 3) }, func() (int, string) {
		sendTo(ns, "::1", 9, 3)
		return 3, "table=filter hook=NF_INET_LOCAL_OUT family=10 out=lo"
	}
}

// tooBig6 has packets arrive for a network whose link takes only smaller ones.
func tooBig6(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	peer := ns.Peer()
	enableIPv6(ns)
	ns.Sysctl("ipv6/conf/all/forwarding", "1")
	ns.Run("ip", "-6", "route", "add", "fd01::/64", "via", "fd00::2", "dev", "far", "mtu", "1280")
	arrive := func(size int) {
		payload := append(drops.UDPHeader(0), make([]byte, size-8)...)
		p := ipv6(syscall.IPPROTO_UDP, payload)
		binary.BigEndian.PutUint16(p[4:], uint16(size))
		copy(p[24:], netip.MustParseAddr("fd01::1").AsSlice())
		peer.Inject("near", drops.Ethernet(drops.FarMAC, 0x86dd, p), 2)
	}
	return func() { arrive(1280 - 40) }, func() (int, string) {
		arrive(1281 - 40)
		return 2, "mtu=1280 len=1281 dev=far"
	}
}

// pingSocketFull has a socket of ping that does not read the answers: the kernel says what is in it.
func pingSocketFull(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	ns.Sysctl("ipv4/ping_group_range", "0 0")
	var fd int
	ns.Do(func() (err error) {
		if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMP); err != nil {
			return err
		}
		ns.Cleanup(func() error { return syscall.Close(fd) })
		return errors.Join(syscall.Connect(fd, loopback), syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0))
	})
	ping := func(n int) {
		ns.Do(func() (err error) {
			for range n {
				_, sendErr := syscall.Write(fd, append([]byte{8, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 92)...)) // ICMP_ECHO
				err = errors.Join(err, sendErr)
			}
			return err
		})
	}
	return func() { ping(1) }, func() (int, string) {
		ping(20)
		ns.Await("the socket is full", func() bool { return memoryOf(ns, fd).dropped > 0 })
		m := memoryOf(ns, fd)
		return int(m.dropped), fmt.Sprintf("rmem=%d rcvbuf=%d len=100 family=2 protocol=1", m.rmem, m.rcvbuf)
	}
}

// bridgeVLAN has frames of a VLAN arrive at a port of a bridge that permits another one.
func bridgeVLAN(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	peer := ns.Peer()
	ns.Batch("link add br0 type bridge mcast_snooping 0 vlan_filtering 1\nlink set far master br0\nlink set br0 up\n")
	frame := func(vlan byte) []byte {
		return drops.Ethernet("02:00:00:00:00:77", 0x8100, append([]byte{0, vlan, 0x88, 0xb6}, make([]byte, 60)...))
	}
	return func() { peer.Inject("near", frame(1), 3) }, func() (int, string) {
		peer.Inject("near", frame(5), 3)
		return 3, "bridge=br0 dev=far vid=5 pvid=1"
	}
}

// helperRefuses has two clients of FTP announce the same port: the helper of connection tracking takes that of the
// first.
func helperRefuses(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	loadModule("nf_conntrack_ftp")
	ns.Run("nft", "table ip t { ct helper h { type \"ftp\" protocol tcp; };"+
		" chain c { type filter hook output priority 0; tcp dport 9 ct helper set \"h\"; }; }")
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Do(func() error { return syscall.Listen(listener, 2) })
	announce := func() (fd int) {
		fd = ns.Dial()
		for _, line := range []string{"USER x\r\n", "PORT 127,0,0,1,4,0\r\n"} {
			ns.Await("the line is written, as a segment of its own", func() bool {
				_, err := syscall.Write(fd, []byte(line))
				return err == nil
			})
			ns.Await("the line before is acknowledged", func() bool { return line[0] == 'P' || waiting(fd) == 0 })
		}
		return fd
	}
	return func() { announce() }, func() (int, string) {
		fd := announce()
		from, err := syscall.Getsockname(fd)
		ns.Do(func() error { // it sends nothing again
			return errors.Join(err, syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, repair, 1), ns.Close(fd))
		})
		port := from.(*syscall.SockaddrInet4).Port
		return 1, fmt.Sprintf("proto=6 sport=%d dport=9 mark=0x0 zone=0", port)
	}
}

// endOfHandshake6 has the last segment of handshakes of IPv6 find no room.
func endOfHandshake6(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	ns.EnableIPv6()
	ns.Sysctl("ipv4/tcp_synack_retries", "0")
	here6 := &syscall.SockaddrInet6{Port: drops.Port, Addr: [16]byte{15: 1}}
	socket := func() (fd int) {
		ns.Do(func() (err error) {
			fd, err = syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
			return err
		})
		return fd
	}
	listener, clients := socket(), []int{socket(), socket(), socket()}
	ns.Cleanup(func() error { return syscall.Close(listener) })
	ns.Do(func() error {
		return errors.Join(syscall.SetsockoptInt(listener, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 60),
			syscall.Bind(listener, here6), syscall.Listen(listener, len(clients)))
	})
	for _, fd := range clients {
		ns.Cleanup(func() error { return syscall.Close(fd) })
		ns.Do(func() error {
			if err := syscall.Connect(fd, here6); !errors.Is(err, syscall.EINPROGRESS) {
				return err
			}
			return nil
		})
	}
	return func() {
			ns.Write(clients[0])
			ns.Do(func() error { return syscall.Listen(listener, 0) })
		}, func() (int, string) {
			for _, fd := range clients[1:] {
				ns.Write(fd)
				ns.Do(func() error { // it sends nothing again
					return errors.Join(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, repair, 1), ns.Close(fd))
				})
			}
			return len(clients) - 1, "qlen=1 limit=0 port=9"
		}
}
