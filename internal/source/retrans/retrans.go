// Package retrans reports the segments that TCP sends again and, on request, the RSTs that it
// sends and receives, in all network namespaces. It reads the tracepoints tcp:tcp_retransmit_skb,
// tcp:tcp_retransmit_synack, tcp:tcp_send_reset and tcp:tcp_receive_reset: with BPF programs, which
// need a 64-bit Linux 5.8 with BTF ([Open]), or as perf reports them ([OpenTrace]), which knows less.
//
// # What is reported
//
// A Retransmit is one skb that was sent again. Its Segments are those on the wire (GSO), and the
// sum of them is what the kernel adds to RetransSegs of /proc/net/snmp. Before Linux 6.17 the
// tracepoint leaves out those that this host could not send, as when its firewall drops them: each
// is in RetransSegs, and is counted once in TCPRetransFail of /proc/net/netstat. From 6.17 on they
// are reported, with an argument "error".
//
// The type says why it was sent: see [event.SegmentType]. The kernel says it by the state of
// congestion control and the timer: in state recovery, duplicate acknowledgments or SACK caused
// it (fast); in state loss, the retransmission timer has expired, for this segment or an earlier
// one of the connection (rto); before these, the probe timer (tlp). SYN and SYN/ACK are always sent
// again by a timer.
//
// The subflows of MPTCP are connections of TCP, and are reported as such. A process has the socket of the whole
// connection open: that of a subflow has the same inode, by which its owner is known.
//
// A Reset that this host sends is one of three: an answer to a packet, of a socket or of none,
// or the abort of a connection. Since Linux 6.10 it has a reason, as the kernel names it (enum
// sk_rst_reason), and since then those that no socket sends are reported too. A RST that is received
// is reported if it belongs to a connection.
//
// # What it costs
//
// Each event is a record in a ring, of some 200 bytes. The program takes about half a microsecond of the CPU that
// sends, and more than twice as long where it cannot read the kernel directly. The reader takes about half of one,
// before what a pipeline does with it. What the ring has no room for is counted, and is a Loss at [event.InRing]
// with its Segments. While nothing happens, the reader sleeps.
package retrans

import "dropwatch/internal/event"

//go:generate -command compile go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -target bpfel,bpfeb
//go:generate compile -type kind -type known retrans retrans.bpf.c -- -O2 -mcpu=v3 -Wall -Werror

// Lacks are the facts that a Source reports of no event. Of the packet it has the addresses, ports and
// numbers of TCP, without bytes.
const Lacks = event.FactLength | event.FactLocation | event.FactStack | event.FactTrap | event.FactCookie |
	event.FactHarmless

// What a Trace reports of no event, and what it reports of few: segments of handshakes and RSTs are one.
const (
	TraceLacks = Lacks | event.FactInterface | event.FactNamespace | event.FactOwner | event.FactSequence | event.FactRetransType |
		event.FactFate

	TraceSeldom = event.FactSegments
)

// Options of a Source or a Trace. The zero value works.
type Options struct {
	// Resets: also report the RSTs that TCP sends and receives.
	Resets bool

	// RawAddresses identifies a socket without a cookie by its address in the kernel, instead
	// of by a number that is different in each run. A Trace has no sockets.
	RawAddresses bool

	// RingSize is the size of the ring in bytes, rounded up to a power of 2 pages. 0 is 4 MiB. That of a Trace
	// is for each CPU, and 0 is 256 KiB.
	RingSize int
}
