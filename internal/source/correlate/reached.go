package correlate

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"
	"unsafe"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
)

// A Reached is a pipeline.Source of drops and of points, which sets [event.Event.Reached] of drops. A drop is of the
// packet of a point if that was on the same CPU just before, at the same address, with the same headers and payload as far
// as both are known, and if no other packet at that address was dropped in between. A built-in point that says which
// drops it is of is joined with no others. So neither drops that were only counted are joined, nor points without the
// headers of packets.
//
// Drops wait until the points before them have been read, and keep their order.
type Reached struct {
	Source pipeline.Source  // of both
	Points []Reading        // the sources of points in Source
	Stages []pipeline.Stage // decode the packet of an event, and name its location; they are used by this source alone

	mu      sync.Mutex // protects what follows, and the use of the output
	out     pipeline.Output
	points  store[buffer, passed]
	waiting queue
	ticking bool // emitRead comes in a tick
	ended   bool // Source does not run any more
	emitted event.Event
	staged  event.Event // what Stages say of an event, which whoever gets it need not know
}

// A buffer is where a packet was.
type buffer struct {
	cpu     uint32
	address uint64 // of the struct sk_buff
}

// A passed is a point that a packet has reached.
type passed struct {
	reached *event.Reached
	packet  event.Packet
	dropped bool // a packet at its address was dropped after it
}

// Limits of what is joined: the bytes of all points that are remembered, and by how much the times of two sources, which
// convert those of the kernel, may differ.
const (
	maxPoints  = 8 << 20
	clockError = 5 * time.Microsecond
)

// Run runs the source until ctx ends.
func (s *Reached) Run(ctx context.Context, out pipeline.Output) error {
	s.out = out
	err := s.Source.Run(ctx, (*reachedOutput)(s))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.release(func(*event.Event) bool { return true })
	out.Flush()
	return err
}

// reachedOutput is the Output of the source.
type reachedOutput Reached

// Emit keeps a drop until the points before it have been read, and remembers a point.
func (o *reachedOutput) Emit(e *event.Event) {
	s := (*Reached)(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case event.Drop:
		if e.Packet.Buffer != 0 || s.waiting.n > 0 {
			s.wait(e)
			return
		}
	case event.Point:
		s.remember(e)
	case event.Retransmit, event.Reset, event.TCPEvent, event.Finding, event.Rejected, event.Loss, event.End: // of no packet that is joined
	}
	s.out.Emit(e)
}

// Flush flushes what was emitted at once.
func (o *reachedOutput) Flush() {
	s := (*Reached)(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Flush()
}

// wait keeps a copy of a drop. If too many wait, the oldest are joined with the points that are known.
func (s *Reached) wait(e *event.Event) {
	s.release(func(*event.Event) bool { return s.waiting.n >= maxWaiting })
	s.waiting.push(e)
	s.emitLater()
}

// emitLater has emitRead called in a tick, unless that is so already. The caller holds mu.
func (s *Reached) emitLater() {
	if !s.ticking {
		s.ticking = true
		time.AfterFunc(tick, s.emitRead)
	}
}

// emitRead emits the drops before which all points have been read, and those that have waited for maxWait.
func (s *Reached) emitRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ticking = false
	if s.ended {
		return
	}
	now := time.Now()
	read := now
	for _, p := range s.Points {
		if until := p.ReadUntil(); until.Before(read) {
			read = until
		}
	}
	s.release(func(e *event.Event) bool { return e.Time.Before(read.Add(-margin)) || now.Sub(e.Time) > maxWait })
	s.out.Flush()
	if s.waiting.n == 0 {
		return
	}
	for _, p := range s.Points {
		p.Wake()
	}
	s.emitLater()
}

// release joins and emits the first of the waiting drops while ready returns true.
func (s *Reached) release(ready func(*event.Event) bool) {
	for s.waiting.n > 0 && ready(s.waiting.at(0)) {
		s.waiting.pop(&s.emitted)
		s.join(&s.emitted)
		s.out.Emit(&s.emitted)
	}
}

