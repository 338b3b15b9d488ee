package correlate

import (
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"dropwatch/internal/event"
)

// remember is how long a drop is kept, and how long a doubt lasts: a segment is sent again at most two
// minutes after it was sent before (TCP_RTO_MAX).
const remember = 2 * time.Minute

// Limits of what is remembered. Drops of one flow are searched one after the other, so that of more than
// maxPerFlow the oldest are forgotten; of all drops, if they take more than so many bytes. A drop takes some
// 300 bytes with its flow, and some 300 more if it was by a firewall.
const (
	maxPerFlow  = 1 << 11
	maxSegments = 32 << 20 // of drops that segments may be sent again for
	maxAnswered = 8 << 20  // of drops that resets may answer
	maxKinds    = 1 << 8   // that drops share
)

// A flow is one direction of a connection.
type flow struct{ src, dst netip.AddrPort }

// A dropped is a packet that this host dropped, with the sequence numbers from seq to before end.
type dropped struct {
	*known
	time     time.Time
	packet   *event.Packet // if a firewall dropped it, for its rule; else nil
	number   uint64        // of all drops of the index
	seq, end uint32
	ack      uint32
	hasAck   bool
}

// A known is what is known of drops but for their packets.
type known struct {
	kind
	args  []event.Arg
	stack []event.Frame
}

// A kind has what distinguishes drops, with a hash of their stack.
type kind struct {
	where  event.Where
	reason string
	port   event.Port
	netns  event.Netns
	calls  uint64
}

// A history has the drops of a flow that are remembered, in the order in which they came.
type history struct {
	flow   flow
	drops  []dropped
	forgot time.Time // the time of the last one for which there was no room among these
}

// An entry is where the drop of a number is.
type entry struct {
	of     *history
	number uint64
	size   int
}

// An index has the drops that are remembered, by flow. Its zero value is empty.
type index struct {
	flows  map[flow]*history
	order  []entry // from oldest on, in the order in which they came
	oldest int
	added  uint64          // drops, so far
	size   int             // bytes of those in order
	kinds  map[kind]*known // that the last drops have
	forgot time.Time       // the time of the last drop for which there was no room
}

// add keeps a drop, with as much of its event as those that are joined with it need. All drops take limit bytes at
// most, about.
func (x *index) add(f flow, d dropped, e *event.Event, limit int) {
	if x.flows == nil {
		x.flows, x.kinds = make(map[flow]*history), make(map[kind]*known)
	}
	h, known := x.flows[f]
	if !known {
		h = &history{flow: f}
		x.flows[f] = h
	}
	size := int(unsafe.Sizeof(d)+unsafe.Sizeof(entry{})+unsafe.Sizeof(*h)+unsafe.Sizeof(f)) + x.share(&d, e)
	x.added++
	d.number = x.added
	if len(h.drops) >= maxPerFlow {
		h.forgot = h.drops[0].time
		h.removeFirst()
	}
	h.drops = append(h.drops, d)
	x.order = append(x.order, entry{h, d.number, size})
	for x.size += size; x.size > limit; {
		x.forget()
	}
}

// share sets what is known of a drop, and its packet if that is needed. It returns how many bytes they take, but
// for what other drops have, too.
func (x *index) share(d *dropped, e *event.Event) (size int) {
	d.time = e.Time
	k := kind{e.Where, e.Reason, e.Port, e.Netns, hashCalls(e.Stack)}
	d.known = x.kinds[k]
	if d.known == nil || !slices.Equal(d.stack, e.Stack) || !slices.Equal(d.args, e.Args) {
		d.known = &known{k, slices.Clone(e.Args), slices.Clone(e.Stack)}
		if len(x.kinds) >= maxKinds {
			clear(x.kinds)
		}
		x.kinds[k] = d.known
		size = int(unsafe.Sizeof(*d.known)) + len(e.Args)*int(unsafe.Sizeof(event.Arg{})) + len(e.Stack)*int(unsafe.Sizeof(event.Frame{}))
	}
	if isByFirewall(e) {
		p := e.Packet
		p.Data, p.Flow = slices.Clone(p.Data), nil
		d.packet = &p
		size += int(unsafe.Sizeof(p)) + len(p.Data)
	}
	return size
}

// hashCalls is FNV-1a of the addresses of a stack, by words.
func hashCalls(stack []event.Frame) uint64 {
	h := uint64(14695981039346656037)
	for i := range stack {
		h = (h ^ stack[i].PC) * 1099511628211
	}
	return h
}

// forget forgets the oldest drop.
func (x *index) forget() {
	e := x.order[x.oldest]
	x.size -= e.size
	if h := e.of; len(h.drops) > 0 && h.drops[0].number == e.number { // else it was one too many of its flow
		x.forgot = h.drops[0].time
		if h.removeFirst(); len(h.drops) == 0 {
			delete(x.flows, h.flow)
		}
	}
	x.order[x.oldest] = entry{}
	if x.oldest++; x.oldest > len(x.order)/2 { // so that each is moved once at most
		x.order, x.oldest = append(x.order[:0], x.order[x.oldest:]...), 0
	}
}

// removeFirst removes the oldest drop.
func (h *history) removeFirst() {
	h.drops[0] = dropped{}
	h.drops = h.drops[1:]
}

// find returns the last drop before a time that has some of the sequence numbers from seq to before end;
// nil if there is none.
func (x *index) find(f flow, seq, end uint32, before time.Time) *dropped {
	return x.last(f, func(d *dropped) bool {
		return d.time.Before(before) && before.Sub(d.time) < remember && overlap(d.seq, d.end, seq, end)
	})
}

// last returns the last drop of a flow for which is returns true, nil if there is none. It is valid until a drop is added.
func (x *index) last(f flow, is func(*dropped) bool) *dropped {
	h := x.flows[f]
	if h == nil {
		return nil
	}
	for i := len(h.drops) - 1; i >= 0; i-- {
		if is(&h.drops[i]) {
			return &h.drops[i]
		}
	}
	return nil
}

// forgotten returns the time of the last drop that is not remembered and may be of a flow.
func (x *index) forgotten(f flow) time.Time {
	if h := x.flows[f]; h != nil && h.forgot.After(x.forgot) {
		return h.forgot
	}
	return x.forgot
}

// overlap reports whether two ranges of sequence numbers, which wrap, have one in common.
func overlap(a, aEnd, b, bEnd uint32) bool { return int32(a-bEnd) < 0 && int32(b-aEnd) < 0 }

// spanOf returns the flow and the sequence numbers of a packet with so many bytes of payload; if it has no
// payload, as a pure acknowledgment, end is seq. Ok is false if they are not known.
func spanOf(h *event.Headers, payload uint32) (f flow, seq, end uint32, ok bool) {
	const needed = event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldSeq
	if h.Transport != event.TCP || !h.Has(needed) {
		return f, 0, 0, false
	}
	end = h.Seq + payload
	for _, flag := range []event.TCPFlags{event.SYN, event.FIN} {
		if h.Has(event.FieldTCPFlags) && h.TCPFlags&flag != 0 {
			end++
		}
	}
	return flowOf(h), h.Seq, end, true
}

func flowOf(h *event.Headers) flow {
	return flow{netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort)}
}
