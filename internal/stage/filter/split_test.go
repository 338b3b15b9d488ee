package filter_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/condition/conditiontest"
	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/stage/filter"
)

// ofKind are the facts that a count of the source bpf has of its drops.
const ofKind = event.FactReason | event.FactNamespace | event.FactTrap | event.FactCookie

const (
	pcOfOVS  = 0xffffffff81000234
	pcOfHook = 0xffffffff82000010
)

// ofHost also knows functions and namespaces.
var ofHost = filter.Resolver{
	Reason: func(name string) ([]condition.Span, bool) {
		numbers, _ := known(name)
		return numbers, len(numbers) > 0
	},
	Function: func(name string) ([]condition.Span, bool) {
		if name == "ovs_vport_receive" {
			return []condition.Span{{Lo: pcOfOVS - 0x234, Hi: pcOfOVS + 0x100}}, true
		}
		return nil, name != "nf_hook_slow"
	},
	Netns: func(name string) ([]condition.Span, bool) {
		if name == "blue" {
			return []condition.Span{{Lo: 4026532281, Hi: 4026532281}}, true
		}
		return nil, false
	},
}

func TestSplit(t *testing.T) {
	tests := map[string]struct{ kernel, rest, whole string }{
		"reason NO_SOCKET":          {"reason in [{3 3}]", "", ""},
		"reason OF_A_MODULE":        {"true", "reason == OF_A_MODULE", ""},
		"reason TCP_* and len > 60": {"length in [{61 18446744073709551615}] or none?", "reason == TCP_*", ""},
		"udp dst port 53": {"((network not in [] && transport in [{17 17}] && dstport in [{53 53}]) || " +
			"(network in [] or none && unknown))", "", ""},
		"not (tcp or ifindex 3)": {"(((network not in [] && transport not in [{6 6}] or none) || (network in [] or " +
			"none && unknown)) && ifindex not in [{3 3}] or none?)", "", ""},
		"iface eth* and netns blue": {"(ifname in [{Text:eth Prefix:true}] or none? && netns in [{4026532281 " +
			"4026532281}] or none)", "netns == blue", ""},
		"layer transport and reason NO_SOCKET":  {"reason in [{3 3}]", "layer == transport", ""},
		"iface ~ ^eth":                          {"unknown", "", "iface"},
		"netns red":                             {"true", "netns == red", ""},
		"args.rmem > 1000":                      {"unknown", "", "args.rmem"},
		"args.rmem > 1000 and reason NO_SOCKET": {"(unknown && reason in [{3 3}])", "", "args.rmem"},
		"symbol ovs_vport_receive":              {"pc in [{18446744071578845184 18446744071578846004}]", "symbol == ovs_vport_receive", ""},
		"symbol no_such_function":               {"false", "", ""},
		"symbol or udp": {"((network not in [] && ((pc not in [] && unknown) || transport in [{17 17}])) || " +
			"(network in [] or none && unknown))", "", "symbol"},
		"tcp.flags has syn": {"((network not in [] && transport in [{6 6}] && unknown) || (network in [] or " +
			"none && unknown))", "", "tcp.flags"},
		"ip and stack has f": {"(protocol in [{2048 2048}] or none? && unknown)", "", "stack"},
		"host 10.0.0.0/8": {"((network not in [] && (src in [10.0.0.0/8] || dst in [10.0.0.0/8])) || (network " +
			"in [] or none && unknown))", "", ""},
		"process nginx":                     {"unknown", "", "process"},
		"inner udp":                         {"unknown", "", "inner.udp"},
		"count > 3 and module":              {"true", "count > 3 and module", ""},
		"port in {" + everyOther(300) + "}": {"unknown", "", "port"}, // more than a source takes
	}
	for text, want := range tests {
		s := parse(t, text).Split(ofHost, ofKind)
		if got := s.Kernel.String(); got != want.kernel || s.Rest.String() != want.rest || strings.Join(s.Whole, ",") != want.whole {
			t.Errorf("%s: %s, rest %q, whole %q\nwant %s, %q, %q", text, got, s.Rest, s.Whole, want.kernel, want.rest, want.whole)
		}
	}
	if s := parse(t, "process nginx and udp").Split(ofHost,
		ofKind|event.FactOwner); s.Kernel.String() != "((socket not in [] || unknown) && ((network not in [] && transport in "+
		"[{17 17}]) || (network in [] or none && unknown)))" ||
		s.Rest.String() != "process == nginx" || !slices.Equal(s.Whole, []string{"process"}) {
		t.Errorf("of an owner: %v, rest %q, whole %q", s.Kernel, s.Rest, s.Whole)
	}
	var all *filter.Filter
	if s := all.Split(ofHost, ofKind); s.Kernel != nil || s.Rest != nil || s.Whole != nil {
		t.Errorf("no filter gives %+v", s)
	}
}