// remember keeps a point that a packet has reached whose headers are known.
func (s *Reached) remember(e *event.Event) {
	if e.Packet.Buffer == 0 || !e.Packet.HasData {
		return
	}
	v := passed{reached: &event.Reached{Point: e.Point, Args: slices.Clone(e.Args)}, packet: e.Packet}
	v.packet.Data, v.packet.Flow = bytes.Clone(e.Packet.Data), nil
	size := len(v.packet.Data) + int(unsafe.Sizeof(event.Reached{})) + len(e.Args)*int(unsafe.Sizeof(event.Arg{}))
	s.points.add(buffer{e.Task.CPU, e.Packet.Buffer}, e.Time, v, size, maxPoints)
}

// join sets the last point that the packet of a drop has reached. From then on another packet may be at its address.
func (s *Reached) join(drop *event.Event) {
	if drop.Packet.Buffer == 0 {
		return
	}
	var at time.Time
	p := s.points.last(buffer{drop.Task.CPU, drop.Packet.Buffer}, func(reached time.Time, _ *passed) bool {
		at = reached
		return !reached.After(drop.Time.Add(clockError))
	})
	if p == nil || p.dropped {
		return
	}
	p.dropped = true
	if drop.Time.Sub(at) <= maxAnswer && s.isSame(drop, p) {
		drop.Reached = p.reached
	}
}

// isSame reports whether a drop may be of the packet at a point, by all that is known of both.
func (s *Reached) isSame(drop *event.Event, p *passed) bool {
	s.staged = *drop
	a, aData, ok := s.decode()
	if !ok || !mayExplain(p.reached.Point, &s.staged) {
		return false
	}
	s.staged = event.Event{Packet: p.packet}
	b, bData, ok := s.decode()
	n := min(len(aData), len(bData))
	return ok && agree(&a, &b) && bytes.Equal(aData[:n], bData[:n])
}

// decode returns the headers of the packet of the staged event, and the bytes behind them.
func (s *Reached) decode() (h event.Headers, data []byte, ok bool) {
	for _, stage := range s.Stages {
		stage(&s.staged)
	}
	p := &s.staged.Packet
	if p.Flow == nil || !p.HasData {
		return h, nil, false
	}
	return p.Flow.Headers, p.Data[min(int(p.Flow.Stop.Offset), len(p.Data)):], true
}

// mayExplain reports whether a point may be of a drop: a built-in one says of which.
func mayExplain(name string, drop *event.Event) bool {
	p, builtin := point.Lookup(name)
	if !builtin || len(p.Drops) == 0 {
		return true
	}
	en := knowledge.Find(drop)
	return en != nil && slices.Contains(p.Drops, en.Name)
}

// agree reports whether two packets have the same addresses, and the same of all else that no host on the way changes, as
// far as both have it.
func agree(a, b *event.Headers) bool {
	both := a.Fields & b.Fields
	differs := func(f event.Fields, differs bool) bool { return both&f != 0 && differs }
	return both&(event.FieldSrc|event.FieldDst) == event.FieldSrc|event.FieldDst && a.Src == b.Src && a.Dst == b.Dst &&
		!differs(event.FieldProtocol, a.Protocol != b.Protocol) &&
		!differs(event.FieldFragmentID, a.FragmentID != b.FragmentID) &&
		!differs(event.FieldFragment, a.FragmentOffset != b.FragmentOffset) &&
		!differs(event.FieldTotalLen, a.TotalLen != b.TotalLen) &&
		!differs(event.FieldSrcPort, a.SrcPort != b.SrcPort) && !differs(event.FieldDstPort, a.DstPort != b.DstPort) &&
		!differs(event.FieldSeq, a.Seq != b.Seq) && !differs(event.FieldAck, a.Ack != b.Ack) &&
		!differs(event.FieldTCPFlags, a.TCPFlags != b.TCPFlags) && !differs(event.FieldUDPLen, a.UDPLen != b.UDPLen) &&
		!differs(event.FieldICMPType, a.ICMPType != b.ICMPType) && !differs(event.FieldICMPID, a.ICMPID != b.ICMPID) &&
		!differs(event.FieldICMPSeq, a.ICMPSeq != b.ICMPSeq) && !differs(event.FieldSPI, a.SPI != b.SPI)
}
