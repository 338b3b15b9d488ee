package packet_test

import (
	"fmt"
	"strings"

	"dropwatch/internal/event"
)

// fields says which field of the headers each bit is about.
var fields = []struct {
	name string
	bit  event.Fields
	get  func(*event.Headers) any
}{
	{"eth.dst", event.FieldEthDst, func(h *event.Headers) any { return h.EthDst }},
	{"eth.src", event.FieldEthSrc, func(h *event.Headers) any { return h.EthSrc }},
	{"type", event.FieldEtherType, func(h *event.Headers) any { return fmt.Sprintf("%#04x", h.EtherType) }},
	{"vlan", event.FieldVLAN, func(h *event.Headers) any { return showTag(h.VLAN[0]) }},
	{"vlan.inner", event.FieldVLANInner, func(h *event.Headers) any { return showTag(h.VLAN[1]) }},
	{"arp.op", event.FieldARPOp, func(h *event.Headers) any { return h.ARPOp }},
	{"arp.src", event.FieldARPSrc, func(h *event.Headers) any { return h.ARPSrc }},
	{"arp.dst", event.FieldARPDst, func(h *event.Headers) any { return h.ARPDst }},
	{"src", event.FieldSrc, func(h *event.Headers) any { return h.Src }},
	{"dst", event.FieldDst, func(h *event.Headers) any { return h.Dst }},
	{"ttl", event.FieldTTL, func(h *event.Headers) any { return h.TTL }},
	{"dscp/ecn", event.FieldTOS, func(h *event.Headers) any { return fmt.Sprintf("%d/%d", h.DSCP, h.ECN) }},
	{"proto", event.FieldProtocol, func(h *event.Headers) any { return h.Protocol }},
	{"frag", event.FieldFragment, showFragment},
	{"id", event.FieldFragmentID, func(h *event.Headers) any { return fmt.Sprintf("%#x", h.FragmentID) }},
	{"label", event.FieldFlowLabel, func(h *event.Headers) any { return fmt.Sprintf("%#x", h.FlowLabel) }},
	{"len", event.FieldTotalLen, func(h *event.Headers) any { return h.TotalLen }},
	{"sport", event.FieldSrcPort, func(h *event.Headers) any { return h.SrcPort }},
	{"dport", event.FieldDstPort, func(h *event.Headers) any { return h.DstPort }},
	{"seq", event.FieldSeq, func(h *event.Headers) any { return h.Seq }},
	{"ack", event.FieldAck, func(h *event.Headers) any { return h.Ack }},
	{"window", event.FieldWindow, func(h *event.Headers) any { return h.Window }},
	{"flags", event.FieldTCPFlags, func(h *event.Headers) any { return fmt.Sprintf("%#03x", uint16(h.TCPFlags)) }},
	{"udp.len", event.FieldUDPLen, func(h *event.Headers) any { return h.UDPLen }},
	{"icmp.type", event.FieldICMPType, func(h *event.Headers) any { return h.ICMPType }},
	{"icmp.code", event.FieldICMPCode, func(h *event.Headers) any { return h.ICMPCode }},
	{"icmp.id", event.FieldICMPID, func(h *event.Headers) any { return h.ICMPID }},
	{"icmp.seq", event.FieldICMPSeq, func(h *event.Headers) any { return h.ICMPSeq }},
	{"mtu", event.FieldMTU, func(h *event.Headers) any { return h.MTU }},
	{"chunk", event.FieldSCTPChunk, func(h *event.Headers) any { return h.SCTPChunk }},
	{"tag", event.FieldSCTPTag, func(h *event.Headers) any { return fmt.Sprintf("%#x", h.SCTPTag) }},
	{"spi", event.FieldSPI, func(h *event.Headers) any { return fmt.Sprintf("%#x", h.SPI) }},
	{"wscale", event.FieldWindowScale, func(h *event.Headers) any { return h.WindowScale }},
	{"tsval", event.FieldTSVal, func(h *event.Headers) any { return h.TSVal }},
	{"tcp.len", event.FieldTCPLen, func(h *event.Headers) any { return h.TCPLen }},
}

func showTag(v event.VLAN) any {
	return fmt.Sprintf("%#04x:%d:%d:%t", v.TPID, v.ID, v.Priority, v.DEI)
}

func showFragment(h *event.Headers) any {
	return fmt.Sprintf("%d:%t:%t", h.FragmentOffset, h.MoreFragments, h.DontFragment)
}

// showHeaders returns every field that is there, in one line.
func showHeaders(h *event.Headers) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v/%v", h.Network, h.Transport)
	for _, f := range fields {
		if h.Has(f.bit) {
			fmt.Fprintf(&b, " %s=%v", f.name, f.get(h))
		}
	}
	if h.Extensions > 0 {
		fmt.Fprintf(&b, " extensions=%d", h.Extensions)
	}
	return b.String()
}

// show returns the whole flow, in as many lines as it has packets, and one more.
func show(f *event.Flow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s\n", showHeaders(&f.Headers))
	if f.Tunnel.Kind != event.NoLayer {
		fmt.Fprintf(&b, "  in %v %d %t: %s\n", f.Tunnel.Kind, f.Tunnel.ID, f.Tunnel.HasID, showHeaders(&f.Inner))
	}
	if f.Quoted.Fields != 0 {
		fmt.Fprintf(&b, "  quoted: %s\n", showHeaders(&f.Quoted))
	}
	fmt.Fprintf(&b, "  %v: %v at %d\n", f.Stop.Layer, f.Stop.Why, f.Stop.Offset)
	return b.String()
}
