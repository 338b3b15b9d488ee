package filter_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/stage/filter"
)

// decided checks what expressions come to for a drop, and the opposite of their
// negations.
func decided(t *testing.T, what string, e *event.Event, want condition.Truth, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if got := parse(t, text).Decide(e); got != want {
			t.Errorf("%s of %s is %v, want %v", text, what, got, want)
		}
		if got := parse(t, "not ("+text+")").Decide(e); got != condition.True-want {
			t.Errorf("not %s of %s is %v", text, what, got)
		}
	}
}

// TestWhatIsNotKnown: of a drop of which nothing is known nothing can be decided, but
// for what a drop need not have, and for whether something is known.
func TestWhatIsNotKnown(t *testing.T) {
	const no, unknown = condition.False, condition.Unknown
	empty := event.Event{Count: 7, Origin: event.Unstated}
	decided(t, "nothing", &empty, unknown,
		"symbol != a", "symbol a", "point != a", "module x", "offset 0", "len != 1", "len < 9", "iface != lo", "iface lo",
		"ifindex 1", "proto != arp",
		"pid == 0", "task.pid == 0", "process != a", "process a", "netns != a", "socket != listen", "socket.inode 0", "unit != a",
		"container != a",
		"cgroup != /", "stack !~ a", "origin != hw", "segments 1", "ip", "ip6", "arp", "udp", "port 1", "port", "host != 192.0.2.1",
		"inner.port != 1",
		"quoted host ::1", "eth.addr != 02:00:5e:00:53:01", "tcp.flags != syn", "vlan", "broadcast", "frag", "tunnel gre", "vxlan", "vni 1",
	)
	decided(t, "nothing", &empty, no,
		"reason != A", "reason !~ A", "trap a", "group a", "cookie != 00", "trace_only", "packet", "decoded", "harmless",
		"harmless ~ a", "individual",
		"symbol", "iface", "ifindex", "netns", "owner", "process", "unit", "socket", "task.comm", "stack", "len", "segments",
	)
}

// TestModuleOfTheKernelProper: there is none, which is known with the name of the function, unless that
// may have been cut.
func TestModuleOfTheKernelProper(t *testing.T) {
	of := func(w event.Where) *event.Event { return &event.Event{Count: 1, Where: w} }
	found := event.Frame{Lookup: event.Found, PC: 0x1234, Symbol: "tcp_v4_rcv"}
	const cut = "__netif_receive_skb_core.constprop.0+0x"
	tests := map[string]struct {
		where event.Where
		want  condition.Truth
	}{
		"a function":             {event.Where{HasPC: true, Frame: found}, condition.False},
		"by the kernel's name":   {event.Where{HasPC: true, Kernel: "tcp_v4_rcv+0x91/0x40"}, condition.False},
		"by a name that was cut": {event.Where{HasPC: true, Kernel: cut}, condition.Unknown},
		"that and the table's":   {event.Where{HasPC: true, Frame: found, Kernel: cut}, condition.False},
		"no name":                {event.Where{HasPC: true, Frame: event.Frame{PC: 0x1234}}, condition.Unknown},
		"a device":               {event.Where{Trap: "blackhole_route"}, condition.False},
	}
	for name, test := range tests {
		decided(t, name, of(test.where), test.want, "module openvswitch", "module != openvswitch", "module ~ ^nf_")
	}
	found.Module = "openvswitch"
	decided(t, "a module", of(event.Where{HasPC: true, Frame: found}), condition.True, "module openvswitch", "module != nf_tables")
}

