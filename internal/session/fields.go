package session

import (
	"math"

	"dropwatch/internal/event"
)

// A field of an event: whether it is in the set of those that are written, and
// how it is written and read. A field of one bit has nothing to write.
type field struct {
	has func(*event.Event) bool
	put func(*encoder, *event.Event)
	get func(*decoder, *event.Event)
}

// fields are in the order of the format, for good.
var fields = [...]field{
	{
		func(e *event.Event) bool { return !e.Time.IsZero() },
		func(x *encoder, e *event.Event) { x.time(e.Time) },
		func(d *decoder, e *event.Event) { e.Time = d.time() },
	},
	bit(func(e *event.Event) *bool { return &e.Stamped }),
	bit(func(e *event.Event) *bool { return &e.Single }),
	bit(func(e *event.Event) *bool { return &e.Where.HasPC }),
	{
		func(e *event.Event) bool { return e.Where.Frame != event.Frame{} },
		func(x *encoder, e *event.Event) { x.frame(&e.Where.Frame) },
		func(d *decoder, e *event.Event) { e.Where.Frame = d.frame() },
	},
	text(func(e *event.Event) *string { return &e.Where.Kernel }),
	text(func(e *event.Event) *string { return &e.Reason }),
	{
		func(e *event.Event) bool { return e.Packet.HasProto },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Packet.Proto)) },
		func(d *decoder, e *event.Event) {
			e.Packet.Proto, e.Packet.HasProto = uint16(d.number(math.MaxUint16)), true
		},
	},
	{
		func(e *event.Event) bool { return e.Packet.HasData },
		func(x *encoder, e *event.Event) {
			x.number(uint64(e.Packet.Link))
			x.bytes(e.Packet.Data)
		},
		func(d *decoder, e *event.Event) {
			e.Packet.Link = event.LinkType(d.number(uint64(event.LinkRaw)))
			e.Packet.Data, e.Packet.HasData = d.bytes(), true
		},
	},
	{
		func(e *event.Event) bool { return e.Packet.HasLen },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Packet.Len)) },
		func(d *decoder, e *event.Event) {
			e.Packet.Len, e.Packet.HasLen = uint32(d.number(math.MaxUint32)), true
		},
	},
	{
		func(e *event.Event) bool { return e.Port.IfIndex != 0 },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Port.IfIndex)) },
		func(d *decoder, e *event.Event) { e.Port.IfIndex = uint32(d.number(math.MaxUint32)) },
	},
	text(func(e *event.Event) *string { return &e.Port.IfName }),
	{
		func(e *event.Event) bool { return e.Task.Known },
		func(x *encoder, e *event.Event) {
			x.number(uint64(e.Task.CPU))
			x.number(uint64(e.Task.PID))
			x.number(uint64(e.Task.PID ^ e.Task.TID))
		},
		func(d *decoder, e *event.Event) {
			t := &e.Task
			t.Known, t.CPU, t.PID = true, uint32(d.number(math.MaxUint32)), uint32(d.number(math.MaxUint32))
			t.TID = t.PID ^ uint32(d.number(math.MaxUint32))
		},
	},
	{
		func(e *event.Event) bool { return len(e.Stack) > 0 },
		func(x *encoder, e *event.Event) { x.stack(e.Stack) },
		func(d *decoder, e *event.Event) { e.Stack = d.stack() },
	},
	text(func(e *event.Event) *string { return &e.Task.Comm }),
	{
		func(e *event.Event) bool { return e.Count != 1 },
		func(x *encoder, e *event.Event) { x.number(e.Count) },
		func(d *decoder, e *event.Event) { e.Count = d.number(math.MaxUint64) },
	},
	bit(func(e *event.Event) *bool { return &e.Unseen }),
	{
		func(e *event.Event) bool { return e.Origin != event.Software },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Origin)) },
		func(d *decoder, e *event.Event) { e.Origin = event.Origin(d.number(uint64(event.Unstated))) },
	},
	text(func(e *event.Event) *string { return &e.Where.Trap }),
	text(func(e *event.Event) *string { return &e.Where.TrapGroup }),
	{
		func(e *event.Event) bool { return e.Cookie != nil },
		func(x *encoder, e *event.Event) { x.bytes(e.Cookie) },
		func(d *decoder, e *event.Event) { e.Cookie = d.bytes() },
	},
	{
		func(e *event.Event) bool { return e.Kind == event.Loss },
		func(x *encoder, e *event.Event) { x.place(e.Place) },
		func(d *decoder, e *event.Event) { e.Kind, e.Place = event.Loss, d.place() },
	},
	{
		func(e *event.Event) bool { return e.Netns.Inode != 0 },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Netns.Inode)) },
		func(d *decoder, e *event.Event) { e.Netns.Inode = uint32(d.number(math.MaxUint32)) },
	},
	text(func(e *event.Event) *string { return &e.Netns.Name }),
	{
		func(e *event.Event) bool { return e.Owner.Cgroup.ID != 0 },
		func(x *encoder, e *event.Event) { x.number(e.Owner.Cgroup.ID) },
		func(d *decoder, e *event.Event) { e.Owner.Cgroup.ID = d.number(math.MaxUint64) },
	},
	text(func(e *event.Event) *string { return &e.Owner.Cgroup.Path }),
	{
		func(e *event.Event) bool { return e.Owner.Socket != nil },
		func(x *encoder, e *event.Event) { x.socket(e.Owner.Socket) },
		func(d *decoder, e *event.Event) { e.Owner.Socket = d.socket() },
	},
	{
		func(e *event.Event) bool {
			return e.Owner.Process.PID != 0 || e.Owner.Process.Confidence != event.Unsure
		},
		func(x *encoder, e *event.Event) {
			x.number(uint64(e.Owner.Process.PID))
			x.number(uint64(e.Owner.Process.Confidence))
		},
		func(d *decoder, e *event.Event) {
			p := &e.Owner.Process
			p.PID, p.Confidence = uint32(d.number(math.MaxUint32)), d.confidence()
		},
	},
	text(func(e *event.Event) *string { return &e.Owner.Process.Comm }),
	text(func(e *event.Event) *string { return &e.Owner.Unit }),
	text(func(e *event.Event) *string { return &e.Owner.Container.ID }),
	text(func(e *event.Event) *string { return &e.Owner.Container.Runtime }),
	text(func(e *event.Event) *string { return &e.Owner.Container.Name }),
	text(func(e *event.Event) *string { return &e.Owner.Pod.UID }),
	text(func(e *event.Event) *string { return &e.Owner.Pod.Namespace }),
	text(func(e *event.Event) *string { return &e.Owner.Pod.Name }),
	{
		func(e *event.Event) bool {
			return e.Owner.Socket != nil && e.Owner.Socket.Confidence != event.Unsure
		},
		func(x *encoder, e *event.Event) { x.number(uint64(e.Owner.Socket.Confidence)) },
		func(d *decoder, e *event.Event) { d.socketConfidence(e.Owner.Socket) },
	},
}

