package trace

import (
	"fmt"
	"strconv"
)

// A layout is what we read of skb:kfree_skb (include/trace/events/skb.h): the
// location and the protocol of every kernel, the reason since Linux 5.17. The
// socket rx_sk of Linux 6.11 only moves them.
type layout struct {
	id                         uint64
	location, protocol, reason field // reason.size is 0 where there is none
	size                       int   // an event has at least as many bytes
	reasons                    reasons
}

func newLayout(f format) (layout, error) {
	l := layout{
		id: f.id, location: f.fields["location"], protocol: f.fields["protocol"], reason: f.fields["reason"],
		reasons: newReasons(f.symbols["reason"]),
	}
	for _, d := range []field{l.location, l.protocol, l.reason} {
		l.size = max(l.size, d.offset+d.size)
	}
	if !l.location.integer() || !l.protocol.integer() || !l.reason.integer() && l.reason.size != 0 {
		return layout{}, fmt.Errorf("%w: it has no location and protocol that can be read", ErrFormat)
	}
	return l, nil
}

// reasons are the kernel's names of why it drops. Their numbers differ from one
// kernel to the next.
type reasons struct {
	core    []string          // by number: those of subsystem 0
	numbers map[uint64]string // of those without a name, as far as met
}

// maxCore is more than any kernel has reasons of its own.
const maxCore = 1 << 12

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

// name gives the kernel's name of a reason. One that the event's format does
// not name, as those of subsystems, which are the high 16 bits (enum
// skb_drop_reason_subsys), is given as the kernel itself prints it: 0x20005.
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
