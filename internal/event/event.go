// Package event is the vocabulary of dropwatch: what flows from a source,
// through the stages, to a sink, and the ledger that accounts for it.
package event

import (
	"bytes"
	"slices"
	"time"
	"unsafe"
)

// A Kind is what an Event stands for. Every switch over kinds names each of them,
// which archtest checks, so that a new kind is nowhere taken for another.
type Kind uint8

const (
	Drop       Kind = iota // the kernel or a device freed Count packets that it should have delivered
	Retransmit             // TCP sent a packet again, of Segments segments: see Segment
	Reset                  // TCP sent or received a RST: see Segment
	TCPEvent               // a capture shows of a TCP connection what is no retransmission: see Segment
	Point                  // a function of the kernel was reached under a condition: see Event.Point
	Finding                // what an alert or a diagnosis found: see Incident
	Rejected               // a filter rejected Count drops, or could not decide: Undecided; or what Segment or Point says
	Loss                   // dropwatch failed to see drops: how many and where is in Place; or what Segment or Point says
	End                    // the run is over: the last event, with its Ledger
)

// kindNames are the names of kinds in JSON and in expressions, in the order of the constants.
var kindNames = [...]string{"drop", "retransmit", "reset", "tcp", "point", "finding", "rejected", "loss", "end"}

// String gives the name of the kind in JSON.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// IsTCP reports whether an event is of what TCP did, and no drop.
func (k Kind) IsTCP() bool { return k == Retransmit || k == Reset || k == TCPEvent }

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

// An Event is one thing that a source observed. It belongs to its source, which
// reuses its memory: a stage or a sink that keeps an event keeps a [Event.Clone].
type Event struct {
	Kind       Kind
	Time       time.Time // of the drop, or of its receipt if the kernel gave none
	KernelTime bool      // Time is the kernel's
	Count      uint64    // socket buffers (struct sk_buff), at least 1; of a Loss, see Place
	Segments   uint64    // packets on the wire that Count stands for: the sum of gso_segs, 1 for each that is not GSO; 0 if not known
	Origin     Origin    // software or hardware; Unstated if the source does not say

	// Individual: one packet was reported individually, not in a count of several.
	Individual bool

	// Aggregate: the source counted these drops beside others with the same location,
	// reason and interface that it reported individually.
	Aggregate bool

	// Fragment: this is a further fragment of a reassembled packet whose drop is an
	// event of its own, so that no other packet was dropped.
	Fragment bool

	// TraceOnly: the source of packets did not report this drop, but a second source
	// did, which need not have bytes of it.
	TraceOnly bool

	// Undecided: a filter expression needs what is not known of this event. It is
	// neither shown nor rejected. A filter sets it on a drop, a source on a Rejected.
	Undecided bool

	// Harmless is why nothing was lost by this drop, as a connection that was closed
	// in order; empty if a packet was lost.
	Harmless string

	Where  Where  // the location of the drop, or of the point
	Reason string // as the kernel names it; empty if it gave none
	Args   []Arg  // what the source read at the drop; empty if nothing
	Packet Packet // what is known of it; zero of a Loss
	Port   Port   // the interface, as far as the kernel says one
	Netns  Netns  // of the port, or else of the socket
	Cookie []byte // of the tc or Open vSwitch action that dropped the packet
	Owner  Owner  // found by a stage, or by the source
	Task   Task   // that was running, which need not be the Owner

	// Segment is set of what TCP did, and of a Rejected or a Loss of that; nil of a drop.
	Segment *Segment

	// Point is the name of the point of a Point, which Where and Args are of; set also of a Rejected or a Loss
	// of such events; empty of all others.
	Point string

	// Reached is set of a Drop whose packet had reached a point before, if that was reported, too; nil of all others.
	Reached *Reached

	// Incident is set of a Finding, and of a Loss of findings; nil of all others. The Count of a Finding is 1.
	Incident *Incident

	// Stack is the kernel stack trace, which begins with the location of the drop,
	// Where.PC; empty if it was not recorded.
	Stack []Frame

	Place  Place         // of a Loss
	Gap    time.Duration // of a Loss at Uncovered: how long no source was running
	Ledger *Ledger       // of the End

	// Raw is the message that brought the event, as the kernel sent it, on
	// the first event of that message.
	Raw []byte
}

// An Arg is a value that a source read in the kernel at the drop, such as the length
// of a queue or its limit.
type Arg struct {
	Name   string // by which expressions call it: args.Name
	Text   string // empty if the value is Number
	Number uint64
}

