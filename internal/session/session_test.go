package session_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
)

var started = time.Unix(1_795_231_701, 246_194_123).UTC()

var header = session.Header{
	Version: 2, Program: "dropwatch 2.0", Command: "dropwatch record -s x", Source: "trace",
	Settings: map[string]string{"stack": "on", "filter": "reason == NO_SOCKET"}, Started: started,
	Host: "host", Kernel: "6.12.0", Machine: "x86_64", BootID: "4f1c", Symbols: "e4f18d9d",
}

// A list is an output that keeps what it gets.
type list struct {
	events  []event.Event
	flushed int
}

func (l *list) Emit(e *event.Event) { l.events = append(l.events, e.Clone()) }
func (l *list) Flush()              { l.flushed++ }

// A keep is a sink that takes everything.
type keep struct{}

func (keep) Write(*event.Event) error { return nil }
func (keep) Flush() error             { return nil }

// A source emits its events.
type source []event.Event

func (s source) Run(_ context.Context, out pipeline.Output) error {
	for i := range s {
		out.Emit(&s[i])
		if i%7 == 0 {
			out.Flush()
		}
	}
	return nil
}

// record runs events into a file, behind stages.
func record(t testing.TB, events []event.Event, stages ...pipeline.Stage) ([]byte, event.Ledger) {
	t.Helper()
	var file bytes.Buffer
	w, err := session.NewWriter(&file, "x", header)
	if err != nil {
		t.Fatal(err)
	}
	p := pipeline.Pipeline{Source: source(events), Stages: stages, Sink: w}
	ledger, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), ledger
}

// replay returns the events of a file before its end.
func replay(t testing.TB, file []byte) ([]event.Event, error) {
	r, err := session.Open(bytes.NewReader(file), "x")
	if err != nil {
		return nil, err
	}
	var l list
	err = r.Run(t.Context(), &l)
	return l.events, err
}

func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	events := make([]event.Event, 5000)
	for i := range events {
		events[i] = anyEvent(rnd)
	}
	file, _ := record(t, events)
	got, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	check(t, events, got)
}

