// Package bpf reports the packets that the kernel frees, as its tracepoint
// skb:kfree_skb passes them to a BPF program: with reason and location, the packet, the
// interface and its network namespace, and the socket: the sender's or, of a packet in a
// receive queue, the receiver's, and since Linux 6.11 the receiver's also where the
// kernel names it. It needs a 64-bit Linux 5.8 with BTF, and neither NET_DM nor
// tracefs.
//
// # Every drop is accounted for
//
// To send each packet to user space would slow a host that drops many. So the program
// sends only the first [Options.Sample] for each key, second and CPU, as records in a
// ring, and counts the others by their key in a table. A key is location, reason,
// interface, namespace, ethertype, packet type and traits. A packet is in one record or
// in one count, never both and never neither. What the ring has no room for is counted,
// so a full ring loses no drop.
//
// Other tracepoints of the kernel, where it has them, say more of some drops just before
// skb:kfree_skb. It becomes arguments of an Individual event: how full a receive buffer
// or the memory of a protocol is (udp:udp_fail_queue_rcv_skb, sock:sock_rcvqueue_full,
// sock:sock_exceed_buf_limit), or the queueing discipline that dropped the packet
// (qdisc:qdisc_drop, which Linux 7.2 has), with a better reason, which is also that of counts:
// QDISC_DROP_OVERLIMIT instead of QDISC_DROP.
//
// What XDP loses in a driver is no packet yet, and skb:kfree_skb does not report it.
// Where the kernel has the tracepoints of xdp, it is a Drop without location and packet,
// beside those that kfree_skb reports: XDP_EXCEPTION, XDP_REDIRECT_ERR, XDP_DEVMAP_XMIT,
// XDP_CPUMAP_ENQUEUE and XDP_CPUMAP_KTHREAD, with the program's ID, its action and the
// error as arguments. One event may stand for several frames. Where XDP runs on packets
// (generic XDP, veth), kfree_skb reports them, with this reason and these arguments. What a
// program drops by its action XDP_DROP has no tracepoint.
//
// A record becomes an Individual event. About once a second, and at the end, the table
// is read, and each key whose count has grown becomes an Aggregate event: it has what
// the key has, the time of reading, and no packet. So the Counts of all events of a key
// add up to exactly its drops, and their Segments to the packets on the wire, whatever
// is sampled. When a table fills, the other one becomes active, and the full one is
// emptied once it has been read. Where more keys come within a second than there is
// room for, the rest is counted without a key: an Aggregate event without location.
//
// Only what cannot be emitted at the end of a run is lost, and is counted as
// [event.Unread]: at most what was in the ring, and one second of counts.
//
// # Conditions
//
// With an [Options.Condition] the program tests each packet first: its key, the name of
// the interface, its length, and the headers of a simple packet, in the bytes that it
// would send. It reads what internal/packet reads, or leaves a field unknown: what
// follows VLAN tags and extension headers, the addresses of ARP, and headers that are
// cut short or contradict themselves. Three outcomes:
//
//   - false: the packet is counted without a key, and becomes an [event.Rejected].
//   - true: the packet is in one record or one count, as without a condition.
//   - unknown: the packet is sent whole, whatever is sampled, for a stage to test it. If
//     the ring has no room for it, it becomes an [event.Rejected] that is Undecided. So
//     does a packet that was freed while its CPU was already in the program, which the
//     kernel skips then.
//
// So each drop is shown, rejected by the program, rejected or left undecided by a stage
// (filter.Split says with which filter), undecided here, or lost.
//
// # The reader
//
// The program wakes the reader when it sleeps, and when the ring is a quarter full; a
// wakeup costs the CPU that drops more than everything else. While packets are dropped
// the reader polls ten times a second. The seconds of the samples are the reader's: one
// ends when the table has been read. So a reader that does not run is not flooded, and a
// host that drops nothing is not disturbed.
//
// Nothing outlives the process: no program, link or map is pinned.
package bpf

import (
	"time"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/condition"
)

//go:generate -command compile go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -target bpfel,bpfeb -type owner -type detail
//go:generate compile -type detail_kind -type link -type trait -type facts -type verdict drops drops.bpf.c -- -O2 -mcpu=v3 -Wall -Werror

// Needs is what the source needs of a host. The error of Open wraps one of those of package bpfprog
// where that applies, and says what to do.
var Needs = bpfprog.Needs

// DefaultSample is an [Options.Sample] that shows each kind of drop and costs little.
const DefaultSample = 100

// Options of a Source. The zero value works.
type Options struct {
	// Sample is the number of packets of each key that each CPU sends whole in a
	// second. 0 is all of them, as far as the ring has room.
	Sample int

	// Trunc is the number of bytes that are kept of a packet, from its MAC header
	// if it has one, as far as they are not in pages. 0 is 128; at most 65535 are
	// kept.
	Trunc int

	// Stack also records the kernel stack trace of each packet that is sent, which
	// costs the CPU that drops a microsecond or more. Without it, only packets that
	// Netfilter drops have one, for its hook to be found.
	Stack bool

	// ByOwner makes the socket part of the key.
	ByOwner bool

	// RawAddresses identifies a socket without a cookie by its address in the kernel,
	// instead of by an event.SocketID, which hides it.
	RawAddresses bool

	// WithoutMACHeader restricts the source to packets without a MAC header. These
	// are exactly the packets that NET_DM's packet mode does not report: what this
	// host sends and drops before it has an interface. All others cost the program
	// one load, and appear in no event and in no number.
	WithoutMACHeader bool

	// Condition selects the packets that are wanted, nil selects all; its size is
	// at most condition.MaxSize. Without ByOwner no packet has a condition.Socket.
	Condition condition.Node

	// RingSize is the number of bytes of the ring, for all CPUs together, rounded
	// up to a power of two pages; 0 is room for a few thousand records, from 2 to
	// 16 MiB.
	RingSize int

	// Kinds is how many keys each of the two tables has room for; 0 is 8192. Each
	// takes some 100 bytes, and 24 for each CPU.
	Kinds int
}

const (
	defaultTrunc = 128
	maxTrunc     = 1<<16 - 1
	ringRecords  = 4096
	minRing      = 2 << 20
	maxRing      = 16 << 20
	defaultKinds = 8192
	maxFrames    = 32 // of a stack

	// What Netfilter drops has a stack of hookFrames, of which some five are the
	// tracepoint's.
	hookFrames = 16
)

// The times of a run. Records that cannot be emitted within drainTime of the end are
// unread: it is longer than the first search for the owner of a socket may take.
const (
	pollTime  = 100 * time.Millisecond
	countTime = time.Second
	drainTime = time.Second
)