// bit is a field that is true if it is in the set.
func bit(of func(*event.Event) *bool) field {
	return field{
		func(e *event.Event) bool { return *of(e) },
		func(*encoder, *event.Event) {},
		func(_ *decoder, e *event.Event) { *of(e) = true },
	}
}

// text is a string, which is in the set unless it is empty.
func text(of func(*event.Event) *string) field {
	return field{
		func(e *event.Event) bool { return *of(e) != "" },
		func(x *encoder, e *event.Event) { x.text(*of(e)) },
		func(d *decoder, e *event.Event) { *of(e) = d.text() },
	}
}

// The kinds of records.
const (
	recordEvent   = 1
	recordEnd     = 2
	recordRestart = 3
)

// places are those of losses in the order of the format, for good.
var places = [...]event.Place{
	event.AtSocket, event.InQueue, event.Unread, event.Undecoded, event.InRing,
	event.FullSummary, event.LostSummary, event.ByFilter,
}

// lost gives the number that the ledger has for a place of losses.
func lost(l *event.Ledger, p event.Place) uint64 {
	switch p {
	case event.FullSummary:
		return l.Full
	case event.LostSummary:
		return l.Missed
	case event.ByFilter:
		return l.Rejected
	}
	return l.Lost[p]
}

// The limits of tables and of what is in them, and what each entry counts for.
const (
	maxTables  = 1 << 20
	maxStack   = 8192
	stringCost = 32
	frameCost  = 64
	stackCost  = 32
	callCost   = 4
)
