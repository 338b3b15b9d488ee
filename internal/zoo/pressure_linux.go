package zoo

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// pressure are losses for want of memory in queues that are not a device's.
var pressure = []Scenario{
	{
		"TCP out-of-order queue pruned", outOfOrderPrune,
		Want{
			IDs: id("TCP_OFO_QUEUE_PRUNE"), Class: "no_buffer", Severity: "harm", IfName: "far", Process: self,
			Counter: "TcpExtOfoPruned", Setting: "net.ipv4.tcp_rmem", Fix: "tcp_rmem",
		},
	},
	{
		"TCP socket backlog full", socketBacklog,
		Want{
			IDs: id("SOCKET_BACKLOG"), Class: "no_buffer", Severity: "harm", IfName: "far", Process: self,
			Counter: "TcpExtTCPBacklogDrop", Fix: "stalled program",
		},
	},
	{
		"TCP memory of the host exhausted", tcpMemory,
		Want{
			IDs: id("PROTO_MEM"), Class: "no_buffer", Severity: "harm", IfName: "far",
			Counter: "TcpExtTCPOFODrop", Setting: "net.ipv4.tcp_mem", Fix: "tcp_mem",
		},
	},
	{
		"backlog of a CPU full", cpuBacklog,
		Want{
			IDs: id("CPU_BACKLOG"), Class: "no_buffer", Severity: "harm", IfName: "q0", Counter: "softnet.dropped",
			Raised:  "rx_dropped enqueue_to_backlog",
			Setting: "net.core.netdev_max_backlog", Fix: "netdev_max_backlog",
		},
	},
}

// outOfOrderPrune has segments arrive before those that they follow, until the receive buffer is full, and then some
// that belong before them. The queue is pruned by tcp_prune_ofo_queue (net/ipv4/tcp_input.c).
func outOfOrderPrune(ns *drops.Namespace, n int) func() {
	const fill, gap = 100, 10
	peer := silent(ns)
	fd := connected(ns, 60000)
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) })
	seq := uint32(received + gap*2*fill)
	before := func(n int) {
		arriveEach(peer, n, func(int) []byte {
			seq -= gap
			return segment{port: 1, seq: seq, ack: sent, flags: ackFlag, data: []byte("x")}.frame()
		})
	}
	before(fill)
	return func() { before(n) }
}

// socketBacklog has segments arrive for a connection while its program is in a system call that holds it, until no more
// may wait. They are dropped by tcp_add_backlog (net/ipv4/tcp_ipv4.c).
func socketBacklog(ns *drops.Namespace, n int) func() {
	const fill = 400
	peer := silent(ns)
	fd := connected(ns, 60000)
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) })
	ns.Hold(fd)
	seq := uint32(received)
	arrive := func(n int) {
		arriveEach(peer, n, func(int) []byte {
			seq += 10 // so that they are not joined to one
			return segment{port: 1, seq: seq, ack: sent, flags: ackFlag, data: []byte("x")}.frame()
		})
	}
	arrive(fill)
	return func() { arrive(n) }
}

// tcpMemory has segments arrive out of order for a connection that has data unread, and no memory
// for TCP on the whole host: only a guest bears that. What is unread is more than the kernel leaves
// to its CPUs in reserve (SK_MEMORY_PCPU_RESERVE, since Linux 6.0), which otherwise counts as free.
func tcpMemory(ns *drops.Namespace, n int) func() {
	const reserve, size, batch, forceBuffer = 1 << 20, 1000, 100, 33 // bytes of each CPU, of a segment; SO_RCVBUFFORCE
	if !vmtest.InGuest() {
		return nil
	}
	peer := silent(ns)
	room := (runtime.NumCPU() + 6) * reserve
	fd := connected(ns, uint32(room))
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, forceBuffer, 4*room) })
	seq := uint32(received)
	arrive := func(n, gap int) {
		arriveEach(peer, n, func(int) []byte {
			seq += uint32(gap)
			frame := segment{port: 1, seq: seq, ack: sent, flags: ackFlag, data: make([]byte, size)}.frame()
			seq += size
			return frame
		})
	}
	for unread := 0; unread < room-4*reserve; unread += batch * size {
		arrive(batch, 0)
	}
	ns.HostSysctl("ipv4/tcp_mem", "0 0 0")
	ns.Await("TCP has no memory", func() bool {
		before := ns.Counter("netstat", "TcpExt", "TCPOFODrop")
		arrive(n, size)
		return ns.Counter("netstat", "TcpExt", "TCPOFODrop") == before+n
	})
	return func() { arrive(n, size) }
}

// cpuBacklog has frames arrive that a bridge floods to one port more than frames may wait for a CPU, each when the CPU
// has handled the one before it. They are dropped by enqueue_to_backlog (net/core/dev.c).
func cpuBacklog(ns *drops.Namespace, n int) func() {
	const room = 10
	peer := ns.Peer()
	script := "link add br0 type bridge mcast_snooping 0\nlink set br0 up\nlink set far master br0\n"
	for i := range room + 2 {
		script += fmt.Sprintf("link add p%d type veth peer name q%d\nlink set q%d up\nlink set p%d master br0 up\n", i, i, i, i)
	}
	ns.Batch(script)
	ns.HostSysctl("core/netdev_max_backlog", strconv.Itoa(room))
	frame := drops.Ethernet("01:80:c2:00:00:21", 0x88b6, make([]byte, 46))
	return func() {
		for handled := ns.ReceiveDrops("q1"); n > 0; n-- {
			handled++
			peer.Inject("near", frame, 1)
			ns.Await("the CPU has handled a frame", func() bool { return ns.ReceiveDrops("q1") >= handled })
		}
	}
}
