package diagnose

import (
	"fmt"

	"dropwatch/internal/event"
)

// lengths are the least and the greatest length of packets, in bytes as the kernel had them when it dropped them: at an
// interface with their link headers. The zero lengths are of none.
type lengths struct{ least, most uint32 }

// add adds a packet. One that stands for several segments of TCP on the wire adds the length of those; of other protocols it
// is left out, as that is not known.
func (l *lengths) add(p *event.Packet, segments uint64) {
	n, ofTCP := p.Len, p.Flow != nil && p.Flow.TCPLen > 0 && p.Flow.TCPLen < p.Len
	switch {
	case !p.HasLen, n == 0, segments > 1 && !ofTCP:
		return
	case segments > 1: // the last may be shorter
		n -= p.Flow.TCPLen
		n += (p.Flow.TCPLen + uint32(segments) - 1) / uint32(segments)
	}
	l.join(lengths{n, n})
}

// join adds those of o.
func (l *lengths) join(o lengths) {
	switch {
	case o.most == 0:
	case l.most == 0:
		*l = o
	default:
		l.least, l.most = min(l.least, o.least), max(l.most, o.most)
	}
}

// String is for a person: "1442 bytes", "60 to 1442 bytes".
func (l lengths) String() string {
	if l.least == l.most {
		return fmt.Sprintf("%d bytes", l.most)
	}
	return fmt.Sprintf("%d to %d bytes", l.least, l.most)
}
