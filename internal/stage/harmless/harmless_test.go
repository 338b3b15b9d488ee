package harmless_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/stage/harmless"
)

func in(symbol string) event.Where {
	return event.Where{HasPC: true, Frame: event.Frame{Lookup: event.Found, Symbol: symbol}}
}

func kernel(name string) event.Where { return event.Where{HasPC: true, Kernel: name} }

func stack(symbols ...string) (s []event.Frame) {
	for _, symbol := range symbols {
		s = append(s, event.Frame{Lookup: event.Found, Symbol: symbol})
	}
	return s
}

func at(symbol string, p event.Packet) event.Event { return event.Event{Where: in(symbol), Packet: p} }

// segment is a packet of TCP with so many bytes of data.
func segment(flags event.TCPFlags, data uint32) event.Packet {
	h := event.Headers{Fields: event.FieldTotalLen | event.FieldTCPFlags, Transport: event.TCP, TCPFlags: flags, TotalLen: 40 + data}
	return event.Packet{HasData: true, Flow: &event.Flow{Headers: h, Stop: event.Stop{Why: event.Complete, Offset: 14 + 40}}}
}

func tagged(p event.Packet) event.Packet {
	p.Flow.Fields |= event.FieldVLAN
	p.Flow.Stop.Offset += 4
	return p
}

func truncated(p event.Packet) event.Packet {
	p.Flow.Stop.Why = event.Truncated
	return p
}

func icmpError(quoted event.Layer) event.Packet {
	return event.Packet{Flow: &event.Flow{Headers: event.Headers{Transport: event.ICMP}, Quoted: event.Headers{Transport: quoted}}}
}

func to(dst string, link event.LinkType) event.Packet {
	h := event.Headers{Fields: event.FieldDst, Transport: event.UDP, Dst: netip.MustParseAddr(dst)}
	return event.Packet{Link: link, Flow: &event.Flow{Headers: h}}
}

// own is an address of this host, and routes what fib_trie has of it.
const (
	own    = "10.0.0.1"
	routes = "  |-- 10.0.0.1\n    /32 host LOCAL\n  |-- 10.0.0.255\n    /32 link BROADCAST\n"
)

// hostWith is a host whose first process sees these routes.
func hostWith(t *testing.T, routes string) *host.Host {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/proc/1/net", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/proc/1/net/fib_trie", []byte(routes), 0o644); err != nil {
		t.Fatal(err)
	}
	return host.New(dir)
}

// sent is a datagram from an address.
func sent(src, dst string, link event.LinkType) event.Packet {
	p := to(dst, link)
	p.Flow.Fields |= event.FieldSrc
	p.Flow.Src = netip.MustParseAddr(src)
	return p
}

// message is a netlink message of a type.
func message(kind uint16) event.Packet {
	return event.Packet{Data: binary.NativeEndian.AppendUint16([]byte{188, 0, 0, 0}, kind), HasData: true}
}

// purged is freed by sk_stream_kill_queues, which some functions have called.
func purged(p event.Packet, callers ...string) event.Event {
	e := at("sk_stream_kill_queues", p)
	if len(callers) > 0 {
		e.Stack = stack(append([]string{"sk_stream_kill_queues"}, callers...)...)
	}
	return e
}

