package filter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/stage/filter"
)

func parse(t testing.TB, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// full is a drop with every attribute, of an IPv4 packet in VXLAN.
func full() event.Event {
	e := dropOf(eth(0x0800, ip4(17, udp(40000, 4789, vxlan(7, eth(0x86dd, ip6(6, tcp(49152, 443, 0x012))))))))
	e.Reason, e.Origin, e.Count, e.Individual = "NO_SOCKET", event.Software, 1, true
	e.Segments, e.Harmless = 3, "closed in order"
	e.Args = []event.Arg{{Name: "limit", Number: 64}, {Name: "queue", Text: "rx-0"}, {Name: "port", Text: "443"}}
	e.Where = event.Where{
		HasPC: true, Kernel: "wrong+0x1/0x2",
		Frame: event.Frame{PC: 0xffffffff81000234, Lookup: event.Found, Symbol: "ovs_vport_receive", Offset: 0x234, Module: "openvswitch"},
	}
	e.Packet.Proto, e.Packet.HasProto, e.Packet.Len, e.Packet.HasLen = 0x0800, true, 1500, true
	e.Port = event.Port{IfIndex: 3, IfName: "eth0"}
	e.Cookie = []byte{0xde, 0xad, 0xbe, 0xef}
	e.Task = event.Task{Known: true, CPU: 1, PID: 42, TID: 43, Comm: "ksoftirqd/1"}
	e.Netns = event.Netns{Inode: 4026532281, Name: "blue"}
	e.Owner = event.Owner{
		Socket:    &event.Socket{State: event.SocketListens, Cookie: 0x1f, Inode: 4711, Receiver: true},
		Process:   event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain},
		Cgroup:    event.Cgroup{ID: 99, Path: "/system.slice/nginx.service"},
		Unit:      "nginx.service",
		Container: event.Container{ID: containerID, Runtime: "docker", Name: "web"},
		Pod:       event.Pod{UID: "6f3c9a52", Namespace: "shop", Name: "web-0"},
	}
	e.Stack = []event.Frame{
		{PC: 0xffffffff81000234, Lookup: event.Found, Symbol: "ovs_vport_receive"},
		{PC: 1, Lookup: event.NotFound},
		{PC: 2, Lookup: event.Found, Symbol: "nf_hook_slow"},
	}
	return e
}

// containerID is as long as those that runtimes make.
const containerID = "4f1c2d3e4a5b6c7d8e9f00112233445566778899aabbccddeeff001122334455"

func dropOf(data []byte) event.Event {
	e := event.Event{Count: 1, Packet: event.Packet{Data: data, HasData: true, Flow: new(event.Flow)}}
	packet.Decode(data, event.LinkEthernet, 0, e.Packet.Flow)
	return e
}