// TestOfNoBytes: what the kernel took a packet for says what it cannot have.
func TestOfNoBytes(t *testing.T) {
	const no, unknown, yes = condition.False, condition.Unknown, condition.True
	of := func(proto uint16) *event.Event {
		return &event.Event{Count: 1, Packet: event.Packet{Proto: proto, HasProto: true}}
	}
	decided(t, "ARP", of(0x0806), no, "ip", "port 53", "tcp", "ip.src 192.0.2.1", "inner ip", "quoted host ::1", "vxlan",
		"tcp.flags has syn")
	decided(t, "ARP", of(0x0806), unknown, "src 192.0.2.1", "arp.op request", "eth.src 02:00:5e:00:53:01", "vlan 7")
	decided(t, "ARP", of(0x0806), yes, "arp", "proto arp")
	decided(t, "IPv4", of(0x0800), no, "ip6", "arp", "ip6 src ::1", "arp.op request")
	decided(t, "IPv4", of(0x0800), unknown, "port 53", "tcp", "udp port 53", "src 192.0.2.1", "ttl 1", "inner ip", "vxlan", "frag")
	decided(t, "LLDP", of(0x88cc), no, "ip", "port 53", "src 192.0.2.1", "ttl 1", "inner ip")
	decided(t, "LLDP", of(0x88cc), unknown, "eth.dst 02:00:5e:00:53:01")
	decided(t, "a VLAN tag", of(0x8100), unknown, "port 53", "arp.op request", "src 192.0.2.1")
}

// TestOfPacketsThatWereCut cuts packets anywhere: what is decided of a part is decided
// likewise of the whole.
func TestOfPacketsThatWereCut(t *testing.T) {
	packets := map[string][]byte{
		"udp": eth(0x0800, ip4(17, udp(1, 53, nil))), "tcp": eth(0x0800, ip4(6, tcp(53, 80, 2))), "arp": eth(0x0806, arp(1)),
		"udp6": eth(0x86dd, ip6(17, udp(1, 53, nil))), "vlan": eth(0x8100, vlan(7, 0x0800, ip4(6, tcp(53, 80, 2)))),
		"error": eth(0x0800, router4(1, icmp(3, 3, ip4(17, udp(1, 53, nil))))), "ping": eth(0x0800, ip4(1, icmp(8, 0, nil))),
		"vxlan": eth(0x0800, ip4(17, udp(40000, 4789, vxlan(7, eth(0x86dd, ip6(6, tcp(49152, 443, 0x012))))))),
	}
	texts := []string{
		"port 53", "udp port 53", "tcp", "tcp dst port 80", "src 192.0.2.1", "not host 192.0.2.1", "ip", "ip6", "arp",
		"arp.op request", "vlan 7", "ttl 64",
		"eth.src 02:00:5e:00:53:02", "broadcast", "tcp.flags has syn", "icmp.type 8", "quoted udp port 53", "quoted ip",
		"inner tcp port 443", "inner ip6",
		"vxlan", "vni 7", "frag", "eth.type arp", "port 53 and not vlan 7 or icmp", "not (inner ip6 or quoted ip)",
	}
	var counts [3]int
	for name, data := range packets {
		whole := dropOf(data)
		for n := range data {
			part := whole
			part.Packet.Data, part.Packet.Flow = data[:n:n], new(event.Flow)
			packet.Decode(part.Packet.Data, event.LinkEthernet, 0, part.Packet.Flow)
			if part.Packet.Flow.Stop.Why != event.Truncated {
				continue // no more is announced than is there
			}
			for _, text := range texts {
				f := parse(t, text)
				got, want := f.Decide(&part), f.Decide(&whole)
				counts[got]++
				if want == condition.Unknown || got != want && got != condition.Unknown {
					t.Errorf("%s of %d bytes of %s is %v, of all %v", text, n, name, got, want)
				}
			}
		}
	}
	if min(counts[0], counts[1], counts[2]) < 500 {
		t.Errorf("truths %v: that shows little", counts)
	}
	part := dropOf(packets["udp"][:34:34])
	decided(t, "34 bytes of UDP", &part, condition.Unknown, "port 53")
	decided(t, "34 bytes of UDP", &part, condition.False, "tcp port 53", "icmp.type 8", "arp")
}

// TestPendingOwner: an owner that is still being looked for is not known to be another.
func TestPendingOwner(t *testing.T) {
	e := full()
	e.Owner = event.Owner{Pending: true, Socket: &event.Socket{Cookie: 5}}
	decided(t, "a pending owner", &e, condition.Unknown, "process nginx", "process", "unit != a", "pod web", "container", "process.certain")
	decided(t, "a pending owner", &e, condition.True, "owner", "socket.cookie 5", "process nginx or reason NO_SOCKET")
	e.Owner.Pending = false
	decided(t, "a socket without a process", &e, condition.False, "process nginx", "process", "unit != a", "container")
	e.Owner = event.Owner{}
	decided(t, "a packet of no socket", &e, condition.False, "process nginx", "owner", "unit a")
}

