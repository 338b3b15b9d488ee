package filter

import "slices"

// flowFields are those that a TCP segment has wherever it is, whoever reports it.
var flowFields = []string{
	"src", "dst", "host", "srcport", "dstport", "port", "ip", "ip.src", "ip.dst", "ip.addr", "ip6", "ipv6.src", "ipv6.dst", "ipv6.addr",
	"tcp", "tcp.srcport", "tcp.dstport", "tcp.port", "udp", "sctp",
}

// OfFlow reports whether f asks for addresses, ports and protocols alone, so that it matches all drops of a TCP
// connection or none. A nil Filter matches all.
func (f *Filter) OfFlow() bool {
	ofFlow := true
	if f != nil {
		f.root.each(func(l *leaf) { ofFlow = ofFlow && l.scope == 0 && slices.Contains(flowFields, l.field.name) })
	}
	return ofFlow
}
