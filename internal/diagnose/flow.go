package diagnose

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"dropwatch/internal/conntrack"
	"dropwatch/internal/event"
)

// A Flow is who sent the packets of a drop to whom. Connections of the same hosts to
// the same service are one Flow: the port of their client is 0.
type Flow struct {
	Protocol string // "udp", or the ethertype as 0x88cc
	Src, Dst netip.AddrPort
}

// ephemeral is the first of the ports from which connections are made, unless
// net.ipv4.ip_local_port_range says otherwise.
const ephemeral = 32768

// flowPackets are the packets of a Flow.
type flowPackets struct {
	first conntrack.Tuple // of the first one; zero if that is not known
	flags string          // of TCP, as of [event.TCPFlags.AppendLetters]; empty if there are none, or they differ
}

// separateFlows is how many flows that differ only in the port of their client have each an entry.
const separateFlows = 3

// addFlow counts the flow of a packet, together with others of the same client and service if they are many.
func (g *group) addFlow(e *event.Event) {
	f, ok := flowOf(&e.Packet)
	if !ok {
		return
	}
	entry, isNew := g.flows.Add(g.entryOf(f), e.Count)
	switch {
	case isNew:
		entry.Value = flowPackets{tupleOf(e.Packet.Flow), flagsOf(e.Packet.Flow)}
		g.addSample(e)
	case entry != nil && entry.Value.flags != flagsOf(e.Packet.Flow):
		entry.Value.flags = ""
	}
}

// entryOf returns the flow under which one is counted: without the port that many flows alone differ in.
func (g *group) entryOf(f Flow) Flow {
	if g.flows.Find(f) != nil || f.Src.Port() == 0 || f.Dst.Port() == 0 {
		return f
	}
	for _, merged := range f.merged() {
		if g.flows.Find(merged) != nil {
			return merged
		}
		n := 0
		for other := range g.flows.All {
			if of := other.Key.merged(); slices.Contains(of[:], merged) {
				n++
			}
		}
		if n >= separateFlows {
			return merged
		}
	}
	return f
}

// merged is the flow without the port of its source, and without that of its destination.
func (f Flow) merged() [2]Flow {
	src, dst := f, f
	src.Src, dst.Dst = netip.AddrPortFrom(f.Src.Addr(), 0), netip.AddrPortFrom(f.Dst.Addr(), 0)
	return [2]Flow{src, dst}
}

// flagsOf are the flags of a TCP segment.
func flagsOf(f *event.Flow) string {
	if f == nil || !f.Has(event.FieldTCPFlags) {
		return ""
	}
	return string(f.TCPFlags.AppendLetters(nil))
}

// flowCounts are the flows, the largest first. Those that came before it was known that they are many
// are merged with these.
func (g *group) flowCounts() (all []FlowCount) {
	for entry := range g.flows.All {
		one := FlowCount{entry.Key, entry.Count, entry.Value.flags, entry.Value.first}
		for _, merged := range entry.Key.merged() {
			if g.flows.Find(merged) != nil {
				one.Flow = merged
				break
			}
		}
		all = addFlow(all, &one)
	}
	slices.SortStableFunc(all, func(a, b FlowCount) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

// addFlow adds the count of a flow to that of the same flow, or appends it.
func addFlow(all []FlowCount, c *FlowCount) []FlowCount {
	i := slices.IndexFunc(all, func(known FlowCount) bool { return known.Flow == c.Flow })
	if i < 0 {
		return append(all, *c)
	}
	all[i].Count += c.Count
	if all[i].Flags != c.Flags {
		all[i].Flags = ""
	}
	return all
}

// flowOf gives the flow of a packet, false if its bytes do not say.
func flowOf(p *event.Packet) (Flow, bool) {
	f := p.Flow
	if f == nil || !f.Has(event.FieldSrc|event.FieldDst) {
		return Flow{Protocol: fmt.Sprintf("0x%04x", p.Proto)}, p.HasProto
	}
	var src, dst uint16
	if f.Has(event.FieldSrcPort | event.FieldDstPort) {
		src, dst = servicePorts(f.SrcPort, f.DstPort)
	}
	protocol := f.Transport
	if protocol == event.NoLayer { // such as ARP
		protocol = f.Network
	}
	return Flow{protocol.String(), netip.AddrPortFrom(f.Src, src), netip.AddrPortFrom(f.Dst, dst)}, true
}

// servicePorts leaves out the port of a client. If both could be one, the
// destination's is kept.
func servicePorts(src, dst uint16) (uint16, uint16) {
	switch {
	case src >= ephemeral:
		return 0, dst
	case dst >= ephemeral:
		return src, 0
	}
	return src, dst
}