func TestStage(t *testing.T) {
	const fin = event.FIN | event.ACK
	tests := map[string]struct {
		e    event.Event
		want string
	}{
		"ip route get without a route":       {at("inet_rtm_getroute", event.Packet{}), harmless.RouteLookup},
		"the same of IPv6, by kernel's name": {event.Event{Where: kernel("inet6_rtm_getroute+0x1f/0x9d0")}, harmless.RouteLookup},
		"a FIN for TIME-WAIT": {
			event.Event{Where: in("tcp_v4_rcv"), Reason: "NOT_SPECIFIED", Packet: segment(fin, 0)}, harmless.OrderlyClose,
		},
		"a FIN with data for TIME-WAIT": {event.Event{Where: in("tcp_v4_rcv"), Reason: "NOT_SPECIFIED", Packet: segment(fin, 9)}, ""},
		"a FIN for no socket":           {event.Event{Where: in("tcp_v4_rcv"), Reason: "NO_SOCKET", Packet: segment(fin, 0)}, ""},
		"a FIN, and no reason in this kernel": {
			event.Event{Where: in("tcp_v4_rcv"), Packet: segment(fin, 0)}, "",
		},
		"a FIN": {at("sk_stream_kill_queues", segment(fin, 0)), harmless.OrderlyClose},
		"by the kernel's name": {event.Event{Where: kernel("sk_stream_kill_queues+0x52/0x150"), Packet: segment(fin, 0)},
			harmless.OrderlyClose},
		"in a tagged frame":     {at("sk_stream_kill_queues", tagged(segment(fin, 0))), harmless.OrderlyClose},
		"a FIN with data":       {at("sk_stream_kill_queues", segment(fin, 7)), ""},
		"data":                  {at("sk_stream_kill_queues", segment(event.ACK, 7)), ""},
		"not all headers":       {at("sk_stream_kill_queues", truncated(segment(fin, 0))), ""},
		"a FIN that is refused": {event.Event{Where: in("tcp_v4_rcv"), Reason: "TCP_OLD_SEQUENCE", Packet: segment(fin, 0)}, ""},
		"counted":               {at("sk_stream_kill_queues", event.Packet{Traits: event.NoPayload}), harmless.OrderlyClose},
		"counted, without a name": {event.Event{Reason: "QUEUE_PURGE", Packet: event.Packet{Traits: event.NoPayload}},
			harmless.OrderlyClose},
		"counted data":           {event.Event{Where: in("sk_stream_kill_queues"), Reason: "QUEUE_PURGE"}, ""},
		"without bytes":          {at("sk_stream_kill_queues", event.Packet{}), ""},
		"an error queue":         {at("inet_sock_destruct", event.Packet{Traits: event.InErrorQueue}), harmless.UnreadError},
		"an error, by its bytes": {at("inet_sock_destruct", icmpError(event.UDP)), harmless.UnreadError},
		"about an ICMP packet":   {at("inet_sock_destruct", icmpError(event.ICMP)), ""},
		"an unread datagram":     {at("inet_sock_destruct", to("10.0.0.1", event.LinkEthernet)), ""},
		"own broadcast": {event.Event{Reason: "NO_SOCKET", Packet: event.Packet{Type: event.PacketLoopback}},
			harmless.OwnBroadcast},
		"of a kernel without type": {at("__udp4_lib_mcast_deliver", sent(own, "255.255.255.255", event.LinkRaw)), harmless.OwnBroadcast},
		"own multicast":            {at("udp_rcv", sent(own, "224.0.0.251", event.LinkRaw)), harmless.OwnBroadcast},
		"of its subnet":            {at("udp_rcv", sent(own, "10.0.0.255", event.LinkRaw)), harmless.OwnBroadcast},
		"through a tunnel":         {at("udp_rcv", sent("10.0.0.2", "10.0.0.255", event.LinkRaw)), ""},
		"multicast from a tunnel":  {at("udp_rcv", sent("10.0.0.2", "224.0.0.251", event.LinkRaw)), ""},
		"of another subnet":        {at("udp_rcv", sent(own, "10.0.1.255", event.LinkRaw)), ""},
		"a broadcast that came in": {at("udp_rcv", sent(own, "255.255.255.255", event.LinkEthernet)), ""},
		"own, for a full socket":   {event.Event{Reason: "SOCKET_RCVBUFF", Packet: event.Packet{Type: event.PacketLoopback}}, ""},
		"a netlink message":        {at("__nfqnl_enqueue_packet", event.Packet{}), harmless.QueueMessage},
		"for a full program": {
			event.Event{Where: in("netlink_attachskb"), Stack: stack("netlink_attachskb", "__nfqnl_enqueue_packet.isra.0")},
			harmless.QueueMessage,
		},
		"the message's header":     {at("netlink_attachskb", message(3<<8)), harmless.QueueMessage},
		"another message's header": {at("netlink_attachskb", message(1<<8)), ""},
		"a message, by its trait":  {at("netlink_unicast", event.Packet{Traits: event.QueueMessage}), harmless.QueueMessage},
		"a packet with that trait": {at("nf_queue", event.Packet{Traits: event.QueueMessage}), ""},
		"a FIN, by its stack":      {purged(event.Packet{}, "inet_csk_destroy_sock", "tcp_fin"), harmless.OrderlyClose},
		"a purge of MPTCP":         {purged(event.Packet{}, "__mptcp_destroy_sock", "inet_csk_destroy_sock"), ""},
		"a purge of data":          {purged(event.Packet{HasLen: true, Len: 60}, "inet_csk_destroy_sock"), ""},
		"a purge without a stack":  {purged(event.Packet{}), ""},
		"another netlink message": {event.Event{Where: in("netlink_attachskb"),
			Stack: stack("netlink_attachskb", "netlink_unicast")}, ""},
		"a segment of a full queue": {at("nfqnl_enqueue_packet", event.Packet{}), ""},
		"a capture": {event.Event{Reason: "QUEUE_PURGE", Packet: event.Packet{Traits: event.ToCapture}},
			harmless.UnreadCapture},
		"a capture, by its stack": {event.Event{Where: in("skb_queue_purge"), Stack: stack("skb_queue_purge", "packet_release")},
			harmless.UnreadCapture},
		"a capture's full queue": {event.Event{Reason: "PACKET_SOCK_ERROR", Packet: event.Packet{Traits: event.ToCapture}}, ""},
		"another queue":          {at("skb_queue_purge", event.Packet{}), ""},
		"a closed port": {event.Event{Reason: "NO_SOCKET", Where: in("udp_rcv"),
			Packet: to("10.0.0.1", event.LinkEthernet)}, ""},
		"what the source says stays": {event.Event{Reason: "NO_SOCKET", Harmless: "so it is"}, "so it is"},
		"no drop":                    {event.Event{Kind: event.Loss, Where: in("__nfqnl_enqueue_packet")}, ""},
	}
	h := hostWith(t, routes)
	stage := harmless.Stage(func() *host.Addresses { return h.Addresses(1) })
	for name, tt := range tests {
		if !stage(&tt.e) || tt.e.Harmless != tt.want {
			t.Errorf("%s: %q, want %q", name, tt.e.Harmless, tt.want)
		}
	}
}
