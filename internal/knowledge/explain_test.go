package knowledge

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
)

// packet is a drop of a packet between two addresses and ports.
func packet(reason, symbol string, h event.Headers) event.Event {
	h.Fields |= event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort
	if !h.Dst.IsValid() {
		h.Dst = netip.MustParseAddr("10.0.0.2")
	}
	if !h.Src.IsValid() {
		h.Src = netip.MustParseAddr("10.0.0.1")
	}
	h.SrcPort, h.DstPort = 40000, 53
	e := event.Event{Reason: reason, Where: at(symbol), Port: event.Port{IfName: "eth0"}}
	e.Packet = event.Packet{Proto: event.EtherIPv4, HasProto: true, Flow: &event.Flow{Headers: h}}
	return e
}

// packetIPv6 is the same of IPv6.
func packetIPv6(reason, symbol string, h event.Headers) event.Event {
	if !h.Dst.IsValid() {
		h.Dst = netip.MustParseAddr("2001:db8::2")
	}
	if !h.Src.IsValid() {
		h.Src = netip.MustParseAddr("2001:db8::1")
	}
	e := packet(reason, symbol, h)
	e.Packet.Proto = event.EtherIPv6
	return e
}

func ttl(n uint8) event.Headers { return event.Headers{Fields: event.FieldTTL, TTL: n} }

// through is a drop whose stack has these functions, the nearest first.
func through(e event.Event, functions ...string) event.Event {
	for _, f := range functions {
		e.Stack = append(e.Stack, event.Frame{Symbol: f, Lookup: event.Found})
	}
	return e
}

// routed is a drop whose route is of a type that the source read.
func routed(e event.Event, route string) event.Event {
	e.Args = []event.Arg{{Name: "mtu", Number: 1500}, {Name: "route", Text: route}}
	return e
}

// tooLong is a drop of a packet that exceeds an MTU that the source read.
func tooLong(e event.Event) event.Event {
	e.Args = []event.Arg{{Name: "mtu", Number: 1300}}
	return e
}

// otherHost is a drop of a frame that was not for this host, from a source that knows why.
func otherHost(e event.Event, traits event.Traits) event.Event {
	e.Packet.Type, e.Packet.Traits = event.PacketOtherHost, traits
	return e
}

// ofIPv6 is a drop of a packet of IPv6.
func ofIPv6(e event.Event) event.Event {
	e.Packet.Proto = event.EtherIPv6
	return e
}