// TestAttributes compares each attribute with what a drop has, and with what
// it has not.
func TestAttributes(t *testing.T) {
	tests := []struct{ yes, no string }{
		{"reason", "not reason"},
		{"reason == NO_SOCKET", "reason == NETFILTER_DROP"},
		{"reason no_socket", "reason != no_socket"},
		{"reason == SKB_DROP_REASON_NO_SOCKET", "reason in {A, B}"},
		{"reason == no_*", "reason == TCP_*"},
		{"reason ~ socket$", "reason !~ ^no"},
		{"symbol == ovs_vport_receive", "symbol == ovs_vport"},
		{"symbol ~ ^ovs_", "symbol ~ wrong"},
		{"symbol == ovs*rec*", "symbol == *rec"},
		{`symbol != "ovs*"`, `symbol == "ovs*"`},
		{"function ~ ^(a|ovs)_", "function ~ ^(a|b)_"},
		{"point == ovs_vport_receive", "point == nf_hook_slow"},
		{"point == ovs_vport_receive+0x234", "point == ovs_vport_receive+0x235"},
		{"point == ovs_*+564", "point != ovs_*"},
		{"offset == 0x234", "offset < 0x234"},
		{"pc == 0xffffffff81000234", "pc == 0"},
		{"module == openvswitch", "module == nf_tables"},
		{"stack has nf_hook_slow", "stack has nf_hook"},
		{"stack ~ ^nf_", "stack !~ ^nf_"},
		{"stack != a", "stack != nf_hook_slow"},
		{"origin sw", "origin hw"},
		{"origin == software", "origin != sw"},
		{"proto == ip and protocol == 0x0800", "proto == arp"},
		{"len > 1499", "len > 1500"},
		{"len >= 1500", "len >= 1501"},
		{"length < 1501", "length < 1500"},
		{"len <= 1500", "len <= 1499"},
		{"greater 1500", "greater 1501"},
		{"less 1500", "less 1499"},
		{"len in {9, 1000-2000}", "len != 1000-2000"},
		{"iface eth0", "iface lo"},
		{"iface == e*0", "not iface in {lo, eth0}"},
		{"iface 3", "iface {1, 2}"},
		{`ifname != "3"`, `iface "3"`},
		{"ifindex < 4", "ifindex > 3"},
		{"cookie == 0xDEADBEEF", "cookie == de:ad"},
		{"cookie de:ad:be:ef", "cookie != deadbeef"},
		{"comm == ksoftirqd/1", "comm == sshd"},
		{"task.pid 42 and tid 43 and cpu 1", "pid 42"},
		{"task.comm ~ ^ksoft and task.tid 43 and task.cpu 1", "task.pid 812"},
		{"src ::ffff:192.0.2.1 and host ::ffff:192.0.2.1 and net ::ffff:192.0.2.0/120", "host ::ffff:203.0.113.99"},
		{"netns blue and netns 4026532281 and netns.inode > 1", "netns red or netns 1"},
		{"netns b* and netns in {red, blue}", `netns "4026532281" or netns != blue`},
		{"owner and process and process.certain", "not owner or not process.certain"},
		{"process nginx and process 812 and pid 812", "process ngin or process 42"},
		{"process == {nginx, sshd} and process ~ ^ng", `process "812" or process != nginx`},
		{"unit nginx.service and unit nginx and unit ngin*", "unit ngin or unit nginx.scope"},
		{"unit != sshd", "unit ~ ^NGINX"},
		{"container web and container == w*", "container we"},
		{"container " + containerID, "container " + containerID[1:]},
		{"container " + containerID[:12], "container " + containerID[:11]},
		{`container "` + containerID[:13] + `"`, "container 4f1c2d3e4a5c"},
		{"container != 4f1c2d3e4a5c and runtime docker", "container != web"},
		{"pod web-0 and pod 6f3c9a52 and pod.namespace shop", "pod shop"},
		{"cgroup /system.slice/nginx.service and cgroup /system.slice/*", "cgroup /system.slice"},
		{"cgroup 99 and cgroup.id == 99", "cgroup 98"},
		{"socket and socket listening and socket listen", "socket established"},
		{"socket in {closed, listen} and socket != close", "socket != listening"},
		{"socket.receiver and socket.cookie 0x1f and socket.inode 4711", "socket.cookie 30"},
		{"count == 1", "count > 1"},
		{"segments 3 and segments > 2", "segments 1"},
		{"harmless and harmless closed* and harmless ~ order$", "not harmless or harmless != closed*"},
		{"args.limit 64 and args.limit > 63 and args.limit 60-70 and args.limit in {1, 64, x}", "args.limit < 64 or args.limit != 64"},
		{"args.queue rx-* and args.queue != tx-0 and args.queue ~ ^rx", "args.queue 64 or args.queue !~ rx"},
		{`args.port "443" and args.Limit`, "args.none or args.none != 1 or args.none < 9"},
		{"individual and packet and not trace_only", "trace_only"},
		{"decoded == complete", "decoded == malformed"},
		{"tunnel == vxlan and vxlan", "tunnel gre or geneve"},
		{"vni 7 and vxlan.vni == 0x7", "vni != 7"},
		{"ip and udp", "ip6"},
		{"inner ip6 and inner.tcp", "inner udp"},
		{"inner tcp port 443", "tcp port 443"},
		{"inner src 2001:db8::/32", "src 2001:db8::/32"},
		{"inner.tcp.flags has syn+ack", "inner tcp.flags == syn"},
		{"not quoted host 192.0.2.1", "quoted.ip"},
	}
	e := full()
	for _, tt := range tests {
		if !parse(t, tt.yes).Match(&e) {
			t.Errorf("%s does not match", tt.yes)
		}
		if parse(t, tt.no).Match(&e) {
			t.Errorf("%s matches", tt.no)
		}
	}
}

