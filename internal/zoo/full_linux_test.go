package zoo

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// A socketMemory is what the kernel says of the memory of a socket, in bytes, and how many packets it dropped.
type socketMemory struct{ rmem, rcvbuf, dropped uint32 }

// memoryOf asks the kernel for it.
func memoryOf(ns *drops.Namespace, fd int) socketMemory {
	const memInfo = 55 // SO_MEMINFO, whose indices are in include/uapi/linux/sock_diag.h
	var info [9]uint32
	ns.Do(func() error {
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, memInfo,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 {
			return fmt.Errorf("read the memory of a socket: %w", errno)
		}
		return nil
	})
	return socketMemory{info[0], info[1], info[8]}
}

// trackedFull has datagrams of new connections arrive in a zone of connection tracking, whose table has room for one.
func trackedFull(values string) func(*drops.Namespace) (spare func(), fire func() (int, string)) {
	return func(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
		peer := ns.Peer()
		ns.Run("nft", "table ip raw { chain c { type filter hook prerouting priority -300; ct zone set 5; }; }")
		ns.HostSysctl("netfilter/nf_conntrack_buckets", "65536") // or the one makes room if it is near: see tableFull
		ns.HostSysctl("netfilter/nf_conntrack_max", "1")
		from := func(port byte) {
			b := drops.UDPHeader(0)
			b[1] = port
			peer.Inject("near", datagram("10.0.0.1", b), 1)
		}
		return func() { from(1); from(1) }, func() (int, string) {
			from(2)
			from(3)
			return 2, values
		}
	}
}

// neighboursFull sends to more hosts that nobody knows than the table of neighbours has room for.
func neighboursFull(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	const room = 8
	ns.Peer()
	ns.Await("no neighbours are left of other namespaces", func() bool {
		text, _ := os.ReadFile("/proc/net/stat/arp_cache")
		return strings.Contains(string(text), "\n00000000 ")
	})
	ns.HostSysctl("ipv4/neigh/default/gc_thresh3", strconv.Itoa(room))
	ns.Sysctl("ipv4/neigh/far/mcast_solicit", "100") // attempts: an entry that has failed makes room
	fd := ns.Socket(syscall.SOCK_DGRAM)
	return func() { newHosts(ns, fd, 10, room) }, func() (int, string) {
		newHosts(ns, fd, 10+room, 3)
		return 3, fmt.Sprintf("table=arp_cache gc_entries=%d limit=%d dev=far", room, room)
	}
}

// receiveBufferFull has a connection whose program does not read, and whose peer has been told of more room than there is.
func receiveBufferFull(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	const size = 1000
	peer := silent(ns)
	fd := connected(ns, 60*size)
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) })
	seq := uint32(received)
	arrive := func(n int) {
		arriveEach(peer, n, func(int) []byte {
			frame := segment{port: 1, seq: seq, ack: sent, flags: ackFlag, data: make([]byte, size)}.frame()
			seq += size
			return frame
		})
	}
	refused := func() int {
		return ns.Counter("netstat", "TcpExt", "TCPRcvQDrop") + ns.Counter("netstat", "TcpExt", "TCPOFODrop")
	}
	return func() { arrive(1) }, func() (int, string) {
		arrive(20)
		ns.Await("each segment is in the queue or dropped", func() bool { // some of them for the window, which is then closed
			return int(unread(fd))/size+int(memoryOf(ns, fd).dropped) == 1+20
		})
		m := memoryOf(ns, fd)
		return refused(), fmt.Sprintf("rmem=%d rcvbuf=%d len=%d port=9", m.rmem, m.rcvbuf, size)
	}
}

// unread returns how many bytes a program can read from a socket.
func unread(fd int) (n int32) {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		panic(errno) // a socket has this
	}
	return n
}

// overfill sends to an interface whose queue has room for so many packets, and then two more.
func overfill(ns *drops.Namespace, room int) (spare func(), fire func()) {
	fd := ns.Socket(syscall.SOCK_DGRAM)
	return func() { sendBy(ns, fd, "10.0.0.2", room) }, func() { sendBy(ns, fd, "10.0.0.2", 2) }
}

// netemFull has a queue that delays all packets, with its own limit.
func netemFull(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	knownPeer(ns)
	ns.Run("tc", "qdisc", "add", "dev", "far", "root", "handle", "7:", "netem", "delay", "200s", "limit", "3")
	spare, more := overfill(ns, 3)
	return spare, func() (int, string) {
		more()
		if !hasQdiscPoint() {
			return 0, ""
		}
		return 2, "kind=netem major=0x7 parent=0xffffffff qlen=3 limit=3 backlog=426 dev=far"
	}
}

// pfifoBelow has a queue below one that sends a byte a second. It is that of the interface which is told.
func pfifoBelow(ns *drops.Namespace) (spare func(), fire func() (int, string)) {
	knownPeer(ns)
	ns.Run("tc", "qdisc", "add", "dev", "far", "root", "handle", "7:", "tbf", "rate", "8bit", "burst", "200", "limit", "100000")
	ns.Run("tc", "qdisc", "add", "dev", "far", "parent", "7:1", "handle", "8:", "pfifo", "limit", "3")
	spare, more := overfill(ns, 4) // of which the first is sent
	return spare, func() (int, string) {
		more()
		if !hasQdiscPoint() {
			return 2, "kind=pfifo major=0x8 parent=0x70001 qlen=3 limit=3 backlog=426 dev=far"
		}
		return 2, "kind=tbf major=0x7 parent=0xffffffff qlen=3 limit=0 backlog=426 dev=far"
	}
}

// hasQdiscPoint reports whether this kernel has a function that hands packets to whatever queue an interface has: on the
// oldest it is inlined, and the point is at the queues that are built in.
func hasQdiscPoint() bool { return guest.AtLeast(5, 11) }