// TestSplitKeepsTheAnswer: what the kernel rejects does not match, what it passes
// matches if Rest matches its kind, and what it leaves undecided is tested whole in
// dropwatch.
func TestSplitKeepsTheAnswer(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	leaves := append(slices.Clip(comparisons), splitComparisons...)
	verdicts := make(map[condition.Truth]int)
	wanted, undecided := 0, 0
	for range 4000 {
		f := parse(t, randomOf(r, leaves, 3))
		kind := ofKind
		if r.IntN(2) == 0 {
			kind |= event.FactOwner
		}
		s := f.Split(ofHost, kind)
		stage := f.StagesOf(s, nil)[0]
		for range 6 {
			e := randomDrop(r)
			facts := factsOf(r, &e)
			verdict, decision := conditiontest.Evaluate(s.Kernel, &facts), f.Decide(&e)
			match := decision == condition.True
			verdicts[verdict]++
			counted := countOf(r, &e, kind)
			switch {
			case stage(&e) != match:
				t.Fatalf("%s: the stage does not say %t of a whole drop", f, match)
			case verdict == condition.False && decision != condition.False && !knowsMore(f):
				t.Fatalf("%s is %v, and %v rejects %+v", f, decision, s.Kernel, facts)
			case verdict == condition.False && match:
				t.Fatalf("%s matches, and %v rejects %+v", f, s.Kernel, facts)
			case verdict == condition.True && stage(&counted) != match && !(decision == condition.Unknown && knowsMore(f)):
				t.Fatalf("%s is %t of a drop, and %q of its kind is not, which %v passes: %+v", f, match, s.Rest, s.Kernel, facts)
			}
			if match {
				wanted++
			}
			if decision == condition.Unknown {
				undecided++
			}
		}
	}
	for verdict := range condition.True + 1 {
		if verdicts[verdict] < 2000 || wanted < 5000 || undecided < 2000 {
			t.Errorf("%v came %d times, %d were wanted and %d undecided: that shows little", verdict, verdicts[verdict], wanted, undecided)
		}
	}
}

// knowsMore: of an address that has no name the kernel's side may know that it is in
// no function of a certain name.
func knowsMore(f *filter.Filter) bool {
	return strings.Contains(f.String(), "symbol") || strings.Contains(f.String(), "point")
}

// splitComparisons are of fields that a split treats in different ways.
var splitComparisons = []string{
	"dst port 53", "tcp port 80", "udp.srcport 1", "sctp", "icmpv6", "gre", "portrange 50-60", "src port != 1", "port", "ip.proto != udp",
	"src 192.0.2.1", "dst host 198.51.100.2", "ipv6.dst 2001:db8::/32", "host != 192.0.2.1", "arp.src 192.0.2.1",
	"not dst net 0.0.0.0/0", "ip.addr",
	"netns blue", "netns red", "netns != blue", "netns 4026532281", "netns.inode != 5", "netns", "pc 0xffffffff82000010", "pc != 5",
	"symbol ovs_vport_receive", "symbol != ovs_vport_receive", "symbol nf_hook_slow", "symbol", "point ovs_vport_receive+0x234",
	"symbol gone",
	"iface eth*", "iface != eth0", "iface", "iface {lo, eth1}", "iface e*0", "ifindex != 3", "ifindex", "len 100-2000", "len != 60",
	"reason != NO_SOCKET",
	"tcp.flags has ack", "icmp.type 8", "frag", "ttl 64", "process nginx", "unit", "trap", "cookie", "origin sw", "task.pid 42",
	"vlan", "proto vlan",
}

func randomOf(r *rand.Rand, leaves []string, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return leaves[r.IntN(len(leaves))]
	}
	left := randomOf(r, leaves, depth-1)
	switch r.IntN(5) {
	case 0, 1:
		return "(" + left + ") and (" + randomOf(r, leaves, depth-1) + ")"
	case 2, 3:
		return "(" + left + ") or (" + randomOf(r, leaves, depth-1) + ")"
	}
	return "not (" + left + ")"
}

