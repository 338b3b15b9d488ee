package probe

import (
	"encoding/binary"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
)

// allKnown are facts each of which is a value of its own number.
func allKnown() (x facts) {
	for n := range allFacts {
		e := &member.Expr{Loads: []member.Load{{Size: 8}}, Root: &member.Ref{Int: member.Int{Size: 8}}}
		switch n {
		case bufferIfName:
			e.Loads[0], e.Root = member.Load{Array: 16, String: true}, &member.Ref{}
		case sockIPv6, sockPeerIPv6:
			e.Loads[0], e.Root = member.Load{Array: 16}, &member.Ref{}
		}
		x[n] = &formula{Expr: e, loads: []int{int(n)}}
	}
	return x
}

// factValues returns the values of facts that are integers; the others are not known.
func factValues(numbers map[fact]uint64) []member.Value {
	values := make([]member.Value, allFacts)
	for n := range allFacts {
		if n != bufferIfName && n != sockIPv6 && n != sockPeerIPv6 {
			values[n] = member.Number(numbers[n])
		}
	}
	return values
}

func ipv4(a, b, c, d byte) uint64 { return uint64(binary.NativeEndian.Uint32([]byte{a, b, c, d})) }

func TestSocket(t *testing.T) {
	x := allKnown()
	numbers := map[fact]uint64{
		sockAddress: 0xffff888012345678, sockFamily: familyIPv4, sockProtocol: 17, sockState: 1, sockPort: 53, sockPeerPort: 50123,
		sockIPv4: ipv4(192, 0, 2, 1), sockPeerIPv4: ipv4(198, 51, 100, 7), sockInode: 4711, sockCookie: 77,
	}
	var s event.Socket
	if !x.socket(factValues(numbers), &s) || s.Local.String() != "192.0.2.1:53" || s.Remote.String() != "198.51.100.7:50123" ||
		s.Protocol != 17 || s.Inode != 4711 || s.Cookie != 77 {
		t.Errorf("%+v", s)
	}
	numbers[sockCookie] = 0
	if x.socket(factValues(numbers), &s); s.Cookie == 0 || s.Cookie == numbers[sockAddress] {
		t.Errorf("a socket without a cookie has %#x", s.Cookie)
	}
	numbers[sockState] = uint64(newSYNReceived) // is a struct request_sock: the rest is not its own
	if x.socket(factValues(numbers), &s); s.Protocol != protocolTCP || s.Inode != 0 {
		t.Errorf("of a request: %+v", s)
	}
	values := factValues(numbers)
	values[sockFamily] = member.Number(familyIPv6)
	values[sockPeerIPv6] = member.Bytes([]byte{0x20, 1, 0xd, 0xb8, 15: 7})
	if x.socket(values, &s); s.Remote.String() != "[2001:db8::7]:50123" {
		t.Errorf("over IPv6: %v", s.Remote)
	}
	if x.socket(factValues(nil), &s) {
		t.Error("no socket is one")
	}
}

// TestPacketOfNoDevice: what skb->dev points to is an interface only if all of it looks so.
func TestPacketOfNoDevice(t *testing.T) {
	x := allKnown()
	numbers := map[fact]uint64{
		bufferAddress: 1, bufferLen: 60, bufferProtocol: event.EtherIPv4, bufferIfIndex: 3, bufferNetns: 4026531840, bufferInIndex: 2,
	}
	tests := map[string]struct {
		index, netns uint64
		name         string
		want         event.Port
	}{
		"an interface":      {3, 4026531840, "eth0", event.Port{IfIndex: 3, IfName: "eth0"}},
		"no device":         {0, 0, "", event.Port{IfIndex: 2}},
		"an address":        {1 << 31, 4026531840, "eth0", event.Port{IfIndex: 2}},
		"no namespace":      {3, 7, "eth0", event.Port{IfIndex: 2}},
		"bytes of a packet": {3, 4026531840, "e\x1b[", event.Port{IfIndex: 2}},
	}
	for name, tt := range tests {
		numbers[bufferIfIndex], numbers[bufferNetns] = tt.index, tt.netns
		values := factValues(numbers)
		values[bufferIfName] = member.Bytes([]byte(tt.name))
		var e event.Event
		x.packet(values, &e)
		if e.Port != tt.want || e.Packet.Len != 60 || e.Packet.Proto != event.EtherIPv4 || (e.Netns.Inode != 0) != (tt.want.IfName != "") {
			t.Errorf("%s: port %+v, packet %+v, namespace %d", name, e.Port, e.Packet, e.Netns.Inode)
		}
	}
	var e event.Event
	if x.packet(factValues(nil), &e); e.Packet.HasLen || e.Packet.HasProto {
		t.Errorf("no packet: %+v", e.Packet)
	}
}
