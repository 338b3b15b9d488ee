package owner

import (
	"net/netip"
	"testing"

	"dropwatch/internal/event"
)

func TestSetDirection(t *testing.T) {
	socket := func(family uint16, local, remote string) event.Socket {
		s := event.Socket{Family: family, Local: netip.MustParseAddrPort(local)}
		if remote != "" {
			s.Remote = netip.MustParseAddrPort(remote)
		}
		return s
	}
	web := socket(inet, "192.0.2.1:80", "192.0.2.9:5000")
	dns, itself := socket(inet, "0.0.0.0:53", ""), socket(inet, "127.0.0.1:9", "127.0.0.1:9")
	mapped := socket(inet6, "[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.9]:5000")
	about := packetOf("192.0.2.254", 0, "192.0.2.1", 0, icmp)
	about.Quoted = packetOf("192.0.2.1", 80, "192.0.2.9", 5000, tcp).Headers
	const undecided = "undecided"
	for name, tt := range map[string]struct {
		socket event.Socket
		flow   *event.Flow
		reason string
		want   string
	}{
		"to a connected socket":       {web, packetOf("192.0.2.9", 5000, "192.0.2.1", 80, tcp), "", "to"},
		"from it":                     {web, packetOf("192.0.2.1", 80, "192.0.2.9", 5000, tcp), "", "from"},
		"to one of IPv6 with IPv4":    {mapped, packetOf("192.0.2.9", 5000, "192.0.2.1", 80, tcp), "", "to"},
		"to one that is bound to any": {dns, packetOf("192.0.2.9", 5000, "192.0.2.1", 53, udp), "", "to"},
		"from it, unconnected":        {dns, packetOf("192.0.2.1", 53, "192.0.2.9", 5000, udp), "", "from"},
		"between equal ports":         {dns, packetOf("192.0.2.1", 53, "192.0.2.9", 53, udp), "", undecided},
		"connected to itself":         {itself, packetOf("127.0.0.1", 9, "127.0.0.1", 9, tcp), "", undecided},
		"translated on the way":       {web, packetOf("192.0.2.9", 5000, "198.51.100.1", 8080, tcp), "", undecided},
		"an ICMP error about it":      {web, about, "", "to"},
		"a later fragment":            {web, packetOf("192.0.2.9", 0, "192.0.2.1", 0, udp), "", undecided},
		"no headers":                  {web, nil, "", undecided},
		"in a packet socket's queue":  {event.Socket{Family: packetSocket}, nil, queuePurge, "to"},
		"sent by a packet socket":     {event.Socket{Family: packetSocket}, nil, "QDISC_DROP", undecided},
	} {
		for _, stated := range []bool{false, true} {
			s := tt.socket
			s.Receiver = stated
			e := event.Event{Reason: tt.reason, Owner: event.Owner{Socket: &s}}
			e.Packet.Flow = tt.flow
			want := tt.want == "to" || tt.want == undecided && stated
			if setDirection(&e); s.Receiver != want {
				t.Errorf("%s, where the source states %t: %t, want %t", name, stated, s.Receiver, want)
			}
		}
	}
}

// TestStageDecidesTheDirection of a packet in the receive queue of a socket, which the
// kernel names as it names a sender.
func TestStageDecidesTheDirection(t *testing.T) {
	e := known(1)
	e.Owner.Socket.Family, e.Owner.Socket.Local = inet, netip.MustParseAddrPort("192.0.2.1:80")
	e.Packet.Flow = packetOf("192.0.2.9", 5000, "192.0.2.1", 80, tcp)
	if fill(t, tree(t, hostFiles()), e); string(e.Owner.AppendTo(nil)) != "to nginx/30" {
		t.Errorf("%s", e.Owner.AppendTo(nil))
	}
}