// TestEvidence has the traps of real cases, where one name has several causes.
func TestEvidence(t *testing.T) {
	multicast := event.Headers{Dst: netip.MustParseAddr("224.1.2.3"), Transport: event.UDP}
	tagged := event.Headers{
		Fields: event.FieldEthDst | event.FieldVLAN, EthDst: event.MAC{2, 0, 0, 0, 0, 1}, VLAN: [2]event.VLAN{{ID: 77}},
	}
	toMAC := event.Headers{Fields: event.FieldEthDst, EthDst: event.MAC{2, 0, 0, 0, 0, 1}}
	lldp := event.Event{Reason: "UNHANDLED_PROTO", Packet: event.Packet{Proto: 0x88cc, HasProto: true}}
	groupOfIPv6 := event.Headers{Dst: netip.MustParseAddr("ff3e::1234")}
	solicitation := icmp(event.ICMPv6, 135, 0)
	solicitation.Dst = netip.MustParseAddr("ff02::1:ff00:99")
	rule := packet("NETFILTER_DROP", "nf_hook_slow", event.Headers{})
	for name, c := range map[string]struct {
		event    event.Event
		severity Severity
		want     string   // in the explanation
		not      []string // and not in it
	}{
		"multicast without a member": {
			packet("NOT_SPECIFIED", "ip_rcv_finish_core", multicast), Maybe,
			"joined the multicast group 224.1.2.3", []string{"rp_filter"},
		},
		"too big to be forwarded": {
			tooLong(packet("PKT_TOO_BIG", "ip_forward", event.Headers{})), Harm, "ICMP \"too big\"", nil,
		},
		"too big to be forwarded, without reasons": {
			tooLong(packet("", "ip6_forward", event.Headers{})), Harm, "clamp the MSS", []string{"TTL"},
		},
		"the ICMP error, forwarded": {
			through(packet("NETFILTER_DROP", "nf_hook_slow", icmp(event.ICMP, 3, 4)), "ip_forward"), Harm,
			"path MTU discovery fails", []string{"that this host sent"},
		},
		"the ICMP error of IPv6, sent": {
			through(packet("NETFILTER_DROP", "nf_hook_slow", icmp(event.ICMPv6, 2, 0)), "ip6_local_out"), Harm, "that this host sent", nil,
		},
		"another ICMP error":         {packet("NETFILTER_DROP", "nf_hook_slow", icmp(event.ICMP, 3, 3)), Maybe, "A firewall rule", nil},
		"another of IPv6":            {packet("NETFILTER_DROP", "nf_hook_slow", icmp(event.ICMPv6, 3, 4)), Maybe, "A firewall rule", nil},
		"too big, and not forwarded": {tooLong(packet("PKT_TOO_BIG", "ip_tunnel_xmit", event.Headers{})), Harm, "protocol allows", nil},
		"a router solicitation": {
			packet("", "ip6_mc_input", event.Headers{Dst: netip.MustParseAddr("ff02::2"), Transport: event.ICMPv6}), Noise,
			"for routers", []string{"joined it"},
		},
		"a multicast report": {
			packet("NOT_SPECIFIED", "ip_rcv_finish_core", event.Headers{Dst: netip.MustParseAddr("224.0.0.22")}), Noise,
			"for routers", []string{"joined it"},
		},
		"multicast of IPv6 without a member": {
			packet("", "ip6_mc_input", event.Headers{Dst: netip.MustParseAddr("ff02::1234")}), Maybe, "joined the multicast group", nil,
		},
		"a neighbour solicitation for another host": {
			packet("", "ip6_mc_input", solicitation), Noise, "another host", []string{"joined"},
		},
		"a source filter of IPv6": {
			ofIPv6(packet("IP_INADDRERRORS", "ip6_input_finish", groupOfIPv6)), Maybe,
			"joined the multicast group ff3e::1234", []string{"forward"},
		},
		"a broadcast of another network": {
			packet("IP_INADDRERRORS", "ip_error", event.Headers{
				Fields: event.FieldEthDst, EthDst: event.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			}), Noise, "is a broadcast", []string{"forward"},
		},
		"segments dropped before": {packet("", "tbf_enqueue", event.Headers{}), Noise, "drops of their own", nil},
		"no route": {
			packet("", "ip_rcv_finish_core", event.Headers{}), Harm, "ip route get 10.0.0.2 from 10.0.0.1 iif eth0", nil,
		},
		"a bridge without a port for it": {
			packet("NO_TX_TARGET", "br_handle_frame_finish", toMAC), Maybe, "isolated", []string{"VXLAN", "dst"},
		},
		"a VXLAN without an entry": {packet("NO_TX_TARGET", "vxlan_xmit", toMAC), Harm, "control plane", []string{"isolated"}},
		"a tunnel without a route": {
			packet("IP_OUTNOROUTES", "vxlan_xmit_one", event.Headers{}), Harm, "other end", []string{"10.0.0.2"},
		},
		"neighbour discovery": {
			packet("NETFILTER_DROP", "nf_hook_slow", icmp(event.ICMPv6, 135, 0)), Harm, "neighbour discovery", nil,
		},
		"hairpin": {
			packet("NOT_SPECIFIED", "br_handle_frame_finish", event.Headers{}), Maybe,
			"turn on hairpin of its port", []string{"spanning tree"},
		},
		"a VLAN on a bridge": {packet("", "br_handle_frame_finish", tagged), Maybe, "VLAN tag 77", nil},
		"an unknown VLAN": {
			otherHost(packet("OTHERHOST", "", toMAC), event.ToDevice), Maybe, "VLAN that no interface here has", []string{"another host"},
		},
		"an unknown VLAN, counted": {
			otherHost(event.Event{Reason: "OTHERHOST"}, event.ToDevice), Maybe, "VLAN that no interface here has", []string{"another host"},
		},
		"an unknown VLAN without reasons": {
			otherHost(packet("", "ip6_rcv_core", toMAC), event.ToDevice), Maybe, "tcpdump -eni eth0 vlan", []string{"header"},
		},
		"another host":          {otherHost(packet("OTHERHOST", "", toMAC), 0), Noise, "addressed to 02:00:00:00:00:01", []string{"VLAN"}},
		"another host, counted": {otherHost(event.Event{Reason: "OTHERHOST"}, 0), Noise, "addressed to another host:", []string{"VLAN"}},
		"another host without reasons": {
			otherHost(packet("", "ip_rcv_core", toMAC), 0), Noise, "addressed to 02:00:00:00:00:01", []string{"VLAN", "header"},
		},
		"either of them": {packet("OTHERHOST", "", toMAC), Maybe, "or it is for this one in a VLAN", []string{"addressed to 02"}},
		"LLDP":           {lldp, Noise, "ethertype 0x88cc", nil},
		"inactive member of a bond": {
			packet("UNHANDLED_PROTO", "", event.Headers{}), Noise, "inactive member of a bond", []string{"No protocol"},
		},
		"TTL":             {packet("IP_INHDR", "ip_forward", ttl(1)), Harm, "TTL 1, too small", nil},
		"a broken header": {packet("IP_INHDR", "ip_rcv_core", ttl(64)), Harm, "header is invalid", nil},
		"a kind of route": {
			packet("NOT_SPECIFIED", "ip_error", event.Headers{}), Maybe,
			"Invalid argument: blackhole; Permission denied: prohibit; No route to host: unreachable", nil,
		},
		"blackhole": {
			routed(packet("NOT_SPECIFIED", "ip_error", event.Headers{}), "blackhole"), Maybe,
			"is a blackhole route", []string{"prohibit", "unreachable"},
		},
		"prohibit": {
			routed(packet("NOT_SPECIFIED", "ip_error", event.Headers{}), "prohibit"), Maybe,
			"is a prohibit route", []string{"blackhole", "unreachable"},
		},
		"unreachable": {
			routed(packet("NOT_SPECIFIED", "ip_error", event.Headers{}), "unreachable"), Maybe,
			"is an unreachable route", []string{"blackhole", "prohibit"},
		},
		"blackhole of IPv6": {
			routed(packetIPv6("NOT_SPECIFIED", "dst_discard_out", event.Headers{}), "blackhole"), Maybe, "ip -6 route show type blackhole",
			[]string{"ip route"},
		},
		"unreachable of IPv6": {
			routed(packetIPv6("IP_INNOROUTES", "ip6_pkt_discard", event.Headers{}), "unreachable"), Maybe,
			"is an unreachable route.", []string{"forward", "ip route"},
		},
		"multicast before IPv6 is set up": {
			packetIPv6("IP_INNOROUTES", "ip6_pkt_discard", event.Headers{Dst: netip.MustParseAddr("ff02::1:ff00:2")}), Maybe,
			"no route for IPv6 multicast", []string{"via GATEWAY"},
		},
		"a multicast report before that": {
			packetIPv6("IP_INNOROUTES", "ip6_pkt_discard", event.Headers{Dst: netip.MustParseAddr("ff02::16")}), Noise, "for routers", nil,
		},
		"an echo reply": {
			packetIPv6("NO_SOCKET", "ping_rcv", icmp(event.ICMPv6, 129, 0)), Noise, "no ping socket", []string{"Start the service"},
		},
		"forwarding off": {
			packet("IP_INADDRERRORS", "ip_error", event.Headers{}), Maybe, "net.ipv4.conf.eth0.forwarding", []string{"invalid", "ipv6"},
		},
		"forwarding of IPv6 off": {
			packetIPv6("IP_INADDRERRORS", "ip6_forward", event.Headers{}), Maybe, "net.ipv6.conf.all.forwarding",
			[]string{"invalid", "link-local"},
		},
		"a link-local source": {
			packetIPv6("IP_INADDRERRORS", "ip6_forward", event.Headers{Src: netip.MustParseAddr("fe80::7")}), Maybe, "no router forwards",
			[]string{"sysctl"},
		},
		"a source route": {
			packet("", "ip_rcv_finish_core", event.Headers{Fields: event.FieldIPOptions, SourceRoute: true}), Maybe,
			"net.ipv4.conf.all.accept_source_route", []string{"look-up", "rp_filter"},
		},
		"damaged IP options": {
			packet("IP_INHDR", "ip_rcv_finish_core", event.Headers{Fields: event.FieldIPOptions}), Harm, "are damaged", []string{"TTL"},
		},
		"other IP options": {
			packet("", "ip_rcv_finish_core", event.Headers{Fields: event.FieldIPOptions}), Harm, "options are damaged",
			[]string{"source_route"},
		},
		"no IP options": {
			packet("", "ip_rcv_finish_core", event.Headers{Network: event.IPv4}), Harm, "The route look-up",
			[]string{"option", "source_route"},
		},
		"a loopback source": {
			packet("IP_LOCALNET", "ip_rcv_finish_core", event.Headers{Src: netip.MustParseAddr("127.0.0.1")}), Harm,
			"source of the packet is a loopback address", []string{"route_localnet"},
		},
		"a loopback destination": {
			packet("IP_LOCALNET", "ip_rcv_finish_core", event.Headers{Dst: netip.MustParseAddr("127.0.0.1")}), Harm, "route_localnet", nil,
		},
		"a silent next hop": {packet("NEIGH_FAILED", "neigh_invalidate", event.Headers{}), Harm, "arp_announce", []string{"ICMPv6"}},
		"a silent next hop of IPv6": {
			packetIPv6("", "neigh_invalidate", event.Headers{}), Harm, "ICMPv6 types 135 and 136", []string{"ARP", "arp"},
		},
		"a hop limit": {packetIPv6("IP_INHDR", "ip6_forward", ttl(1)), Harm, "hop limit 1, too small", []string{"TTL"}},
		"prohibit, with a reason": {
			routed(packet("IP_INNOROUTES", "ip6_pkt_prohibit", event.Headers{}), "prohibit"), Maybe,
			"is a prohibit route", nil,
		},
		"no route at all":     {routed(packet("IP_INNOROUTES", "ip_error", event.Headers{}), "none"), Harm, "There is no route", nil},
		"a hook is not known": {rule, Maybe, "connection tracking dropped the packet", nil},
		"bridged": {
			through(rule, "nf_hook_slow", "br_nf_forward_ip", "nf_hook_slow", "__br_forward"), Maybe, "br_netfilter", []string{"routed"},
		},
		"routed": {through(rule, "nf_hook_slow", "ip_forward", "ip_rcv"), Maybe, "dropped a routed packet", nil},
		"nftables itself": {
			through(packet("NETFILTER_DROP", "nft_do_chain", event.Headers{}), "nft_do_chain_inet", "nf_hook_slow", "ip_local_deliver"),
			Maybe, "policy of an INPUT chain", []string{"insert_failed)"},
		},
		"conntrack's table":    {through(rule, "nf_hook_slow", "ip_rcv", "__netif_receive_skb_core"), Maybe, "nf_conntrack_max", nil},
		"two DNS queries":      {through(rule, "nf_hook_slow", "ip_output", "ip_send_skb"), Maybe, "insert_failed", nil},
		"an orderly close":     {through(packet("QUEUE_PURGE", "", event.Headers{}), "sk_stream_kill_queues"), Noise, "closed", nil},
		"that has no stack":    {packet("QUEUE_PURGE", "sk_stream_kill_queues", event.Headers{}), Noise, "TCP connection was closed", nil},
		"a closed socket":      {packet("QUEUE_PURGE", "inet_sock_destruct", event.Headers{}), Noise, "Only the packets show which", nil},
		"a queue of something": {packet("QUEUE_PURGE", "", event.Headers{}), Maybe, "queue was emptied", nil},
		"backlog":              {event.Event{Reason: "CPU_BACKLOG"}, Harm, "netdev_budget does not help", nil},
		"accept queue":         {event.Event{Reason: "TCP_LISTEN_OVERFLOW"}, Harm, "somaxconn helps only if", nil},
		"one flow of fq":       {event.Event{Reason: "FQ_FLOW_LIMIT"}, Maybe, "The link is not full", nil},
		"fragment memory":      {event.Event{Where: at("ip_defrag")}, Harm, "ipfrag_high_thresh", nil},
		"bridged jumbo frames": {event.Event{Where: at("br_dev_queue_push_xmit")}, Harm, "exceeds the MTU", nil},
		"NFQUEUE's copy":       {event.Event{Where: at("__nfqnl_enqueue_packet")}, Noise, "copy", nil},
	} {
		got, ok := Of(&c.event)
		if text := got.String(); !ok || got.Severity != c.severity || !strings.Contains(text, c.want) {
			t.Errorf("%s: %v, want %v and %q in:\n%s", name, got.Severity, c.severity, c.want, text)
		} else {
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%s: %q in:\n%s", name, not, text)
				}
			}
		}
	}
}

