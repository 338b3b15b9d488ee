// Package event is the vocabulary of dropwatch: what flows from a source,
// through the stages, to a sink, and the ledger that accounts for it.
package event

import "time"

// A Kind says what an Event stands for.
type Kind uint8

const (
	Drop Kind = iota // the kernel freed packets that it should have delivered
	Loss             // we failed to see drops
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

// An Event is a drop, or a loss of drops. It belongs to its source, which
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
	Cookie []byte // of the tc or Open vSwitch action that dropped the packet
	Task   Task

	// Stack holds the addresses of the calls that led to the drop, which is
	// the first, Where.PC; empty if none were asked for.
	Stack []uint64

	Place Place // of a Loss

	// Raw is the message that brought the event, as the kernel sent it, on
	// the first event of that message.
	Raw []byte
}

// Where is the place of a drop.
type Where struct {
	PC     uint64 // address in the kernel's code, 0 if there is none
	HasPC  bool
	Kernel string // the kernel's own name of PC, function+offset/size

	// What the symbol table says of PC.
	Lookup Lookup
	Symbol string
	Offset uint64 // bytes from the symbol's start
	Module string // empty for the kernel proper

	Trap, TrapGroup string // of a hardware drop, the devlink trap
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
	Data     []byte // from the MAC header, perhaps truncated
	HasData  bool
	Len      uint32 // bytes before truncation
	HasLen   bool
}

// Port is the interface that a packet came in by. Its namespace is not known.
type Port struct {
	IfIndex uint32 // 0 if not given
	IfName  string // empty if not given
}

// Task is what a CPU was running when it dropped a packet. That need not be
// whose packet it was: a CPU takes packets in whatever it is doing.
type Task struct {
	Known    bool
	CPU      uint32
	PID, TID uint32 // 0 if the CPU was idle
}
