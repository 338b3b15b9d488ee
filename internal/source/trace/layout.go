package trace

import (
	"fmt"
	"slices"
	"strconv"

	"dropwatch/internal/perf"
)

// dropEvent is the tracepoint of every packet that the kernel frees.
const dropEvent = "skb/kfree_skb"

// A layout is where the fields of skb:kfree_skb are that are read (include/trace/events/skb.h):
// the number of the event, the address of the packet, location and protocol, and since Linux 5.17
// the reason. The socket rx_sk of Linux 6.11 is not read; it only moves the others.
type layout struct {
	id                                     uint64     // of the event
	event, skb, location, protocol, reason perf.Field // reason.Size is 0 before Linux 5.17
	size                                   int        // bytes that an event has at least
	reasons                                reasons
}

// newLayout returns the layout of a format, or an error if a field is missing.
func newLayout(f perf.Format) (layout, error) {
	l := layout{
		id: f.ID, event: f.Fields[perf.EventField], skb: f.Fields["skbaddr"],
		location: f.Fields["location"], protocol: f.Fields["protocol"], reason: f.Fields["reason"],
		reasons: newReasons(f.Symbols["reason"]),
	}
	needed := []perf.Field{l.event, l.skb, l.location, l.protocol}
	for _, d := range append(needed, l.reason) {
		l.size = max(l.size, d.Offset+d.Size)
	}
	if !l.reason.Integer() && l.reason.Size != 0 || slices.ContainsFunc(needed, func(d perf.Field) bool { return !d.Integer() }) {
		return layout{}, fmt.Errorf("%w: it has no packet, location and protocol that can be read", perf.ErrFormat)
	}
	return l, nil
}

// reasons are the kernel's names of drop reasons by number, which differs between kernels.
type reasons struct {
	core    []string          // by number, of subsystem 0
	numbers map[uint64]string // by number, of others; those without a name are added when they are met
}

// maxCore is more than the number of reasons of subsystem 0 in any kernel.
const maxCore = 1 << 12

// newReasons returns reasons with these names.
func newReasons(names map[uint64]string) reasons {
	r := reasons{numbers: make(map[uint64]string)}
	for n, name := range names {
		if n >= maxCore {
			r.numbers[n] = name
			continue
		}
		for uint64(len(r.core)) <= n {
			r.core = append(r.core, "")
		}
		r.core[n] = name
	}
	return r
}

// has reports whether the kernel has a reason of that name, of subsystem 0.
func (r *reasons) has(name string) bool { return slices.Contains(r.core, name) }

// name returns the name of a reason. The event's format does not name those of subsystems, which
// have the number of the subsystem in the high 16 bits (enum skb_drop_reason_subsys): such a
// reason is a number as the kernel prints it, 0x20005.
func (r *reasons) name(n uint64) string {
	if n < uint64(len(r.core)) && r.core[n] != "" {
		return r.core[n]
	}
	name, ok := r.numbers[n]
	if !ok {
		name = "0x" + strconv.FormatUint(n, 16)
		if len(r.numbers) < maxCore {
			r.numbers[n] = name
		}
	}
	return name
}