// TestStageMarks: what cannot be decided is neither passed nor rejected.
func TestStageMarks(t *testing.T) {
	f := parse(t, "iface lo and reason A")
	for want, e := range map[string]event.Event{
		"pass":      {Reason: "A", Port: event.Port{IfName: "lo"}},
		"reject":    {Reason: "B", Undecided: true},
		"undecided": {Reason: "A"},
	} {
		if got := outcome(f.Stages(nil)[0](&e), &e); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func outcome(pass bool, e *event.Event) string {
	switch {
	case pass && !e.Undecided:
		return "pass"
	case !pass && e.Undecided:
		return "undecided"
	case !pass:
		return "reject"
	}
	return "passed though undecided"
}

// TestStagesDecideEarly places filters among steps that find out one thing each: the
// outcome is that of the filter behind all, and what is rejected pays for nothing that
// the part which rejects it does not need.
func TestStagesDecideEarly(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	leaves := append(splitComparisons, "harmless", "segments 1", "count 1")
	var early, outcomes = 0, map[string]int{}
	for range 3000 {
		f := parse(t, randomOf(r, leaves, 3))
		whole := randomDrop(r)
		ran := 0
		raw := whole
		raw.Packet.Flow, raw.Owner, raw.Where.Frame, raw.Task = nil, event.Owner{}, event.Frame{PC: whole.Where.PC}, event.Task{}
		steps := []filter.Step{
			{Adds: event.FactPacket, Stage: func(e *event.Event) bool { ran++; e.Packet.Flow = whole.Packet.Flow; return true }},
			{Adds: event.FactLocation, Stage: func(e *event.Event) bool { ran++; e.Where.Frame = whole.Where.Frame; return true }},
			{Adds: event.FactTask, Stage: func(e *event.Event) bool { ran++; e.Task = whole.Task; return true }},
			{Adds: event.FactOwner, Stage: func(e *event.Event) bool { ran++; e.Owner = whole.Owner; return true }},
		}
		pass := true
		for _, stage := range f.Stages(steps) {
			if pass = stage(&raw); !pass {
				break
			}
		}
		got, want := outcome(pass, &raw), outcome(f.Stages(nil)[0](&whole), &whole)
		if got != want {
			t.Fatalf("%s: %s by parts, %s as a whole", f, got, want)
		}
		if outcomes[got]++; got == "reject" && ran < len(steps) {
			early++
		}
	}
	if early < 300 || len(outcomes) != 3 {
		t.Errorf("%d were rejected early, of %v: that shows little", early, outcomes)
	}
}

// TestStagesPayForNothing counts the steps that a rejected drop runs through.
func TestStagesPayForNothing(t *testing.T) {
	for text, want := range map[string]string{
		"reason A and symbol f":                   "",
		"iface lo and process nginx":              "",
		"port 53 and symbol f":                    "headers",
		"symbol f and process nginx":              "headers symbols",
		"process nginx and not reason NO_SOCKET":  "",
		"process nginx or reason A":               "headers symbols owner",
		"not (process nginx or reason NO_SOCKET)": "",
	} {
		var ran []string
		step := func(name string, adds event.Facts) filter.Step {
			return filter.Step{Adds: adds, Stage: func(*event.Event) bool { ran = append(ran, name); return true }}
		}
		stages := parse(t, text).Stages([]filter.Step{
			step("headers", event.FactPacket), step("symbols", event.FactLocation), step("owner", event.FactOwner|event.FactNamespace),
		})
		e := full()
		e.Owner.Process.Comm, e.Owner.Process.PID = "sshd", 1
		for _, stage := range stages {
			if !stage(&e) {
				break
			}
		}
		if got := strings.Join(ran, " "); got != want || e.Undecided {
			t.Errorf("%s: ran %q, want %q", text, got, want)
		}
	}
	var all *filter.Filter
	if stages := all.Stages([]filter.Step{{}, {}}); len(stages) != 2 {
		t.Errorf("no filter makes %d stages of 2", len(stages))
	}
}
