package event_test

import (
	"testing"

	"dropwatch/internal/event"
)

func TestHas(t *testing.T) {
	h := event.Headers{Fields: event.FieldSrcPort | event.FieldDstPort}
	tests := map[event.Fields]bool{
		0:                                        true,
		event.FieldSrcPort:                       true,
		event.FieldTCPFlags:                      false,
		event.FieldSrcPort | event.FieldDstPort:  true,
		event.FieldSrcPort | event.FieldTCPFlags: false,
	}
	for f, want := range tests {
		if got := h.Has(f); got != want {
			t.Errorf("Has(%b) = %t of %b", f, got, h.Fields)
		}
	}
	if event.FieldVLAN<<1 != event.FieldVLANInner {
		t.Error("the inner tag's field does not follow the outer tag's")
	}
}

func TestFlowWords(t *testing.T) {
	layers := map[event.Layer]string{
		event.NoLayer: "", event.Ethernet: "ethernet", event.VLANTag: "vlan", event.ARP: "arp",
		event.IPv4: "ipv4", event.IPv6: "ipv6", event.TCP: "tcp", event.UDP: "udp", event.SCTP: "sctp",
		event.ICMP: "icmp", event.ICMPv6: "icmpv6", event.ESP: "esp", event.GRE: "gre",
		event.VXLAN: "vxlan", event.Geneve: "geneve", event.IPinIP: "ipip", 200: "unknown",
	}
	for l, want := range layers {
		if got := l.String(); got != want {
			t.Errorf("layer %d is %q, want %q", l, got, want)
		}
	}
	flags := map[event.TCPFlags]string{
		0: "", event.SYN: "syn", event.SYN | event.ACK: "syn|ack", event.CWR | event.FIN: "fin|cwr",
		0xfff: "fin|syn|rst|psh|ack|urg|ece|cwr|ae|0x200|0x400|0x800", 0xf000: "",
	}
	for f, want := range flags {
		if got := f.String(); got != want {
			t.Errorf("flags %#x are %q, want %q", uint16(f), got, want)
		}
	}
	whys := map[event.Why]string{
		event.Undone: "not decoded", event.Complete: "complete", event.Truncated: "truncated",
		event.UnknownProtocol: "unknown protocol", event.Malformed: "malformed", 200: "not decoded",
	}
	for w, want := range whys {
		if got := w.String(); got != want {
			t.Errorf("why %d is %q, want %q", w, got, want)
		}
	}
	if got, want := (event.MAC{2, 0, 0x5e, 0, 0x53, 0xff}).String(), "02:00:5e:00:53:ff"; got != want {
		t.Errorf("MAC is %s, want %s", got, want)
	}
}

func TestTCPFlagsDoNotAllocate(t *testing.T) {
	b := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { b = (event.SYN | event.ACK).AppendTo(b[:0]) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestNetworkLayer: those that have a layer, and others.
func TestNetworkLayer(t *testing.T) {
	for ethertype, want := range map[uint16]event.Layer{0x0800: event.IPv4, 0x0806: event.ARP, 0x86dd: event.IPv6, 0x88cc: event.NoLayer} {
		if got := event.NetworkLayer(ethertype); got != want {
			t.Errorf("%#x: %v, want %v", ethertype, got, want)
		}
	}
}