// randomDrop returns one as the bpf source sends it, and as the stages leave it.
func randomDrop(r *rand.Rand) event.Event {
	frames := []struct {
		proto uint16
		data  []byte
	}{
		{0x0800, ip4(17, udp(1, 53, nil))}, {0x0800, ip4(6, tcp(53, 80, 2))}, {0x0800, ip4(6, tcp(1, 2, 0x12))},
		{0x0800, ip4(132, sctp(53, 54))},
		{0x0800, ip4(1, icmp(8, 0, nil))}, {0x0800, ip4frag(17, 0x2000, udp(1, 53, nil))}, {0x0800, ip4frag(17, 3, udp(1, 53, nil))},
		{0x0800, router4(1, icmp(3, 3, ip4(17, udp(1, 53, nil))))}, {0x0800, ip4(47, nil)}, {0x0800, []byte{0x45, 1, 2}},
		{0x86dd, ip6(17, udp(1, 53, nil))}, {0x86dd, ip6(6, tcp(80, 1, 0x10))}, {0x86dd, ip6(58, icmp(128, 0, nil))}, {0x86dd, ip6(0, nil)},
		{0x0806, arp(1)}, {0x8100, vlan(7, 0x0800, ip4(6, tcp(53, 80, 2)))}, {0x88a8, vlan(7, 0x86dd, ip6(17, udp(1, 53, nil)))},
		{0x88cc, nil}, {0, nil},
	}
	e := full()
	e.Cookie, e.Count, e.Individual = nil, 1, true
	if r.IntN(3) == 0 {
		e.Where.Frame = event.Frame{PC: pcOfHook, Lookup: event.Found, Symbol: "nf_hook_slow", Offset: 0x10}
	}
	if r.IntN(8) == 0 {
		e.Where.Frame = event.Frame{PC: pcOfHook + 1, Lookup: event.NotFound}
	}
	e.Where.Kernel = ""
	e.Reason, _ = randomReason(r)
	f := frames[r.IntN(len(frames))]
	e.Packet = event.Packet{Proto: f.proto, HasProto: f.proto != 0, HasData: f.proto != 0, HasLen: true, Len: uint32(r.IntN(200))}
	if e.Packet.HasData {
		e.Packet.Data, e.Packet.Flow = eth(f.proto, f.data), new(event.Flow)
		packet.Decode(e.Packet.Data, event.LinkEthernet, f.proto, e.Packet.Flow)
	}
	if r.IntN(3) == 0 {
		e.Port, e.Netns = event.Port{}, event.Netns{}
	}
	if r.IntN(3) == 0 {
		e.Owner, e.Stack = event.Owner{}, nil
	}
	if r.IntN(3) == 0 {
		e.Owner.Socket = nil // it was found by the headers
	}
	return e
}

// countOf returns an event of several drops of one kind.
func countOf(r *rand.Rand, e *event.Event, kind event.Facts) event.Event {
	c := event.Event{Count: 1 + r.Uint64N(9), Where: e.Where, Reason: e.Reason, Netns: e.Netns}
	c.Packet.Proto, c.Packet.HasProto, c.Port.IfIndex = e.Packet.Proto, e.Packet.HasProto, e.Port.IfIndex
	if kind&event.FactOwner != 0 && e.Owner.Socket != nil {
		c.Owner = e.Owner
	}
	return c
}

// factsOf returns what the kernel's side knows of a drop. It may have not read the
// headers, or only the ports not.
func factsOf(r *rand.Rand, e *event.Event) (f conditiontest.Facts) {
	set := func(field condition.Field, n uint64, has bool) {
		if f.Numbers[field] = n; !has {
			f.Absent |= condition.Of(field)
		}
	}
	reason := uint64(0x20005)
	if n, ok := numbers[e.Reason]; ok {
		reason = n
	}
	set(condition.Reason, reason, e.Reason != "")
	set(condition.PC, e.Where.PC, true)
	set(condition.IfIndex, uint64(e.Port.IfIndex), e.Port.IfIndex != 0)
	set(condition.Socket, 1, e.Owner.Socket != nil)
	set(condition.Netns, uint64(e.Netns.Inode), e.Netns.Inode != 0)
	set(condition.Length, uint64(e.Packet.Len), true)
	set(condition.Protocol, uint64(e.Packet.Proto), e.Packet.HasProto)
	if slices.Contains(condition.Tags[:], e.Packet.Proto) {
		f.Unknown |= condition.Of(condition.Protocol)
	}
	if f.IfName = e.Port.IfName; f.IfName == "" {
		f.Absent |= condition.Of(condition.IfName)
	}
	h := new(event.Headers)
	if e.Packet.Flow != nil {
		h = &e.Packet.Flow.Headers
	}
	network := map[event.Layer]uint64{event.IPv4: 0x0800, event.IPv6: 0x86dd, event.ARP: 0x0806}[h.Network]
	set(condition.Network, network, network != 0)
	set(condition.Transport, uint64(h.Protocol), h.Has(event.FieldProtocol))
	set(condition.SrcPort, uint64(h.SrcPort), h.Has(event.FieldSrcPort))
	set(condition.DstPort, uint64(h.DstPort), h.Has(event.FieldDstPort))
	f.Addrs[0], f.Addrs[1] = h.Src, h.Dst
	for i, field := range []condition.Field{condition.Src, condition.Dst} {
		if !f.Addrs[i].IsValid() {
			f.Absent |= condition.Of(field)
		}
	}
	if e.Packet.Flow != nil && e.Packet.Flow.Stop.Why == event.Truncated { // what is not there is not known
		f.Unknown |= f.Absent & condition.Of(condition.Network, condition.Transport, condition.Src, condition.Dst,
			condition.SrcPort, condition.DstPort)
	}
	ports := condition.Of(condition.SrcPort, condition.DstPort)
	switch r.IntN(4) {
	case 0:
		f.Unknown |= ports
	case 1:
		f.Unknown |= ports | condition.Of(condition.Network, condition.Transport, condition.Src, condition.Dst)
	}
	return f
}