// A Reached is a point that the packet of a drop has reached, the last one before it was dropped.
type Reached struct {
	Point string
	Args  []Arg // what the source of points read there
}

// Clone returns a copy that the caller owns, without Raw, which belongs to the
// message.
func (e *Event) Clone() Event {
	c := *e
	c.Packet.Data, c.Cookie = bytes.Clone(e.Packet.Data), bytes.Clone(e.Cookie)
	c.Stack, c.Args = slices.Clone(e.Stack), slices.Clone(e.Args)
	c.Packet.Flow, c.Owner.Socket = cloneInto(nil, e.Packet.Flow), cloneInto(nil, e.Owner.Socket)
	c.Segment, c.Incident = cloneInto(nil, e.Segment), cloneInto(nil, e.Incident)
	c.Reached, c.Raw = e.Reached.cloneInto(nil), nil
	return c
}

// CloneInto makes dst a copy of e, with Raw, that shares no memory with e. It uses
// the memory that dst has, so that copying again and again need not allocate.
func (e *Event) CloneInto(dst *Event) {
	data, cookie, raw, stack, args := dst.Packet.Data, dst.Cookie, dst.Raw, dst.Stack, dst.Args
	flow, socket, segment, incident, reached := dst.Packet.Flow, dst.Owner.Socket, dst.Segment, dst.Incident, dst.Reached
	*dst = *e
	dst.Packet.Data = copyInto(data, e.Packet.Data)
	dst.Cookie, dst.Raw = copyInto(cookie, e.Cookie), copyInto(raw, e.Raw)
	dst.Stack, dst.Args = copyInto(stack, e.Stack), copyInto(args, e.Args)
	dst.Packet.Flow = e.Packet.Flow.cloneInto(flow)
	dst.Segment, dst.Incident = cloneInto(segment, e.Segment), cloneInto(incident, e.Incident)
	dst.Owner.Socket, dst.Reached = cloneInto(socket, e.Owner.Socket), e.Reached.cloneInto(reached)
}

// cloneInto is as the function of that name, for r and its values.
func (r *Reached) cloneInto(to *Reached) *Reached {
	var old []Arg
	if to != nil {
		old = to.Args
	}
	if to = cloneInto(to, r); to != nil {
		to.Args = copyInto(old, r.Args)
	}
	return to
}

// copyInto copies a slice into the memory of another; nil stays nil.
func copyInto[T any](to, from []T) []T {
	if from == nil {
		return nil
	}
	return append(to[:0], from...)
}

// cloneInto copies what from points to, into the memory of to if there is any.
func cloneInto[T any](to, from *T) *T {
	if from == nil {
		return nil
	}
	if to == nil {
		to = new(T)
	}
	*to = *from
	return to
}

// Size is about how many bytes a copy of e takes.
func (e *Event) Size() int {
	const fixed = int(unsafe.Sizeof(Event{}) + unsafe.Sizeof(Flow{}) + unsafe.Sizeof(Socket{}) + unsafe.Sizeof(Segment{}))
	size := fixed + len(e.Packet.Data) + len(e.Raw) + len(e.Stack)*int(unsafe.Sizeof(Frame{})) + len(e.Args)*int(unsafe.Sizeof(Arg{}))
	if e.Incident != nil {
		size += e.Incident.size()
	}
	if r := e.Reached; r != nil {
		size += int(unsafe.Sizeof(*r)) + len(r.Args)*int(unsafe.Sizeof(Arg{}))
	}
	return size
}

// Where is the location of a drop.
type Where struct {
	Frame
	HasPC  bool   // Frame.PC is the instruction that freed it
	Kernel string // the kernel's own name of PC, function+offset/size

	Trap, TrapGroup string // of a hardware drop, the devlink trap
}

// A Frame is an address in the kernel's code, and what the symbol table says
// of it.
type Frame struct {
	PC     uint64 // 0 if there is none
	Lookup Lookup // whether Symbol, Offset and Module are known
	Symbol string // as /proc/kallsyms has it, or demangled
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

	// Buffer is the address of its struct sk_buff in this moment; 0 if not known. By it the drop of a packet is joined
	// with the point that it had reached. It is neither recorded nor printed.
	Buffer uint64

	Type   PacketType // to whom it was addressed
	Traits Traits     // what the kernel knows of it besides its bytes
	Tag    VLAN       // a tag that is not in Data, as a device has taken it out; TPID is 0 without one
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
	Known    bool   // the source says what was running
	CPU      uint32 // its number
	PID, TID uint32 // 0 if the CPU was idle, or ran what our PID namespace does not have
	Comm     string // name of the thread TID; empty if it is not known
}
