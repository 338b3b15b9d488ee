package correlate

import (
	"net/netip"
	"time"

	"dropwatch/internal/event"
)

// remember is how long a drop is kept, and how long a doubt lasts: a segment is sent again at most two
// minutes after it was sent before (TCP_RTO_MAX).
const remember = 2 * time.Minute

// Limits of an index. Of a flow with more drops the oldest are forgotten, and the flow whose drops began
// first, if there are more of all. A drop takes some 300 bytes.
const (
	maxDrops   = 1 << 14
	maxPerFlow = 64
)

// A flow is one direction of a connection.
type flow struct{ src, dst netip.AddrPort }

// A dropped is a packet that this host dropped, with the sequence numbers from seq to before end, and what is
// known of it but for what the retransmission has, too.
type dropped struct {
	seq, end uint32
	time     time.Time
	where    event.Where
	reason   string
	args     []event.Arg
	stack    []event.Frame
	port     event.Port
	netns    event.Netns
}

// A history has the last drops of a flow, at most maxPerFlow.
type history struct {
	drops  []dropped
	oldest int // if there are maxPerFlow; otherwise 0
}

// add adds a drop. It returns the time of the one that it forgot for that, zero if none.
func (h *history) add(d *dropped) (forgot time.Time) {
	if len(h.drops) < maxPerFlow {
		h.drops = append(h.drops, *d)
		return forgot
	}
	forgot, h.drops[h.oldest] = h.drops[h.oldest].time, *d
	h.oldest = (h.oldest + 1) % maxPerFlow
	return forgot
}

// back returns the drop that came i before the last one.
func (h *history) back(i int) *dropped {
	return &h.drops[(h.oldest+len(h.drops)-1-i)%len(h.drops)]
}

// An index has the drops that are remembered, by flow.
type index struct {
	flows  map[flow]*history
	order  []flow // of flows from oldest on, those whose drops began first
	oldest int
	drops  int       // in all flows
	forgot time.Time // the time of the latest drop that was forgotten
}

func newIndex() index { return index{flows: make(map[flow]*history)} }

// add keeps a drop, which becomes the index's.
func (x *index) add(f flow, d dropped) {
	if x.drops >= maxDrops {
		x.forget()
	}
	h := x.flows[f]
	if h == nil {
		h = new(history)
		x.flows[f], x.order = h, append(x.order, f)
	}
	if forgot := h.add(&d); forgot.IsZero() {
		x.drops++
	} else {
		x.forgot = forgot
	}
}

// forget forgets the drops of the oldest flow.
func (x *index) forget() {
	f := x.order[x.oldest]
	h := x.flows[f]
	for i := range h.drops {
		if h.drops[i].time.After(x.forgot) {
			x.forgot = h.drops[i].time
		}
	}
	x.drops -= len(h.drops)
	delete(x.flows, f)
	if x.oldest++; x.oldest > len(x.order)/2 { // so that each is moved once at most
		x.order, x.oldest = append(x.order[:0], x.order[x.oldest:]...), 0
	}
}

// find returns the last drop before a time that has some of the sequence numbers from seq to before end;
// nil if there is none.
func (x *index) find(f flow, seq, end uint32, before time.Time) *dropped {
	h := x.flows[f]
	if h == nil {
		return nil
	}
	for i := range h.drops {
		d := h.back(i)
		if overlap(d.seq, d.end, seq, end) && d.time.Before(before) && before.Sub(d.time) < remember {
			return d
		}
	}
	return nil
}

// overlap reports whether two ranges of sequence numbers, which wrap, have one in common.
func overlap(a, aEnd, b, bEnd uint32) bool { return int32(a-bEnd) < 0 && int32(b-aEnd) < 0 }

// spanOf returns the flow and the sequence numbers of a packet with so many bytes of payload. Ok is false
// if they are not known, or if it has none, as a pure acknowledgment.
func spanOf(h *event.Headers, payload uint32) (f flow, seq, end uint32, ok bool) {
	const needed = event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldSeq
	if h.Transport != event.TCP || !h.Has(needed) {
		return f, 0, 0, false
	}
	f = flow{netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort)}
	end = h.Seq + payload
	for _, flag := range []event.TCPFlags{event.SYN, event.FIN} {
		if h.Has(event.FieldTCPFlags) && h.TCPFlags&flag != 0 {
			end++
		}
	}
	return f, h.Seq, end, end != h.Seq
}
