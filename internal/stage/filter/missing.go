package filter

import (
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A missing reports whether a drop that has no value for a field may have one that is not known. Nil means
// that it has none.
type missing func(e *event.Event) bool

// unknown is for fields that every drop has, whether or not its source knows them.
func unknown(*event.Event) bool { return true }

// unnamed is for the location, which every drop by the kernel has, but not one by a device.
func unnamed(e *event.Event) bool { return e.Where.Trap == "" }

// unnamedModule is for the module of the location: a function of the kernel proper is known to have none,
// unless the kernel may have cut it off the name.
func unnamedModule(e *event.Event) bool {
	_, _, _, named := e.Where.Name()
	return unnamed(e) && (!named || e.Where.Lookup != event.Found && e.Where.CutShort())
}

// unlocated is for what is known by the reason or, if the kernel gave none, by the location: a drop
// that has neither by name may be in any layer.
func unlocated(e *event.Event) bool {
	_, _, _, named := e.Where.Name()
	return !e.HasReason() && e.Where.Trap == "" && !named
}

// untyped is for the type of a TCP segment, which a source may not know.
func untyped(e *event.Event) bool { return e.Segment != nil && e.Kind != event.Reset }

// unjudged is for whether this host dropped what TCP sends again, where nobody has found that out.
func unjudged(e *event.Event) bool {
	return e.Kind == event.Retransmit && e.Segment != nil && e.Segment.Direction == event.Outgoing && e.Segment.Fate == event.FateUnstated
}

// noOwner is for the owner: it is not known while it is looked for, and if nothing leads to one, because
// the kernel named no socket and there are no headers.
func noOwner(e *event.Event) bool {
	o := &e.Owner
	return o.Pending || o.Socket == nil && o.Process.PID == 0 && o.Cgroup.ID == 0 && e.Packet.Flow == nil
}

// A part is where in a packet a field is.
type part uint8

// The parts, from the outside in.
const (
	notInPacket part = iota // of the drop
	inLink                  // the Ethernet header and VLAN tags
	inNetwork               // IP or ARP
	inTransport             // TCP, UDP, SCTP, ICMP and others over IP
	inTunnel                // the header of a tunnel
)

// partNames are the parts of fields whose names begin with these words.
var partNames = map[string]struct {
	part  part
	layer event.Layer // that the packet must have to have the field; NoLayer: any
}{
	"eth": {inLink, 0}, "vlan": {inLink, 0}, "broadcast": {inLink, 0}, "multicast": {inLink, 0},
	"ip": {inNetwork, event.IPv4}, "ipv6": {inNetwork, event.IPv6}, "ip6": {inNetwork, event.IPv6}, "arp": {inNetwork, event.ARP},
	"tcp": {inTransport, event.TCP}, "udp": {inTransport, event.UDP}, "sctp": {inTransport, event.SCTP},
	"icmp": {inTransport, event.ICMP}, "icmpv6": {inTransport, event.ICMPv6}, "gre": {inTransport, event.GRE},
	"ipip": {inTransport, event.IPinIP}, "esp": {inTransport, event.ESP},
	"srcport": {inTransport, 0}, "dstport": {inTransport, 0}, "port": {inTransport, 0}, "spi": {inTransport, 0},
	"tunnel": {inTunnel, 0}, "vxlan": {inTunnel, 0}, "geneve": {inTunnel, 0}, "vni": {inTunnel, 0},
}

// setPart sets part and layer of a field. Fields of headers that are not in partNames are of the network
// layer.
func (f *field) setPart() {
	first, _, _ := strings.Cut(f.name, ".")
	p, ok := partNames[first]
	switch {
	case ok && (f.headers || p.part == inTunnel):
		f.part, f.layer = p.part, p.layer
	case f.headers:
		f.part = inNetwork
	}
}

// absent returns the value of a comparison with a drop that has no value for the field.
func (l *leaf) absent(e *event.Event) condition.Truth {
	switch f := l.field; {
	case f.part != notInPacket:
		return unknownIf(l.hidden(e))
	case l.op == exists: // which is whether it is known
		return unknownIf(f.facts&event.FactOwner != 0 && e.Owner.Pending)
	default:
		return unknownIf(f.missing != nil && f.missing(e))
	}
}

// unknownIf returns Unknown or False.
func unknownIf(b bool) condition.Truth {
	if b {
		return condition.Unknown
	}
	return condition.False
}

// hidden reports whether the field may be in bytes of the packet that were not reported.
func (l *leaf) hidden(e *event.Event) bool {
	switch flow := e.Packet.Flow; {
	case flow == nil:
		return l.fitsProtocol(e)
	case flow.Stop.Why != event.Truncated:
		return false
	case l.scope == inner:
		return mayTunnel(flow)
	case l.scope == quoted:
		return mayQuote(flow)
	default:
		return l.isBehind(flow)
	}
}

// fitsProtocol reports whether a packet without bytes may have the field, by its ethertype.
func (l *leaf) fitsProtocol(e *event.Event) bool {
	t, known := ethertype(e)
	if !known || isTag(uint16(t)) {
		return true
	}
	ip := t == event.EtherIPv4 || t == event.EtherIPv6
	switch f := l.field; {
	case l.scope != outermost || f.part == inTransport || f.part == inTunnel:
		return ip
	case f.part == inLink:
		return true
	case f.layer != event.NoLayer:
		return f.layer == event.NetworkLayer(uint16(t))
	}
	return event.NetworkLayer(uint16(t)) != event.NoLayer
}

// isBehind reports whether the field may be behind the end of a truncated packet.
func (l *leaf) isBehind(flow *event.Flow) bool {
	h, f := &flow.Headers, l.field
	if f.part == inTunnel {
		return mayTunnel(flow)
	}
	if flow.Tunnel.Kind != event.NoLayer || flow.Quoted.Network != event.NoLayer {
		return false // the end is in the other packet: these headers are complete
	}
	fits := func(layer event.Layer) bool {
		return f.layer == event.NoLayer || layer == event.NoLayer || f.layer == layer
	}
	switch f.part {
	case inLink:
		return flow.Stop.Layer <= event.VLANTag
	case inNetwork:
		return flow.Stop.Layer <= event.IPv6 && fits(h.Network)
	}
	return h.Network != event.ARP && fits(h.Transport)
}

// mayTunnel reports whether a truncated packet may be in a tunnel.
func mayTunnel(flow *event.Flow) bool {
	switch flow.Transport {
	case event.NoLayer, event.UDP, event.GRE, event.IPinIP:
		return flow.Network != event.ARP
	}
	return false
}

// mayQuote reports whether a truncated packet may be an ICMP error about another one.
func mayQuote(flow *event.Flow) bool {
	switch flow.Transport {
	case event.NoLayer, event.ICMP, event.ICMPv6:
		return flow.Network != event.ARP
	}
	return false
}
