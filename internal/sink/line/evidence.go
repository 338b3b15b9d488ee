package line

import (
	"slices"
	"strconv"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// appendEvidence appends what shows the cause of some drops, and is noise for
// others: the destination MAC address at the link layer, a TTL that has expired,
// the netfilter hook, the arguments that the source read, and the point that
// the packet had reached.
func appendEvidence(b []byte, e *event.Event) []byte {
	f := e.Packet.Flow
	if f != nil && f.Has(event.FieldEthDst) && f.Network != event.NoLayer && knowledge.LayerOf(e) == knowledge.Link {
		b = append(appendMAC(append(b, "ether dst "...), f.EthDst), ' ')
	}
	if f != nil && f.Has(event.FieldTTL) && f.TTL <= 1 && isExpiry(e) {
		b = append(appendNumber(b, "ttl ", uint64(f.TTL)), ' ')
	}
	if hook := hookOf(e); hook != "" {
		b = append(append(append(b, "hook "...), hook...), ' ')
	}
	return appendReached(appendArgs(b, e.Args), e)
}

// appendReached appends the point that the packet had reached, with what the drop itself does not say: "point udp_queue
// len 72 truesize 768".
func appendReached(b []byte, e *event.Event) []byte {
	if e.Reached == nil {
		return b
	}
	b = append(append(append(b, "point "...), event.Escape(e.Reached.Point)...), ' ')
	return appendArgs(b, slices.DeleteFunc(slices.Clone(e.Reached.Args), func(a event.Arg) bool { return slices.Contains(e.Args, a) }))
}

// appendArgs appends what the source read at the drop: "queue 511 limit 512".
func appendArgs(b []byte, args []event.Arg) []byte {
	for i := range args {
		a := &args[i]
		b = append(append(b, event.Escape(a.Name)...), ' ')
		if a.Text != "" {
			b = append(append(b, event.Quote(a.Text)...), ' ')
		} else {
			b = append(strconv.AppendUint(b, a.Number, 10), ' ')
		}
	}
	return b
}

// isExpiry reports whether an expired TTL can be the cause of a drop. Without a
// reason the function decides.
func isExpiry(e *event.Event) bool {
	if e.HasReason() {
		return e.Reason == "IP_INHDR" || e.Reason == "IP_TTL_EXCEEDED"
	}
	symbol, _, _, _ := e.Where.Name()
	return symbol == "ip_forward" || symbol == "ip6_forward"
}

// hookOf returns the netfilter hook that dropped the packet, if its stack trace
// shows it.
func hookOf(e *event.Event) string {
	if e.Reason != "NETFILTER_DROP" {
		return ""
	}
	return knowledge.Hook(e)
}
