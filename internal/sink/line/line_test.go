package line_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/sink/line"
)

const pc = 0xffffffff87a84b72

// at is a time of today, which has no date on a line.
var at time.Time

func init() {
	time.Local = time.UTC
	y, m, d := time.Now().Date()
	at = time.Date(y, m, d, 3, 42, 35, 698459123, time.UTC)
}

// udp is a datagram to a closed port.
func udp() event.Event {
	e := event.Event{
		Count: 1, Individual: true, Time: at, KernelTime: true, Reason: "NO_SOCKET",
		Port: event.Port{IfIndex: 1, IfName: "lo"},
	}
	e.Where = event.Where{Frame: event.Frame{PC: pc}, HasPC: true, Kernel: "udp_queue_rcv_one_skb+0x1a2/0x5c0"}
	e.Packet = event.Packet{Proto: 0x800, HasProto: true, Data: []byte("0123456789abcdef\x00\xff"), HasData: true, Len: 50, HasLen: true}
	e.Packet.Flow = &event.Flow{
		Headers: ip4(event.UDP, 17, event.FieldSrcPort|event.FieldDstPort),
		Stop:    event.Stop{Why: event.Complete},
	}
	return e
}

// ip4 has a port, or whatever else, only if more says so.
func ip4(transport event.Layer, proto uint8, more event.Fields) event.Headers {
	return event.Headers{
		Fields:  event.FieldEtherType | event.FieldSrc | event.FieldDst | event.FieldProtocol | more,
		Network: event.IPv4, EtherType: 0x800, Transport: transport, Protocol: proto,
		Src: netip.MustParseAddr("127.0.0.1"), Dst: netip.MustParseAddr("127.0.0.2"),
		SrcPort: 40449, DstPort: 9,
	}
}

func with(change func(*event.Event)) event.Event {
	e := udp()
	change(&e)
	return e
}

// nginx gives the owner of a socket that was to receive the packet.
func nginx() event.Owner {
	return event.Owner{
		Socket:  &event.Socket{Family: 2, Receiver: true, Confidence: event.Certain},
		Process: event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain},
	}
}

func loss(p event.Place, n uint64) event.Event {
	return event.Event{Kind: event.Loss, Time: at, Place: p, Count: n}
}