// icmp are the headers of a message.
func icmp(transport event.Layer, typ, code uint8) event.Headers {
	return event.Headers{
		Fields: event.FieldICMPType | event.FieldICMPCode, Transport: transport, ICMPType: typ, ICMPCode: code,
	}
}

func TestHook(t *testing.T) {
	rule := packet("NETFILTER_DROP", "nf_hook_slow", event.Headers{})
	for want, e := range map[string]event.Event{
		"":               rule,
		"INPUT":          through(rule, "nf_hook_slow", "ip_local_deliver", "ip_rcv"),
		"bridge FORWARD": through(rule, "nf_hook_slow", "br_nf_forward_ip.part.0", "ip_forward"),
		"OUTPUT":         through(rule, "nf_hook_slow", "__ip_local_out", "ip_local_out", "ip_output"),
	} {
		if got := Hook(&e); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	e := packet("NO_SOCKET", "udp_rcv", event.Headers{Transport: event.UDP})
	first := func(e event.Event) string {
		x, _ := Of(&e)
		return x.Check[0]
	}
	is := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	is("here", first(e), "ss -lnup 'sport = :53'")
	e.Netns = event.Netns{Inode: 7, Name: event.InitNetns}
	is("in the initial namespace", first(e), "ss -lnup 'sport = :53'")
	e.Netns.Name = "blue"
	is("in a named one", first(e), "ip netns exec blue ss -lnup 'sport = :53'")
	e.Owner.Container.Name, e.Owner.Process.PID = "blue", 812
	is("in a container's", first(e), "nsenter -t 812 -n ss -lnup 'sport = :53'")
	e.Netns.Name, e.Owner = "", event.Owner{}
	is("in one without a name", first(e), "nsenter -t PID -n ss -lnup 'sport = :53'")
	e.Netns.Name = "a;reboot"
	is("a hostile name", first(e), "nsenter -t PID -n ss -lnup 'sport = :53'")
	e.Netns = event.Netns{}
	e.Owner.Socket = &event.Socket{Family: 2}
	is("sent from here, where no socket is", first(e), "ss -lnup 'sport = :53'")
	e.Reason = "SOCKET_RCVBUFF"
	is("sent from here", first(e), "ss -uanmp 'sport = :40000'  # in skmem, rb is the buffer and d the drops")
	e.Reason = "NO_SOCKET"
	e.Packet.Flow = nil
	is("no packet", first(e), "ss -lntup")

	e = packet("IP_RPFILTER", "", event.Headers{})
	e.Netns.Name = "blue"
	e.Port.IfName = "eth0.100"
	const sysctl = "ip netns exec blue sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf."
	const note = ".rp_filter  # the greater of the two counts"
	is("a VLAN interface", first(e), sysctl+"eth0/100"+note)
	e.Port.IfName = "$(reboot)"
	is("a hostile interface", first(e), sysctl+"DEV"+note)
	e.Reason = "XDP"
	is("what is attached to interfaces", first(e), "ip netns exec blue bpftool net show")
	e = packet("", "tcp_v4_rcv", event.Headers{})
	e.Reason, e.Netns.Name = "NOT_SPECIFIED", "blue"
	is("the same in every namespace", Lookup("NOT_SPECIFIED")[0].Explain(&e).Check[0], "dropwatch watch --stack reason NOT_SPECIFIED")
	e = packet("NEIGH_FAILED", "", event.Headers{})
	e.Port.IfName = "eth0"
	x, _ := Of(&e)
	is("a next hop", x.Check[1], "ip neigh show dev eth0 nud failed nud incomplete  # also next hops")
}

// TestControlGroupIngress: a program at the receiver's control group drops for the reason of socket filters, which the
// explanation says, with how to find it.
func TestControlGroupIngress(t *testing.T) {
	e := packet("SOCKET_FILTER", "tcp_v4_rcv", event.Headers{})
	e.Netns.Name = "blue" // the control group is the same in each
	x, _ := Of(&e)
	if !strings.Contains(x.Cause, "control group") || !strings.Contains(x.Fix, "control group") {
		t.Errorf("%s\n%s", x.Cause, x.Fix)
	}
	for _, command := range []string{"bpftool cgroup tree", "systemctl show -p IPAddressDeny"} {
		if !slices.ContainsFunc(x.Check, func(c string) bool { return strings.HasPrefix(c, command) }) {
			t.Errorf("no %q among %q", command, x.Check)
		}
	}
}

// TestHarmless: a drop that lost nothing is noise, whatever its reason.
func TestHarmless(t *testing.T) {
	e := packet("SOCKET_RCVBUFF", "", event.Headers{})
	e.Harmless = "the sender's own copy"
	if x, ok := Of(&e); !ok || x.Severity != Noise {
		t.Errorf("severity %v, want %v", x.Severity, Noise)
	}
}

func TestExplain(t *testing.T) {
	const want = `The bridged frame exceeds the MTU of the port by which it has to leave.
check: ip link show  # mtu of each port
fix:   Give all ports of the bridge the same MTU.`
	if got := Lookup("br_dev_queue_push_xmit")[0].Explain(nil).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	const two = `The VLAN of the frame is not allowed on the port.
check: bridge vlan show dev DEV
fix:   Allow the VLAN on the port, or correct the sender.`
	if got := Lookup("ingress_vlan_filter")[0].Explain(nil).String(); got != two {
		t.Errorf("got\n%s\nwant\n%s", got, two)
	}
	for _, en := range All() {
		if text := en.Explain(nil).String(); strings.ContainsAny(text, "{}") {
			t.Errorf("%s: a hole is left in:\n%s", en.Name, text)
		}
	}
}

// TestNarrowerCauses: each says something that the entry itself and the others do not.
func TestNarrowerCauses(t *testing.T) {
	for _, e := range All() {
		seen := map[string]bool{e.Explain(nil).Cause: true}
		for _, c := range e.CaseExplanations() {
			if seen[c.Cause] {
				t.Errorf("%s says twice: %s", e.Name, c.Cause)
			}
			seen[c.Cause] = true
		}
	}
}

// TestSecondCauses: a place that drops for several causes, which the kernel does not tell apart, names each, and what shows it.
func TestSecondCauses(t *testing.T) {
	group := event.Headers{Dst: netip.MustParseAddr("232.1.2.3"), Transport: event.UDP}
	for name, test := range map[string]struct {
		event event.Event
		cause string
		check string
	}{
		"overlap":         {packet("", "ip_defrag", event.Headers{}), "overlaps another", "nstat -az IpReasmFails IpExtReasmOverlaps"},
		"overlap of IPv6": {packet("", "ipv6_frag_rcv", event.Headers{}), "overlaps another", "cat /proc/net/sockstat6"},
		"source route":    {event.Event{Where: at("ip_rcv_finish_core")}, "accept_source_route", "ip route get"},
		"source filter":   {packet("", "ip_rcv_finish_core", group), "only for other sources", "cat /proc/net/mcfilter"},
	} {
		x, _ := Of(&test.event)
		if !strings.Contains(x.Cause, test.cause) || !strings.Contains(strings.Join(x.Check, "\n"), test.check) {
			t.Errorf("%s: %s\n%q", name, x.Cause, x.Check)
		}
	}
	x, _ := Of(&event.Event{Reason: "QDISC_DROP"})
	if q, _ := x.QueueOf("tbf"); !strings.Contains(q.Cause, "burst is less than") || !strings.Contains(q.Fix, "backlog stays 0") {
		t.Errorf("tbf: %+v", q)
	}
}