// TestWithoutAName: what has a number is there also without a name.
func TestWithoutAName(t *testing.T) {
	var e event.Event
	e.Netns.Inode, e.Owner.Process.PID, e.Owner.Cgroup.ID, e.Owner.Socket = 7, 8, 9, new(event.Socket)
	for _, text := range []string{
		"netns != blue", "netns", "process != a", "process and not process.certain", "cgroup and cgroup != /", "owner",
		"socket != listen", "not socket listen", "socket.inode == 0", "not socket.receiver",
	} {
		if !parse(t, text).Match(&e) {
			t.Errorf("%s does not match", text)
		}
	}
}

// TestSocketStates compares the names with those of events.
func TestSocketStates(t *testing.T) {
	for s := event.SocketState(1); s.String() != "unknown"; s++ {
		e := event.Event{Owner: event.Owner{Socket: &event.Socket{State: s}}}
		if f := parse(t, "socket "+s.String()); !f.Match(&e) || f.String() != "socket == "+s.String() {
			t.Errorf("%s is not %v", f, s)
		}
	}
}

func TestPlacesOfDrops(t *testing.T) {
	kernel := event.Event{Where: event.Where{HasPC: true, Kernel: "icmp_rcv+0x1a2/0x400 [mod]"}}
	trap := event.Event{Origin: event.Hardware, Where: event.Where{Trap: "ttl_value_is_too_small", TrapGroup: "l3_drops"}}
	unknown := event.Event{Where: event.Where{HasPC: true, Frame: event.Frame{PC: 1, Lookup: event.NotFound, Symbol: "old"}}}
	tests := map[string][3]bool{ // of kernel, trap, unknown
		"symbol == icmp_rcv":                {true, false, false},
		"symbol":                            {true, false, false},
		"module == mod":                     {true, false, false},
		"offset == 0x1a2":                   {true, false, false},
		"point == icmp_*":                   {true, false, false},
		"point == icmp_rcv+0x1a2":           {true, false, false},
		"point == ttl_*":                    {false, true, false},
		"point == ttl_value_is_too_small":   {false, true, false},
		"point == ttl_value_is_too_small+0": {false, false, false},
		"point != x":                        {true, true, false},
		"point":                             {true, true, false},
		"symbol == ttl_value_is_too_small":  {false, false, false},
		"trap ~ ttl and group l3_drops":     {false, true, false},
		"symbol == old":                     {false, false, false},
	}
	for text, want := range tests {
		f := parse(t, text)
		if got := [3]bool{f.Match(&kernel), f.Match(&trap), f.Match(&unknown)}; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestLogic(t *testing.T) {
	tests := map[string]bool{ // x is false, y is true
		"y or x and x": true, "(y or x) and x": false, "not x or y": true, "not (x or y)": false,
		"not x and not x": true, "! ! y": true, "x || y && y": true, "y and y and x": false,
		"NOT x AND y": true, "(((y)))": true, "x or x or y": true, "!x&&!(x||x)": true,
	}
	e := event.Event{Task: event.Task{Known: true, CPU: 1}}
	for text, want := range tests {
		full := strings.NewReplacer("x", "cpu == 0", "y", "cpu == 1").Replace(text)
		if got := parse(t, full).Match(&e); got != want {
			t.Errorf("%s: %v", full, got)
		}
	}
}

func TestString(t *testing.T) {
	tests := map[string]string{
		"reason = no_socket && ! iface lo":           "reason == NO_SOCKET and not iface == lo",
		"udp dst port domain":                        "udp.dstport == 53",
		"src or dst port 80-90":                      "port == 80-90",
		"src and dst net 10.1.2.3/8 or arp":          "src == 10.0.0.0/8 and dst == 10.0.0.0/8 or arp",
		"not src and dst host ::1":                   "not (src == ::1 and dst == ::1)",
		"src || dst port 53 && (src && dst ::1)":     "port == 53 and src == ::1 and dst == ::1",
		"(src or dst) || src && ip":                  "src or dst or src and ip",
		"src or dst":                                 "src or dst",
		"src or dst and arp":                         "src or dst and arp",
		"(src or dst) and arp":                       "(src or dst) and arp",
		"tcp src or dst port 1":                      "tcp.port == 1",
		"ether proto arp or ip6 proto icmp6":         "proto == arp or ipv6.proto == icmpv6",
		"ether src 02-00-5E-00-53-01":                "eth.src == 02:00:5e:00:53:01",
		"ether broadcast or ether multicast":         "broadcast or multicast",
		"symbol ~ ^nf_":                              `symbol ~ "^nf_"`,
		`symbol !~ 'a b\.c"'`:                        `symbol !~ "a b\\.c\""`,
		`(symbol~^a(b|c)\ )`:                         `symbol ~ "^a(b|c)\\ "`,
		`iface {"a b", and1, "and", "*", eth*, 1}`:   `iface == {"a b", and1, "and", "*", eth*, "1"}`,
		"unit sshd":                                  "unit == sshd.service",
		"unit user@1000 or unit {a.scope, b.c, d*}":  "unit == user@1000.service or unit == {a.scope, b.c.service, d*}",
		"process 812 or process \"812\"":             "pid == 812 or process == \"812\"",
		"netns 1 or netns blue":                      "netns.inode == 1 or netns == blue",
		"socket listening or socket CLOSED":          "socket == listen or socket == close",
		"container 123456789012":                     "container == \"123456789012\"",
		"comm a and tid 1 or cpu 2":                  "task.comm == a and task.tid == 1 or task.cpu == 2",
		"ifindex in {1, 2 3-4}":                      "ifindex == {1, 2, 3-4}",
		"tcp.flags tcp-syn+push":                     "tcp.flags has syn+psh",
		"tcp.flags == 0x112":                         "tcp.flags == 0x112",
		"tcp.flags == 0":                             "tcp.flags == 0x0",
		"icmp.type icmp-echo":                        "icmp.type == echo-request",
		"dscp EF":                                    "dscp == ef",
		"quoted tcp":                                 "quoted.tcp",
		"Quoted.TCP.Flags has SYN":                   "quoted.tcp.flags has syn",
		"inner ip6 host 2001:DB8::1":                 "inner.ipv6.addr == 2001:db8::1",
		"proto 0x88cc or proto 0x1234":               "proto == lldp or proto == 0x1234",
		"reason SKB_DROP_REASON_SKB_DROP_REASON_A":   "reason == A",
		"reason {SKB_DROP_REASON_0X0A, 0X2*}":        "reason == {0xa, 0x2*}",
		"reason 0X0020005":                           "reason == 0x20005",
		"pc 4096":                                    "pc == 0x1000",
		"point A+564":                                "point == A+0x234",
		"cookie 0XC0:ff":                             "cookie == 0xc0ff",
		"args.limit > 0x40 or args.a {b*, \"7\", 8}": "args.limit > 64 or args.a == {b*, \"7\", 8}",
	}
	for text, want := range tests {
		f := parse(t, text)
		if f.String() != want {
			t.Errorf("%s is %s, want %s", text, f, want)
		}
		if again := parse(t, f.String()); again.String() != want {
			t.Errorf("%s is %s when it is read again", want, again)
		}
	}
}

func TestEverything(t *testing.T) {
	e := full()
	var f *filter.Filter
	if !f.Match(&e) || len(f.Stages(nil)) != 0 || f.String() != "" || f.Kernel(filter.Resolver{}) != condition.True ||
		f.Needs(event.FactPacket) != nil || !f.CanMatch(^event.Facts(0)) {
		t.Error("a nil filter is not everything")
	}
	if filter.And(nil, nil) != nil {
		t.Error("everything and everything is not everything")
	}
	g := parse(t, "ip")
	if filter.And(g, nil) != g || filter.And(nil, g) != g {
		t.Error("everything changes a filter")
	}
	if both := filter.And(parse(t, "ip or arp"), parse(t, "udp and frag")).String(); both != "(ip or arp) and udp and frag" {
		t.Error(both)
	}
}

func TestPoints(t *testing.T) {
	at := func(symbol string, offset uint64) *event.Event {
		return &event.Event{Where: event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: symbol, Offset: offset}}}
	}
	trap := &event.Event{Where: event.Where{Trap: "blackhole_route"}}
	tests := []struct {
		include, exclude []string
		text             string
		want             [4]bool // tcp_rcv+0x10, tcp_drop, the trap, nowhere
	}{
		{nil, nil, "", [4]bool{true, true, true, true}},
		{[]string{"tcp_*"}, nil, "point == tcp_*", [4]bool{true, true, false, false}},
		{[]string{"tcp_rcv+0x10", "blackhole_route"}, nil, "point == {tcp_rcv+0x10, blackhole_route}", [4]bool{true, false, true, false}},
		{nil, []string{"tcp_rcv", "b*route"}, "not point == {tcp_rcv, b*route}", [4]bool{false, true, false, false}},
		{[]string{"tcp_*"}, []string{"*_drop"}, "point == tcp_* and not point == *_drop", [4]bool{true, false, false, false}},
		{[]string{"tcp_drop"}, []string{"*"}, "point == tcp_drop and not point == *", [4]bool{}},
		{[]string{"and"}, []string{}, `point == "and"`, [4]bool{}},
		{[]string{"Hardware"}, nil, "layer == hardware", [4]bool{false, false, true, false}},
		{[]string{"tcp", "tcp_drop"}, nil, "point == tcp_drop or layer.module == tcp", [4]bool{false, true, false, false}},
		{[]string{"hardware/route", "link"}, []string{"blackhole_route"},
			"(layer == hardware and layer.module == route or layer == link) and not point == blackhole_route",
			[4]bool{}},
		{[]string{"TCP_RESET"}, []string{"tcp_reset"}, "reason == TCP_RESET and not point == tcp_reset", [4]bool{}},
		{nil, []string{"tcp_drop", "NO_SOCKET"}, "not (point == tcp_drop or reason == NO_SOCKET)", [4]bool{true, false, true, false}},
		{nil, []string{"hardware/route"}, "not (layer == hardware and layer.module == route)", [4]bool{true, true, false, false}},
	}
	for _, tt := range tests {
		f, err := filter.Points(tt.include, tt.exclude)
		if err != nil {
			t.Fatal(err)
		}
		if f.String() != tt.text {
			t.Errorf("%s, want %s", f, tt.text)
		}
		if got := [4]bool{f.Match(at("tcp_rcv", 0x10)), f.Match(at("tcp_drop", 0)), f.Match(trap),
			f.Match(&event.Event{})}; got != tt.want {
			t.Errorf("%s: %v, want %v", f, got, tt.want)
		}
	}
}

