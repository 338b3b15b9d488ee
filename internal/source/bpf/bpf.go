// Package bpf makes events of the packets that the kernel frees, as its
// tracepoint skb:kfree_skb tells them to a BPF program: with the reason and the
// place, the packet, the interface and its network namespace, and the socket
// that it was of, the receiver's too where the kernel says it (since Linux 6.11).
// It needs a 64-bit Linux 5.8 with BTF, and neither NET_DM nor tracefs.
//
// # What is shown, and that it is all
//
// To send each drop to us would slow a host that drops many. So the program
// sends only the first [Options.Sample] of each kind (a place, reason,
// interface, namespace and protocol), second and CPU as records in a ring, and
// counts the others of that kind in a table: a drop is one record or it is one
// count, never both and never neither. What the ring has no room for is counted
// too, so a full ring loses no drop.
//
// A record becomes an event of one packet, which is Single. About every second
// and at the end we read the table, and for each kind that has grown there is an
// event that is not Single and whose Count is by how much: it has the kind, the
// time at which it was read, and no packet. So the counts of all events of a
// kind are exactly its drops, whatever is sampled. When a table fills, the program
// takes another, and what has been read of the first is forgotten. A drop that
// it cannot tell the kind of, because more kinds came in a second than there is
// room for or because it came while the same CPU was already in the program, is
// in a count without a kind.
//
// Only what could not be handed on at the end of a run is lost, and is counted
// as [event.Unread]: a second of drops at most and what was in the ring.
//
// # What a condition rejects
//
// With an [Options.Condition] the program tests each drop first, by what it knows
// of it: the kind, the interface's name, and of a packet that is plain the length
// and the headers, in the very bytes that it would send. It reads what
// internal/packet reads or it leaves it unknown: what is behind VLAN tags and
// extension headers, the addresses of ARP, and headers that are cut short or
// contradict themselves. So a condition is one of three things.
//
// If it is false the drop is counted as rejected, of no kind, which is a Loss at
// [event.ByFilter]. If it is true the drop is one record or one count, as without
// a condition. If it is unknown, the drop is sent whole whatever is sampled: it is
// for a stage to test it. If the ring has no room for it nobody can tell whether
// it was wanted, and it is lost at [event.InRing]. So is what has no kind.
//
// Hence each drop is shown, rejected by the program, rejected by a stage that
// tests records and kinds (filter.Split says with what), or lost.
//
// # The reader
//
// The program wakes us when we sleep, and when the ring is a quarter full; a
// wake-up costs the CPU that drops more than all the rest. While there are drops
// we look by ourselves, ten times a second. The seconds of the samples are ours:
// they pass when we have read the table. So nothing floods a reader that does not
// run, and a host that drops nothing is not disturbed at all.
//
// Nothing outlives the process: no program, link or map is pinned.
package bpf

import (
	"errors"
	"time"

	"dropwatch/internal/condition"
)

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -type owner -type link -type facts -type verdict -target bpfel,bpfeb drops drops.bpf.c -- -O2 -mcpu=v3 -Wall -Werror

// Why a Source cannot be had. The error that Open returns wraps one of them if
// it is one of those cases, and says what to do.
var (
	ErrPermission  = errors.New("not permitted")
	ErrLockdown    = errors.New("the kernel is locked down") // lockdown=confidentiality
	ErrNoBTF       = errors.New("this kernel has no BTF")    // CONFIG_DEBUG_INFO_BTF
	ErrUnsupported = errors.New("this kernel does not support it")
)

// DefaultSample is an [Options.Sample] that shows what is there and costs little.
const DefaultSample = 100

// Options of a Source. The zero value works.
type Options struct {
	// Sample is the number of drops of each kind that each CPU sends whole in
	// a second. 0 stands for all, as far as the ring has room.
	Sample int

	// Trunc is the number of bytes that are kept of a packet, from its MAC
	// header if it has one, as far as they are not in pages of their own. 0
	// stands for 128; there are never more than 65535.
	Trunc int

	// Stack asks for the calls that led to each drop that is sent, which
	// costs the CPU that drops a microsecond or more.
	Stack bool

	// ByOwner makes the socket part of the kind.
	ByOwner bool

	// Condition tells which drops are wanted, nil all of them; its size is at
	// most condition.MaxSize. Without ByOwner no drop has a condition.Socket.
	Condition condition.Node

	// RingSize is the number of bytes that the kernel keeps for us, of all
	// CPUs together, rounded up to a power of two pages; 0 stands for room for
	// some thousand records, from 2 to 16 MiB.
	RingSize int

	// Kinds is how many each of two tables has room for; 0 stands for 8192.
	// Each takes some 100 bytes, and 16 for each CPU.
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
)

// The times of a run. What cannot be shown within drainTime of the end is
// counted as unread.
const (
	pollTime  = 100 * time.Millisecond
	countTime = time.Second
	drainTime = 200 * time.Millisecond
	leaveTime = 40 * time.Millisecond // of a program, where the kernel does not tell
)
