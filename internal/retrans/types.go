package retrans

import (
	"iter"
	"math/bits"

	"dropwatch/internal/event"
)

// Types is a set of types of segments.
type Types uint32

// Of returns the set of one type.
func Of(t event.SegmentType) Types { return 1 << t }

// Has reports whether a type is in the set.
func (ts Types) Has(t event.SegmentType) bool { return ts&Of(t) != 0 }

// All iterates over the types, in the order of their declaration.
func (ts Types) All() iter.Seq[event.SegmentType] {
	return func(yield func(event.SegmentType) bool) {
		for rest := ts; rest != 0; rest &= rest - 1 {
			if !yield(event.SegmentType(bits.TrailingZeros32(uint32(rest)))) {
				return
			}
		}
	}
}

// resent are the types of segments that carry again what had been sent. A keep-alive is none: it has
// nothing to deliver.
const resent = 1<<event.Retransmission | 1<<event.FastRetransmit | 1<<event.Spurious | 1<<event.SYNRetransmit |
	1<<event.SYNACKRetransmit | 1<<event.FINRetransmit

// KindOf returns the kind of event that a type belongs to.
func KindOf(t event.SegmentType) event.Kind {
	if t == event.KeepAlive || resent&Of(t) != 0 {
		return event.Retransmit
	}
	return event.TCPEvent
}