// TestLayers: by the reason, or else the trap or the function.
func TestLayers(t *testing.T) {
	at := func(symbol string) event.Where {
		return event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: symbol, Offset: 1}}
	}
	const no, unknown, yes = condition.False, condition.Unknown, condition.True
	for name, test := range map[string]struct {
		drop          event.Event
		transport, ip condition.Truth // layer transport, layer.module ip
	}{
		"a reason, whatever the function": {event.Event{Reason: "TCP_CSUM", Where: at("ip_forward")}, yes, no},
		"a reason of IP":                  {event.Event{Reason: "IP_CSUM"}, no, yes},
		"a function":                      {event.Event{Where: at("tcp_v4_rcv")}, yes, no},
		"a function, no reason":           {event.Event{Reason: "NOT_SPECIFIED", Where: at("ip_forward.isra.0")}, no, yes},
		"a trap":                          {event.Event{Where: event.Where{Trap: "blackhole_route"}}, no, no},
		"a reason that is not known":      {event.Event{Reason: "STRANGE"}, no, no},
		"a function that is not known":    {event.Event{Where: at("strange")}, no, no},
		"no name of the location":         {event.Event{Reason: "NOT_SPECIFIED", Where: event.Where{HasPC: true}}, unknown, unknown},
	} {
		decided(t, name, &test.drop, test.transport, "layer transport", "layer == transport")
		decided(t, name, &test.drop, test.ip, "layer.module IP", "layer.module ~ ^ip$")
	}
	for text, want := range map[string]string{
		"layer transprot":    "invalid layer \"transprot\": it is hardware, link, network or transport",
		"layer.module qdsic": "unknown layer.module \"qdsic\": did you mean qdisc?",
		"layer.module zzzzz": "unknown layer.module \"zzzzz\": it is one of ",
	} {
		if _, err := filter.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestWrongPoints(t *testing.T) {
	const form = ": it is a function, function+0x1a2, a trap or a point, with * for anything"
	for name, want := range map[string]string{
		"": `invalid location ""` + form, "a b": `invalid location "a b"` + form, "a+x": `invalid location "a+x"` + form,
		"+0x1": `invalid location "+0x1"` + form, "(a)": `invalid location "(a)"` + form, "a\x1b": `invalid location "a\x1b"` + form,
		"link/qdics": `unknown layer or module "link/qdics": did you mean link/qdisc?`,
		"eth0/1":     `unknown layer or module "eth0/1": dropwatch points lists them`,
	} {
		for _, lists := range [][2][]string{{{name}}, {nil, {name}}, {{"ok", name}, {"ok"}}} {
			f, err := filter.Points(lists[0], lists[1])
			var e *filter.Error
			if f != nil || !errors.As(err, &e) || e.Reason != want {
				t.Errorf("%q: %v, %v, want %s", name, f, err, want)
			}
		}
	}
}

func TestNeeds(t *testing.T) {
	tests := []struct {
		text  string
		given event.Facts
		want  []string
	}{
		{"udp port 53 and host ::1 and reason A or udp.port 54", event.FactPacket, []string{"udp.port", "host"}},
		{"ip and arp and proto 1 and len 1 and symbol a", event.FactPacket, nil},
		{"ip and len > 1", event.FactPacket | event.FactProtocol | event.FactLength, []string{"ip", "len"}},
		{"inner ip", event.FactPacket, []string{"inner.ip"}},
		{"not stack ~ a and comm a and reason A", event.FactStack | event.FactTask, []string{"stack", "task.comm"}},
		{"pid 1 and netns blue and socket and tid 1", event.FactOwner | event.FactNamespace, []string{"pid", "netns", "socket"}},
		{"iface lo or trap a or cookie 00", event.FactInterface | event.FactTrap | event.FactCookie, []string{"iface", "trap", "cookie"}},
	}
	for _, tt := range tests {
		if got := parse(t, tt.text).Needs(tt.given); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := parse(t, "port 1").Needs(event.FactPacket); !slices.Equal(got, []string{"port"}) {
		t.Errorf("port needs a packet for %q", got)
	}
}

func TestReasons(t *testing.T) {
	tests := map[string][]string{
		"reason == no_socket":                             {"NO_SOCKET"},
		"not reason SKB_DROP_REASON_NOPE or len 1":        {"NOPE"},
		"reason in {A, B} and (reason != C or reason A)":  {"A", "B", "C"},
		`reason "A*" or reason A*`:                        {"A*"},
		"reason ~ NO_ or reason 0x20005 or reason":        nil,
		"symbol NO_SOCKET and comm A and trap B or len 3": nil,
	}
	for text, want := range tests {
		if got := parse(t, text).Reasons(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := (*filter.Filter)(nil).Reasons(); got != nil {
		t.Errorf("nil names %q", got)
	}
}

// TestReasonFamilies: the name of a family stands for its finer reasons, and a drop of which only the family
// is known may have any of them.
func TestReasonFamilies(t *testing.T) {
	const yes, no, unknown = condition.True, condition.False, condition.Unknown
	for text, want := range map[string][3]condition.Truth{ // of QDISC_DROP_OVERLIMIT, QDISC_DROP and NO_SOCKET
		"reason QDISC_DROP":                                 {yes, yes, no},
		"reason != qdisc_drop":                              {no, no, yes},
		`reason "QDISC_DROP"`:                               {yes, yes, no},
		"reason QDISC_DROP_OVERLIMIT":                       {yes, unknown, no},
		"reason != QDISC_DROP_OVERLIMIT":                    {no, unknown, yes},
		"not reason QDISC_DROP_OVERLIMIT":                   {no, unknown, yes},
		"reason {NO_SOCKET, QDISC_DROP_FLOW_LIMIT}":         {no, unknown, yes},
		"reason != {NO_SOCKET, QDISC_DROP_FLOW_LIMIT}":      {yes, unknown, no},
		"reason {QDISC_DROP, QDISC_DROP_OVERLIMIT}":         {yes, yes, no},
		"reason != {QDISC_DROP, QDISC_DROP_OVERLIMIT}":      {no, no, yes},
		"reason QDISC_DROP_*":                               {yes, unknown, no},
		"reason ~ ^QDISC_DROP$ or reason XDP or reason {A}": {no, yes, no},
		"reason": {yes, yes, yes},
	} {
		for i, reason := range []string{"QDISC_DROP_OVERLIMIT", "QDISC_DROP", "NO_SOCKET"} {
			if got := parse(t, text).Decide(&event.Event{Reason: reason}); got != want[i] {
				t.Errorf("%s of %s: %v, want %v", text, reason, got, want[i])
			}
		}
	}
	if got := parse(t, "reason XDP").Decide(&event.Event{Reason: "XDP_EXCEPTION"}); got != yes {
		t.Errorf("XDP of XDP_EXCEPTION: %v", got)
	}
	if got := parse(t, "reason XDP_EXCEPTION").Decide(&event.Event{}); got != no {
		t.Errorf("without a reason: %v", got)
	}
}

func TestCanMatch(t *testing.T) {
	tests := map[string]bool{ // without bytes
		"port 53": false, "not port 53": true, "port 53 or reason A": true, "port 53 and reason A": false,
		"not (not port 53 or reason A)": false, "ip": true, "inner ip": false, "port 53 or host ::1": false, "symbol a": true,
		"not iface lo": true, "not len 5 or not port 1": true,
	}
	for text, want := range tests {
		if got := parse(t, text).CanMatch(event.FactPacket); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if parse(t, "ip").CanMatch(event.FactPacket | event.FactProtocol) {
		t.Error("ip can match a drop of which nothing is known")
	}
	for text, want := range map[string]bool{ // without an interface
		"iface lo": false, "not iface lo": false, "not iface": true, "iface != lo": false, "not iface lo or port 1": true,
		"not reason A": true,
	} {
		if got := parse(t, text).CanMatch(event.FactInterface); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestWhatTCPDid tells events of TCP from drops, and by their types.
func TestWhatTCPDid(t *testing.T) {
	e := full()
	expect := func(text string, want condition.Truth) {
		t.Helper()
		if got := parse(t, text).Decide(&e); got != want {
			t.Errorf("%s of a %v: %v, want %v", text, e.Kind, got, want)
		}
	}
	expect("kind drop", condition.True)
	expect("tcp.type fast", condition.False)
	e.Kind, e.Segment = event.Retransmit, &event.Segment{Type: event.FastRetransmit}
	expect("kind == retransmit and tcp.type fast", condition.True)
	expect("kind drop or tcp.type keep_alive", condition.False)
	e.Segment.Type = event.SegmentUnknown
	expect("tcp.type fast", condition.Unknown)
	e.Kind = event.Reset
	expect("tcp.type fast", condition.False)
	expect("kind reset", condition.True)
}
