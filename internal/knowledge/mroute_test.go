package knowledge

import (
	"net/netip"
	"testing"

	"dropwatch/internal/event"
)

// TestMulticast: a solicitation for the address of another host is noise, another group is not; and a packet for the
// local network alone is told from one without a multicast route.
func TestMulticast(t *testing.T) {
	for _, test := range []struct {
		function, group string
		icmp, ttl       uint8
		severity        Severity
		evidence        Evidence
	}{
		{"ip6_mc_input", "ff02::1:ff00:5", 135, 255, Noise, discoveryOfOther.If},
		{"ip6_mc_input", "ff05::5", 128, 255, Maybe, 0},
		{"ip_mr_input", "239.255.255.250", 0, 1, Maybe, Expired},
		{"ip_mr_input", "239.255.255.250", 0, 2, Maybe, 0},
	} {
		h := event.Headers{
			Fields: event.FieldDst | event.FieldTTL | event.FieldICMPType, Dst: netip.MustParseAddr(test.group), TTL: test.ttl,
			Transport: event.ICMPv6, ICMPType: test.icmp,
		}
		x, known := Of(&event.Event{Where: at(test.function), Packet: event.Packet{Flow: &event.Flow{Headers: h}}})
		var evidence Evidence
		if x.Case != nil {
			evidence = x.Case.If
		}
		if !known || x.Severity != test.severity || evidence != test.evidence {
			t.Errorf("%s %s: %v %s", test.function, test.group, x.Severity, x.Cause)
		}
	}
}

// TestTunnelFunctions: packets that no tunnel takes are lost.
func TestTunnelFunctions(t *testing.T) {
	for _, name := range []string{"gre_rcv", "tunnel4_rcv", "tunnel64_rcv", "tunnel6_rcv", "geneve_udp_encap_recv", "ip_tunnel_xmit"} {
		if x, known := Of(&event.Event{Where: at(name)}); !known || x.Severity != Harm || x.Entry.Module != "tunnel" {
			t.Errorf("%s: known %v, %v", name, known, x.Severity)
		}
	}
}

// TestNoChecksum: a datagram of IPv6 without a checksum is not a damaged one.
func TestNoChecksum(t *testing.T) {
	for none, want := range map[bool]Evidence{true: NoChecksum, false: 0} {
		h := event.Headers{Network: event.IPv6, Transport: event.UDP, NoChecksum: none}
		x, _ := Of(&event.Event{Reason: "UDP_CSUM", Packet: event.Packet{Flow: &event.Flow{Headers: h}}})
		if (x.Case != nil) != none || none && x.Case.If != want || x.Severity != Harm {
			t.Errorf("without a checksum %t: %s", none, x.Cause)
		}
	}
}