// anyEvent makes an event of which each field is there or not, with few or
// extreme values.
func anyEvent(rnd *rand.Rand) event.Event {
	some := func() bool { return rnd.IntN(2) == 0 }
	text := func() string {
		return []string{"", "", "a", "eth0", "NO_SOCKET", "icmp_rcv+0x1a2/0x400 [mod]", "\x1b[2J", "a\xff\x00"}[rnd.IntN(8)]
	}
	u32 := func() uint32 { return []uint32{0, 1, 127, 128, math.MaxUint32, rnd.Uint32()}[rnd.IntN(6)] }
	u64 := func() uint64 { return []uint64{0, 1, math.MaxUint64, rnd.Uint64()}[rnd.IntN(4)] }
	frame := func() event.Frame {
		return event.Frame{
			PC: u64() % 200, Lookup: event.Lookup(rnd.IntN(int(event.Found) + 1)),
			Symbol: text(), Offset: u64(), Module: text(),
		}
	}
	data := func() []byte {
		b := make([]byte, rnd.IntN(100))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	e := event.Event{
		Time: time.Unix(0, int64(u64())), KernelTime: some(), Count: u64() >> 16, Individual: some(),
		Origin: event.Origin(rnd.IntN(int(event.Unstated) + 1)), Reason: text(), TraceOnly: some(), Segments: u64() >> 16,
		Aggregate: some(), Harmless: text(),
		Where: event.Where{HasPC: some(), Kernel: text(), Trap: text(), TrapGroup: text()},
		Port:  event.Port{IfIndex: u32(), IfName: text()},
	}
	if some() {
		e.Time = time.Time{}
	}
	switch rnd.IntN(10) {
	case 0, 1:
		e.Kind, e.Place = event.Loss, event.Place(rnd.IntN(int(event.Uncovered)+1))
		e.Gap = time.Duration(rnd.IntN(2)) * time.Second
	case 2:
		e.Kind, e.Undecided = event.Rejected, some()
	case 3:
		e.Kind = []event.Kind{event.Retransmit, event.Reset, event.TCPEvent}[rnd.IntN(3)]
	case 4:
		e.Kind, e.Point = event.Point, "accept_queue"
	case 5:
		e.Kind, e.Point = event.Loss, event.AnyPoint
	case 6:
		e.Kind, e.Incident = event.Finding, &event.Incident{
			Alert: text(), Expression: text(), Over: some(), Begun: time.Unix(0, int64(u64())), Lasted: time.Duration(u32()), Events: u64(),
			Noun: text(), Threshold: u64(), Window: time.Duration(u32()), Unreported: u64(), ID: text(), Location: text(),
			Severity: text(), Cause: text(), Fix: text(),
		}
		if some() {
			e.Incident.Detail = &event.Detail{
				Rank: u64(), Layer: text(), Module: text(), Class: text(), Rule: text(), RuleConfidence: text(),
				Facts: []event.Fact{{Name: text(), Text: text()}, {Name: text(), Text: text()}}, Apply: []string{text(), text()},
			}
		}
	case 7:
		e.Kind, e.Incident = event.Loss, &event.Incident{Begun: time.Unix(0, 0)}
	case 8:
		e.Reached = &event.Reached{Point: text(), Args: []event.Arg{{Name: text(), Text: text(), Number: u64()}}}
	}
	for range rnd.IntN(3) {
		e.Args = append(e.Args, event.Arg{Name: text(), Text: text(), Number: u64()})
	}
	if some() {
		e.Where.Frame = frame()
	}
	if some() {
		e.Packet.HasProto, e.Packet.Proto = true, uint16(u32())
	}
	if some() {
		e.Packet.HasData, e.Packet.Data, e.Packet.Link = true, data(), event.LinkType(rnd.IntN(2))
	}
	if some() {
		e.Packet.HasLen, e.Packet.Len = true, u32()
	}
	if some() {
		e.Task = event.Task{Known: true, CPU: u32(), PID: u32(), TID: u32(), Comm: text()}
	}
	if some() {
		e.Cookie = data()
	}
	if some() {
		e.Netns = event.Netns{Inode: u32(), Name: text()}
	}
	if e.Kind.IsTCP() && some() {
		e.Segment = &event.Segment{
			Type: event.SegmentType(rnd.IntN(int(event.PortReuse) + 1)), Direction: event.Direction(rnd.IntN(3)), Len: u32(), Frame: u64(),
			State: event.SocketState(rnd.IntN(13)), CongestionState: event.CongestionState(rnd.IntN(6)), RTT: u32(), Sent: u32(),
			Retries: uint8(u32()), Fate: event.Fate(rnd.IntN(4)), Doubt: text(),
		}
		if some() {
			e.Segment.Drop = event.SegmentDrop{
				Reason: text(), Port: event.Port{IfIndex: u32(), IfName: text()}, Netns: event.Netns{Inode: u32(), Name: text()},
				Rule: text(), RuleConfidence: text(),
			}
		}
		if !e.Packet.HasData {
			flow := event.TCPFlow(event.Headers{
				Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldSeq, Src: netip.MustParseAddr("2001:db8::1"),
				Dst: netip.MustParseAddr("2001:db8::2"), SrcPort: uint16(u32()), Seq: u32(),
			})
			e.Packet.Flow = &flow
		}
	}
	if e.Point != "" && !e.Packet.HasData && some() {
		flow := event.HeadersFlow(event.Headers{
			Fields: event.FieldSrc | event.FieldDstPort, Src: netip.MustParseAddr("192.0.2.1"), DstPort: uint16(u32()),
		}, uint8(u32()))
		e.Packet.Flow = &flow
	}
	if some() {
		e.Owner = anyOwner(rnd, u32, u64, text)
	}
	for range rnd.IntN(6) {
		e.Stack = append(e.Stack, frame())
	}
	return e
}

func anyOwner(rnd *rand.Rand, u32 func() uint32, u64 func() uint64, text func() string) event.Owner {
	some := func() bool { return rnd.IntN(2) == 0 }
	sure := func() event.Confidence { return event.Confidence(rnd.IntN(int(event.Certain) + 1)) }
	addr := func() netip.AddrPort {
		a := []netip.Addr{{}, netip.IPv4Unspecified(), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}[rnd.IntN(4)]
		return netip.AddrPortFrom(a, uint16(u32()))
	}
	o := event.Owner{
		Process: event.Process{PID: u32(), Comm: text(), Confidence: sure()}, Cgroup: event.Cgroup{ID: u64(), Path: text()}, Unit: text(),
		Container: event.Container{ID: text(), Runtime: text(), Name: text()}, Pod: event.Pod{UID: text(), Namespace: text(), Name: text()},
	}
	if some() {
		o.Socket = &event.Socket{
			Cookie: u64(), Inode: u64(), Family: uint16(u32()), Protocol: uint16(u32()), State: event.SocketState(u32()),
			Local: addr(), Remote: addr(), Receiver: some(), Confidence: sure(),
		}
	}
	return o
}
