package live

import (
	"slices"
	"unsafe"

	"dropwatch/internal/event"
)

// A recent keeps the latest events within bounds.
type recent struct {
	events []*event.Event // the latest last
	bytes  int            // the sum of their sizes
}

// add keeps e, and drops the oldest events until there are at most number of them
// with at most so many bytes. One event is always kept.
func (r *recent) add(e *event.Event, number, bytes int) {
	r.events = append(r.events, e)
	r.bytes += size(e)
	for len(r.events) > number || r.bytes > bytes && len(r.events) > 1 {
		r.bytes -= size(r.events[0])
		r.events[0] = nil
		r.events = r.events[1:]
	}
}

func (r *recent) clone() recent { return recent{slices.Clone(r.events), r.bytes} }

// size estimates the memory of an event in bytes.
func size(e *event.Event) int {
	n := int(unsafe.Sizeof(*e)) + len(e.Packet.Data) + len(e.Cookie) + len(e.Stack)*int(unsafe.Sizeof(event.Frame{}))
	if e.Packet.Flow != nil {
		n += int(unsafe.Sizeof(*e.Packet.Flow))
	}
	if e.Segment != nil {
		n += int(unsafe.Sizeof(*e.Segment))
	}
	if e.Owner.Socket != nil {
		n += int(unsafe.Sizeof(*e.Owner.Socket))
	}
	return n
}