func TestWrite(t *testing.T) {
	tests := map[string]struct {
		event event.Event
		want  string
	}{
		"no gap between two sources": {loss(event.Uncovered, 0), ""},
		"a datagram": {
			udp(),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"of a module, wider than its column": {
			with(func(e *event.Event) {
				e.Where.Frame = event.Frame{
					PC: pc, Lookup: event.Found, Symbol: "ovs_vport_deferred_free", Offset: 0xff, Module: "openvswitch",
				}
				e.Reason, e.Port.IfName = "TCP_OLD_SEQUENCE", "veth1234567890a"
			}),
			"03:42:35.698459 ovs_vport_deferred_free+0xff [openvswitch] TCP_OLD_SEQUENCE veth1234567890a " +
				"127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"of hardware": {
			with(func(e *event.Event) {
				e.Where, e.Origin, e.Reason = event.Where{Trap: "blackhole_route", TrapGroup: "l3_drops"}, event.Hardware, ""
				e.Cookie = []byte{0xca, 0xfe}
			}),
			"03:42:35.698459 blackhole_route (l3_drops)   -              lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 [hw] cookie cafe\n",
		},
		"of a summary": {
			event.Event{Count: 17, Time: at, Where: event.Where{Frame: event.Frame{PC: pc, Lookup: event.NotFound}, HasPC: true}},
			"03:42:35.698459 0xffffffff87a84b72           -              -     x17\n",
		},
		"of a summary, counted by a device": {
			event.Event{Count: 1, Time: at, Where: event.Where{HasPC: true}},
			"03:42:35.698459 (a device's own count)       -              -\n",
		},
		"of a kind that was counted": {
			with(func(e *event.Event) {
				e.Packet, e.Count, e.Individual, e.Aggregate = event.Packet{Proto: 0x800, HasProto: true}, 9900, false, true
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    ipv4 ... x9900 more\n",
		},
		"one more of a kind": {
			with(func(e *event.Event) {
				e.Packet, e.Count, e.Individual, e.Aggregate, e.Owner = event.Packet{}, 1, false, true, nginx()
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    ... x1 more to nginx/812\n",
		},
		"counted without a kind": {
			event.Event{Count: 3, Time: at},
			"03:42:35.698459 -                            -              -     x3\n",
		},
		"of a process": {
			with(func(e *event.Event) { e.Owner = nginx() }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 to nginx/812\n",
		},
		"of what is likely a process in a container of a namespace": {
			with(func(e *event.Event) {
				e.Owner, e.Netns = nginx(), event.Netns{Inode: 7, Name: "blue"}
				e.Owner.Process.Confidence, e.Owner.Container.Name = event.Likely, "web"
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len " +
				"50 netns blue to nginx/812? in web\n",
		},
		"in a namespace without a name": {
			with(func(e *event.Event) { e.Netns.Inode = 4026532281 }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 netns 4026532281\n",
		},
		"in the namespace of the host": {
			with(func(e *event.Event) { e.Netns = event.Netns{Inode: 4026531840, Name: event.InitNetns} }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"without bytes, whose owner is known": {
			with(func(e *event.Event) {
				e.Packet, e.Owner, e.TraceOnly = event.Packet{Proto: 0x800, HasProto: true}, nginx(), true
				e.Task = event.Task{Known: true, PID: 1, Comm: "ping"}
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    ipv4 to nginx/812 [not in packet mode]\n",
		},
		"without bytes, of which only the socket is known": {
			with(func(e *event.Event) {
				e.Packet, e.Owner.Socket = event.Packet{Proto: 0x800, HasProto: true}, new(event.Socket)
				e.Task = event.Task{Known: true, PID: 1, Comm: "ping"}
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    ipv4 cpu 0 ping/1\n",
		},
		"with an interface that has no name": {
			with(func(e *event.Event) { e.Port = event.Port{IfIndex: 12} }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      if12  127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"without bytes": {
			with(func(e *event.Event) {
				e.Packet, e.Port = event.Packet{Proto: 0x806, HasProto: true}, event.Port{}
				e.Task = event.Task{Known: true, CPU: 3, PID: 1234, TID: 1235, Comm: "ping"}
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      -     arp cpu 3 ping/1234\n",
		},
		"without anything, on an idle CPU": {
			with(func(e *event.Event) {
				*e = event.Event{Count: 1, Time: at, Task: event.Task{Known: true, Comm: "swapper/0"}}
			}),
			"03:42:35.698459 -                            -              -     cpu 0 idle\n",
		},
		"by a task outside our PID namespace": {
			event.Event{Count: 1, Time: at, Task: event.Task{Known: true, CPU: 1}, TraceOnly: true},
			"03:42:35.698459 -                            -              -     cpu 1 [not in packet mode]\n",
		},
		"by one whose name is known": {
			event.Event{Count: 1, Time: at, Task: event.Task{Known: true, CPU: 1, Comm: "nginx"}},
			"03:42:35.698459 -                            -              -     cpu 1 nginx\n",
		},
		"by a task without a name": {
			event.Event{Count: 1, Time: at, Task: event.Task{Known: true, CPU: 1, PID: 9}},
			"03:42:35.698459 -                            -              -     cpu 1 ?/9\n",
		},
		"with the task that nobody asked for": {
			with(func(e *event.Event) { e.Task = event.Task{Known: true, PID: 1} }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"that packet mode did not show": {
			with(func(e *event.Event) { e.Packet, e.TraceOnly = event.Packet{Proto: 0x86dd, HasProto: true}, true }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    ipv6 [not in packet mode]\n",
		},
		"of a frame that was not decoded": {
			with(func(e *event.Event) { e.Packet.Flow, e.Packet.Proto = nil, 0x88cc }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    lldp len 50\n",
		},
		"with names that would obey": {
			with(func(e *event.Event) {
				e.Where.Kernel, e.Reason, e.Port.IfName = "a\x1b[2J+0x1/0x2 [m\u009b]", "R\u202e", "日\a"
				e.Packet.HasData, e.Task = false, event.Task{Known: true, PID: 1, Comm: "c\n"}
			}),
			`03:42:35.698459 a\x1b[2J+0x1 [m\xc2\x9b]     R\xe2\x80\xae  日\x07 127.0.0.1:40449 > 127.0.0.2:9 udp len ` +
				`50 cpu 0 c\x0a/1` + "\n",
		},
		"of owners that would obey": {
			with(func(e *event.Event) {
				e.Owner, e.Netns = nginx(), event.Netns{Inode: 7, Name: "\x1b]"}
				e.Owner.Process.Comm, e.Owner.Container.Name = "\x1b[2J", "\a"
			}),
			`03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len ` +
				`50 netns \x1b] to \x1b[2J/812 in \x07` + "\n",
		},
		"an expired TTL": {
			with(func(e *event.Event) { e.Reason, e.Packet.Flow.Fields = "IP_INHDR", e.Packet.Flow.Fields|event.FieldTTL }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  IP_INHDR       lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 ttl 0\n",
		},
		"a TTL that is not to blame": {
			with(func(e *event.Event) { e.Packet.Flow.Fields |= event.FieldTTL }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"for another host, in a VLAN": {
			with(func(e *event.Event) {
				e.Reason, e.Packet.Flow.Fields = "OTHERHOST", e.Packet.Flow.Fields|event.FieldEthDst|event.FieldVLAN
				e.Packet.Flow.EthDst, e.Packet.Flow.VLAN[0].ID = event.MAC{2, 0, 0x5e, 0, 0x53, 1}, 77
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  OTHERHOST      lo    127.0.0.1:40449 > 127.0.0.2:9 udp vlan 77 len 50 " +
				"ether dst 02:00:5e:00:53:01\n",
		},
		"at a hook": {
			with(func(e *event.Event) {
				e.Reason = "NETFILTER_DROP"
				e.Stack = []event.Frame{{Lookup: event.Found, Symbol: "nf_hook_slow"}, {Lookup: event.Found, Symbol: "ip_forward"}}
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NETFILTER_DROP lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 hook FORWARD\n",
		},
		"harmless": {with(func(e *event.Event) { e.Harmless = "connection closed" }), ""},
		"of several segments": {
			with(func(e *event.Event) { e.Segments = 44 }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 segments 44\n",
		},
		"longer than the MTU": {
			with(func(e *event.Event) {
				e.Reason, e.Packet.Len, e.Args = "PKT_TOO_BIG", 1514, []event.Arg{{Name: "mtu", Number: 1400}}
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  PKT_TOO_BIG    lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 1514 mtu 1400\n",
		},
		"a route that leads nowhere": {
			with(func(e *event.Event) { e.Args = []event.Arg{{Name: "route", Text: "prohibit"}} }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 route prohibit\n",
		},
		"with what the source read": {
			with(func(e *event.Event) { e.Args = []event.Arg{{Name: "queue", Number: 512}, {Name: "state", Text: "a b"}} }),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 " +
				"queue 512 state \"a b\"\n",
		},
		"with the point before it": {
			with(func(e *event.Event) {
				e.Args = []event.Arg{{Name: "rmem", Number: 213248}}
				e.Reached = &event.Reached{Point: "udp\x1b", Args: append(e.Args, event.Arg{Name: "port", Number: 9})}
			}),
			"03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50 " +
				"rmem 213248 point udp\\x1b port 9\n",
		},
		"of another day": {
			with(func(e *event.Event) { e.Time = time.Date(2024, 2, 29, 3, 42, 35, 0, time.UTC) }),
			"2024-02-29 03:42:35.000000 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"of the next day": {
			with(func(e *event.Event) { e.Time = at.AddDate(0, 0, 1) }),
			at.AddDate(0, 0, 1).Format(time.DateOnly) +
				" 03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"lost":     {loss(event.AtSocket, 3938), "03:42:35.698459 lost 3938 drops at dropwatch's socket\n"},
		"lost one": {loss(event.InRing, 1), "03:42:35.698459 lost 1 drop in the kernel's ring\n"},
		"lost in a summary": {
			loss(event.LostSummary, 2),
			"03:42:35.698459 lost 2 summaries at dropwatch's socket, with an unknown number of drops\n",
		},
		"lost beyond a table": {
			loss(event.FullSummary, 1),
			"03:42:35.698459 no room in 1 summary: drops at further locations in that second were not counted\n",
		},
		"filtered": {event.Event{Kind: event.Rejected, Time: at, Count: 9}, ""},
		"the end":  {event.Event{Kind: event.End, Time: at, Ledger: &event.Ledger{Shown: 1}}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := format(t, line.Options{}, tt.event); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func format(t *testing.T, o line.Options, events ...event.Event) string {
	t.Helper()
	var b bytes.Buffer
	s := line.New(&b, o)
	for i := range events {
		if err := s.Write(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOptions(t *testing.T) {
	e := udp()
	e.Task = event.Task{Known: true, CPU: 1, PID: 7, Comm: "nc"}
	e.Stack = []event.Frame{
		{PC: pc, Lookup: event.Found, Symbol: "udp_queue_rcv_one_skb", Offset: 0x1a2},
		{PC: 2, Lookup: event.Found, Symbol: "nf_hook", Offset: 0x1a, Module: "nf"},
		{PC: 0xffffffffc0ffee00, Lookup: event.NotFound},
	}
	const (
		first = "03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50"
		stack = "    nf_hook+0x1a [nf]\n    0xffffffffc0ffee00\n"
		dump  = "    0x0000:  3031 3233 3435 3637 3839 6162 6364 6566  0123456789abcdef\n" +
			"    0x0010:  00ff                                     ..\n"
	)
	tests := map[string]struct {
		opts line.Options
		want string
	}{
		"none":  {line.Options{}, first + "\n"},
		"stack": {line.Options{Stack: true}, first + "\n" + stack},
		"hex":   {line.Options{Hex: true}, first + "\n" + dump},
		"task":  {line.Options{Task: true}, first + " cpu 1 nc/7\n"},
		"a terminal with room": {
			line.Options{Width: 106, Color: true},
			strings.Replace(first, "udp_queue_rcv_one_skb+0x1a2", "\x1b[1mudp_queue_rcv_one_skb+0x1a2\x1b[0m", 1) + "\n",
		},
		"a narrow terminal": {
			line.Options{Width: 105}, "03:42:35.698 udp_queue_rcv_one_skb+0x1a2 NO_SOCKET lo 127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n",
		},
		"all": {line.Options{Task: true, Hex: true, Stack: true}, first + " cpu 1 nc/7\n" + stack + dump},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := format(t, tt.opts, e); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestHarmless(t *testing.T) {
	e := udp()
	e.Harmless = "connection closed"
	got := format(t, line.Options{Harmless: true}, e)
	if want := strings.TrimSuffix(format(t, line.Options{}, udp()), "\n") + " [harmless: connection closed]\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
}

func TestColor(t *testing.T) {
	got := format(t, line.Options{Color: true}, udp(), loss(event.AtSocket, 2))
	want := "03:42:35.698459 \x1b[1mudp_queue_rcv_one_skb+0x1a2\x1b[0m  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n" +
		"03:42:35.698459 \x1b[31mlost 2 drops at dropwatch's socket\x1b[0m\n"
	if got != want {
		t.Errorf("got\n%qwant\n%q", got, want)
	}
}

func TestLocalTime(t *testing.T) {
	e := udp()
	e.Time = e.Time.In(time.FixedZone("", 3600))
	if got, want := format(t, line.Options{}, e), format(t, line.Options{}, udp()); got != want {
		t.Errorf("got %swant %s", got, want)
	}
}

// TestBare: a line for a log has no time, and columns no spaces.
func TestBare(t *testing.T) {
	loss := event.Event{Kind: event.Loss, Time: at, Place: event.InRing, Count: 2}
	const want = "udp_queue_rcv_one_skb+0x1a2 NO_SOCKET lo 127.0.0.1:40449 > 127.0.0.2:9 udp len 50\nlost 2 drops in the kernel's ring\n"
	if got := format(t, line.Options{Bare: true}, udp(), loss); got != want {
		t.Errorf("got %swant %s", got, want)
	}
}

func TestDumpOfALongPacket(t *testing.T) {
	e := udp()
	e.Packet.Data = make([]byte, 0x1fff1)
	got := format(t, line.Options{Hex: true}, e)
	for _, want := range []string{"\n    0xfff0:  0000 ", "\n    0x10000:  0000 ", "\n    0x1fff0:  00  "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in the dump", want)
		}
	}
}

// A slowWriter counts its calls, and fails if it is told to.
type slowWriter struct {
	writes, bytes int
	err           error
}

func (w *slowWriter) Write(b []byte) (int, error) {
	w.writes++
	w.bytes += len(b)
	return len(b), w.err
}

func TestManyDropsAreWrittenTogether(t *testing.T) {
	w := &slowWriter{}
	s := line.New(w, line.Options{})
	e := udp()
	const drops = 1000
	for range drops {
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	before := w.writes
	if before == 0 || before > 20 {
		t.Errorf("%d writes for %d drops before Flush", before, drops)
	}
	for range 2 { // the second has nothing to write
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if w.writes != before+1 {
		t.Errorf("%d writes for two Flush, want 1", w.writes-before)
	}
	if want := drops * len(format(t, line.Options{}, e)); w.bytes != want {
		t.Errorf("wrote %d bytes, want %d", w.bytes, want)
	}
}

func TestFailedWrite(t *testing.T) {
	broken := errors.New("pipe broken")
	s := line.New(&slowWriter{err: broken}, line.Options{})
	e := udp()
	if err := s.Write(&e); err != nil {
		t.Fatalf("nothing was written yet, but: %v", err)
	}
	err := s.Flush()
	if !errors.Is(err, broken) || err.Error() != "write drops: pipe broken" {
		t.Errorf("error %v", err)
	}
	for range 1000 {
		if err = s.Write(&e); err != nil {
			break
		}
	}
	if !errors.Is(err, broken) {
		t.Errorf("a full buffer: error %v", err)
	}
}

// FuzzFlow prints packets of any bytes, each in one line that a terminal shows.
func FuzzFlow(f *testing.F) {
	f.Add(
		[]byte("\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x01\x00\x00\x7f\x00\x00\x01\x7f\x00\x00\x02\x08\x00\x00\x00\x00\x00\x00\x00"),
		uint16(0x800),
	)
	f.Add([]byte("\x00\x01\x08\x00\x06\x04\x00\x01"), uint16(0x806))
	f.Fuzz(func(t *testing.T, data []byte, proto uint16) {
		e := udp()
		e.Packet.Data, e.Packet.Proto, e.Packet.Flow = data, proto, new(event.Flow)
		packet.Decode(data, event.LinkRaw, proto, e.Packet.Flow)
		got := format(t, line.Options{}, e)
		_, text, _ := strings.Cut(got, " lo    ")
		text, ok := strings.CutSuffix(text, " len 50\n")
		if !ok || event.Escape(text) != text || strings.Contains(text, "  ") {
			t.Errorf("%q", got)
		}
	})
}
