package session

import (
	"math"
	"slices"

	"dropwatch/internal/event"
)

// A field of an event. Has reports whether the event has it, so that its bit is set; put writes it,
// and get reads it if its bit is set. Some fields are only bits.
type field struct {
	has func(*event.Event) bool
	put func(*encoder, *event.Event)
	get func(*decoder, *event.Event)
}

// fields are in the order of the bits of the format. New ones are appended; the order never changes.
var fields = [...]field{
	{
		func(e *event.Event) bool { return !e.Time.IsZero() },
		func(x *encoder, e *event.Event) { x.time(e.Time) },
		func(d *decoder, e *event.Event) { e.Time = d.time() },
	},
	bit(func(e *event.Event) *bool { return &e.KernelTime }),
	bit(func(e *event.Event) *bool { return &e.Individual }),
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
	bit(func(e *event.Event) *bool { return &e.TraceOnly }),
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
		func(d *decoder, e *event.Event) { d.loss(e) },
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
	bit(func(e *event.Event) *bool { return &e.Owner.Pending }),
	bit(func(e *event.Event) *bool { return &e.Aggregate }),
	bit(func(e *event.Event) *bool { return &e.Fragment }),
	bit(func(e *event.Event) *bool { return &e.Undecided }),
	{
		func(e *event.Event) bool { return slices.Contains(otherKinds[:], e.Kind) },
		func(x *encoder, e *event.Event) { x.number(uint64(slices.Index(otherKinds[:], e.Kind))) },
		func(d *decoder, e *event.Event) { e.Kind = otherKinds[d.number(uint64(len(otherKinds)-1))] },
	},
	{
		func(e *event.Event) bool { return e.Segments != 0 },
		func(x *encoder, e *event.Event) { x.number(e.Segments) },
		func(d *decoder, e *event.Event) { e.Segments = d.number(math.MaxUint64) },
	},
	text(func(e *event.Event) *string { return &e.Harmless }),
	{
		func(e *event.Event) bool { return len(e.Args) > 0 },
		func(x *encoder, e *event.Event) { x.args(e.Args) },
		func(d *decoder, e *event.Event) { e.Args = d.args() },
	},
	{
		func(e *event.Event) bool { return e.Gap != 0 },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Gap)) },
		func(d *decoder, e *event.Event) { e.Gap = d.duration() },
	},
	{
		func(e *event.Event) bool { return e.Packet.Type != event.PacketTypeUnknown },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Packet.Type)) },
		func(d *decoder, e *event.Event) { e.Packet.Type = event.PacketType(d.number(math.MaxUint8)) },
	},
	{
		func(e *event.Event) bool { return e.Packet.Traits != 0 },
		func(x *encoder, e *event.Event) { x.number(uint64(e.Packet.Traits)) },
		func(d *decoder, e *event.Event) { e.Packet.Traits = event.Traits(d.number(math.MaxUint8)) },
	},
	{
		func(e *event.Event) bool { return e.Packet.Tag != event.VLAN{} },
		func(x *encoder, e *event.Event) { x.tag(e.Packet.Tag) },
		func(d *decoder, e *event.Event) { e.Packet.Tag = d.tag() },
	},
	{
		func(e *event.Event) bool { return e.Segment != nil },
		func(x *encoder, e *event.Event) { x.segment(e.Segment) },
		func(d *decoder, e *event.Event) { e.Segment = d.segment() },
	},
	{
		func(e *event.Event) bool { return e.Segment != nil && !e.Packet.HasData && e.Packet.Flow != nil },
		func(x *encoder, e *event.Event) { x.connection(&e.Packet.Flow.Headers) },
		func(d *decoder, e *event.Event) { e.Packet.Flow = d.connection(protocolTCP) },
	},
	{
		func(e *event.Event) bool { return e.Segment != nil && e.Segment.File != "" },
		func(x *encoder, e *event.Event) { x.text(e.Segment.File) },
		func(d *decoder, e *event.Event) { d.segmentFile(e.Segment) },
	},
	text(func(e *event.Event) *string { return &e.Point }),
	{
		func(e *event.Event) bool { return e.Point != "" && !e.Packet.HasData && e.Packet.Flow != nil },
		func(x *encoder, e *event.Event) {
			x.number(uint64(e.Packet.Flow.Protocol))
			x.connection(&e.Packet.Flow.Headers)
		},
		func(d *decoder, e *event.Event) { e.Packet.Flow = d.connection(uint8(d.number(math.MaxUint8))) },
	},
	{
		func(e *event.Event) bool { return e.Segment != nil && e.Segment.Drop != event.SegmentDrop{} },
		func(x *encoder, e *event.Event) { x.segmentDrop(&e.Segment.Drop) },
		func(d *decoder, e *event.Event) { d.segmentDrop(e.Segment) },
	},
	{
		func(e *event.Event) bool { return e.Incident != nil },
		func(x *encoder, e *event.Event) { x.incident(e.Incident) },
		func(d *decoder, e *event.Event) { e.Incident = d.incident() },
	},
	{
		func(e *event.Event) bool { return e.Reached != nil },
		func(x *encoder, e *event.Event) {
			x.text(e.Reached.Point)
			x.args(e.Reached.Args)
		},
		func(d *decoder, e *event.Event) { e.Reached = &event.Reached{Point: d.text(), Args: d.args()} },
	},
	{
		func(e *event.Event) bool { return e.Incident != nil && e.Incident.Detail != nil },
		func(x *encoder, e *event.Event) { x.detail(e.Incident.Detail) },
		func(d *decoder, e *event.Event) { d.incidentDetail(e.Incident) },
	},
}

// otherKinds are the kinds without a bit of their own, in the order of the format.
var otherKinds = [...]event.Kind{event.Retransmit, event.Rejected, event.Reset, event.TCPEvent, event.Point, event.Finding}

const protocolTCP = 6 // IPPROTO_TCP

// connectionFields are the header fields of a packet without bytes that are recorded.
const connectionFields = event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldSeq | event.FieldAck |
	event.FieldTCPFlags

// bit returns a field that is true if its bit is set.
func bit(of func(*event.Event) *bool) field {
	return field{
		func(e *event.Event) bool { return *of(e) },
		func(*encoder, *event.Event) {},
		func(_ *decoder, e *event.Event) { *of(e) = true },
	}
}

// text returns a field that is a string, whose bit is set unless it is empty.
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

// places are the places of losses in the order of the format, which never changes.
var places = [...]event.Place{
	event.AtSocket, event.InQueue, event.Unread, event.Undecoded, event.InRing, event.FullSummary, event.LostSummary,
	event.InSink, event.Overflow, event.Unopened, event.Uncovered, event.Evicted,
}

// places1 is how many of them version 1 has. There the next number stands for rejected drops.
const places1 = 7

// Limits of the tables and their entries, and how many bytes an entry counts.
const (
	maxTables  = 1 << 20
	maxStack   = 8192
	maxArgs    = 256 // of values, and of lines of a finding
	stringCost = 32
	frameCost  = 64
	stackCost  = 32
	callCost   = 4
)
