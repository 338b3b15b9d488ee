// Package event is the vocabulary of dropwatch: what flows from a source,
// through the stages, to a sink, and the ledger that accounts for it.
package event

import (
	"bytes"
	"slices"
	"time"
)

// A Kind says what an Event stands for.
type Kind uint8

const (
	Drop Kind = iota // the kernel freed packets that it should have delivered
	Loss             // we failed to see drops
	End              // the run is over: the last event, with the ledger
)

// An Origin says who dropped a packet.
type Origin uint8

const (
	Software Origin = iota // the kernel
	Hardware               // a device
	Unknown                // the kernel named another, that this version does not know
	Unstated               // the kernel did not say
)

// String gives the word that dropwatch prints.
func (o Origin) String() string {
	switch o {
	case Software:
		return "software"
	case Hardware:
		return "hardware"
	}
	return "unknown"
}

// An Event is a drop, a loss of drops, or the end. It belongs to its source, which
// uses its memory again: a stage or a sink that keeps something copies it.
type Event struct {
	Kind    Kind
	Time    time.Time // of the drop, or of its receipt if the kernel gave none
	Stamped bool      // Time is the kernel's
	Count   uint64    // packets, at least 1
	Origin  Origin
	Single  bool // one packet was reported by itself, not in a summary

	Where  Where
	Reason string // as the kernel names it; empty if it gave none
	Packet Packet
	Port   Port
	Netns  Netns  // of the port, or else of the socket
	Cookie []byte // of the tc or Open vSwitch action that dropped the packet
	Owner  Owner
	Task   Task

	// Stack holds the calls that led to the drop, which is the first, at
	// Where.PC; empty if none were asked for.
	Stack []Frame

	// Unseen: the source of packets did not show this drop, and another one
	// did, which has no bytes of it.
	Unseen bool

	// Part: this is a further fragment of a reassembled packet whose drop is
	// an event by itself, so it is none of its own.
	Part bool

	Place  Place   // of a Loss
	Ledger *Ledger // of the End

	// Raw is the message that brought the event, as the kernel sent it, on
	// the first event of that message.
	Raw []byte
}

// Further says that the drops are of a kind that is known, and were counted beside
// those of it that are Single. A summary is no such count: it has only a place, and
// all of its drops.
func (e *Event) Further() bool {
	return e.Kind == Drop && !e.Single && (e.Reason != "" || e.Packet.HasProto || e.Port.IfIndex != 0 || e.Netns.Inode != 0)
}

// Clone gives a copy that is the caller's, without Raw, which is the message's.
func (e *Event) Clone() Event {
	c := *e
	c.Packet.Data, c.Cookie, c.Stack = bytes.Clone(e.Packet.Data), bytes.Clone(e.Cookie), slices.Clone(e.Stack)
	if e.Packet.Flow != nil {
		flow := *e.Packet.Flow
		c.Packet.Flow = &flow
	}
	if e.Owner.Socket != nil {
		socket := *e.Owner.Socket
		c.Owner.Socket = &socket
	}
	c.Raw = nil
	return c
}

// Where is the place of a drop.
type Where struct {
	Frame
	HasPC  bool
	Kernel string // the kernel's own name of PC, function+offset/size

	Trap, TrapGroup string // of a hardware drop, the devlink trap
}

// A Frame is an address in the kernel's code, and what the symbol table says
// of it.
type Frame struct {
	PC     uint64 // 0 if there is none
	Lookup Lookup
	Symbol string
	Offset uint64 // bytes from the symbol's start
	Module string // empty for the kernel proper
}

// A Lookup says what became of asking the symbol table for a PC.
type Lookup uint8

const (
	NotTried Lookup = iota
	NotFound        // the table cannot know the address
	Found
)

// Packet is what was dropped, as far as it was reported.
type Packet struct {
	Proto    uint16 // ethertype
	HasProto bool
	Data     []byte // perhaps truncated
	HasData  bool
	Link     LinkType // of Data
	Len      uint32   // bytes before truncation
	HasLen   bool
	Flow     *Flow // what the headers in Data say; nil if they were not read
}

// Port is the interface that a packet came in by, or was to leave by. IfIndex is
// one of its network namespace, which not every source knows.
type Port struct {
	IfIndex uint32 // 0 if not given
	IfName  string // empty if not given
}

// Task is what a CPU was running when it dropped a packet. That need not be
// whose packet it was: a CPU takes packets in whatever it is doing.
type Task struct {
	Known    bool
	CPU      uint32
	PID, TID uint32 // 0 if the CPU was idle, or ran what our PID namespace does not have
	Comm     string // name of the thread TID; empty if it is not known
}
