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

// Limits of the drops that are remembered, in bytes. A drop takes some 300 with its flow, and some 300 more if it was by a
// firewall.
const (
	maxSegments = 32 << 20 // of drops that segments may be sent again for
	maxAnswered = 8 << 20  // of drops that resets may answer
	maxKinds    = 1 << 8   // that drops share
)

// A flow is one direction of a connection.
type flow struct{ src, dst netip.AddrPort }

// A dropped is a packet that this host dropped, with the sequence numbers from seq to before end.
type dropped struct {
	*known
	packet   *event.Packet // if a firewall dropped it, for its rule; else nil
	seq, end uint32
	ack      uint32
	hasAck   bool // ack is known
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

// An index has the drops that are remembered, by flow. Its zero value is empty.
type index struct {
	store[flow, dropped]
	kinds map[kind]*known // that the last drops have
}

// add keeps a drop, with as much of its event as those that are joined with it need. All drops take limit bytes at
// most, about.
func (x *index) add(f flow, d dropped, e *event.Event, limit int) {
	if x.kinds == nil {
		x.kinds = make(map[kind]*known)
	}
	size := x.share(&d, e)
	x.store.add(f, e.Time, d, size, limit)
}

// share sets what is known of a drop, and its packet if that is needed. It returns how many bytes they take, but
// for what other drops have, too.
func (x *index) share(d *dropped, e *event.Event) (size int) {
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

// find returns the last drop before a time that has some of the sequence numbers from seq to before end;
// nil if there is none.
func (x *index) find(f flow, seq, end uint32, before time.Time) *dropped {
	return x.last(f, func(at time.Time, d *dropped) bool {
		return at.Before(before) && before.Sub(at) < remember && overlap(d.seq, d.end, seq, end)
	})
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
