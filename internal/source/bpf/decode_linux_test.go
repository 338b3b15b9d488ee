package bpf

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
)

func newTestDecoder() *decoder {
	d := newDecoder(Options{ByOwner: true}, reasons{names: map[uint32]string{3: "NO_SOCKET", 4: "FRAG_REASM_TIMEOUT"}})
	d.wall = clock.NewBase(time.Unix(1, 0), 0)
	return &d
}

// newRecord encodes a record as the program does.
func newRecord(r dropsRecord, stack bool, calls []uint64, data string) []byte {
	r.DataLen = uint32(len(data))
	r.StackLen = int32(8 * len(calls))
	if stack {
		r.StackSize = 8 * maxFrames
	}
	b := bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordLen))
	if stack {
		room := make([]byte, 8*maxFrames)
		for i, pc := range calls {
			binary.NativeEndian.PutUint64(room[8*i:], pc)
		}
		b = append(b, room...)
	}
	return append(b, data...)
}

func cString(s string) (c [16]int8) {
	for i := range s {
		c[i] = int8(s[i])
	}
	return c
}

// aRecord has something in every field.
func aRecord() dropsRecord {
	r := dropsRecord{
		Key: dropsKey{
			Location: 0xffffffff81234567, Reason: 3, Ifindex: 2, Netns: 4026531833, Protocol: 0x800,
			Type: 3, Traits: dropsTraitTRAIT_CAPTURE,
		},
		Time: 5e9 + 7, Count: 1, PidTgid: 100<<32 | 101, Cpu: 9, Len: 1500, Link: dropsLinkLINK_ETHERNET, Segments: 1, Mtu: 1400,
		VlanProto: 0x8100, VlanTci: 7 | 1<<12 | 5<<13,
		Comm: cString("nginx"), Ifname: cString("eth0"),
	}
	r.Owner = dropsOwner{
		Cookie: 77, Inode: 88, Cgroup: 99, Family: unix.AF_INET6, Protocol: unix.IPPROTO_TCP, State: 10, Receiver: 1,
		LocalPort: 80, RemotePort: 4321, Local: [16]uint8{0x20, 1, 15: 1}, Remote: [16]uint8{0x20, 1, 15: 2},
	}
	return r
}

func TestRecord(t *testing.T) {
	d := newTestDecoder()
	var e event.Event
	if !d.record(newRecord(aRecord(), true, []uint64{1, 0xffffffff81234567, 2}, "bytes"), &e) {
		t.Fatal("not decoded")
	}
	if !e.Time.Equal(time.Unix(6, 7)) || !e.KernelTime || e.Count != 1 || !e.Individual || e.Kind != event.Drop {
		t.Errorf("%+v", e)
	}
	if !e.Where.HasPC || e.Where.PC != 0xffffffff81234567 || e.Reason != "NO_SOCKET" {
		t.Errorf("at %+v for %q", e.Where, e.Reason)
	}
	if p := &e.Packet; p.Proto != 0x800 || !p.HasProto || string(p.Data) != "bytes" || !p.HasData || p.Link != event.LinkEthernet ||
		p.Len != 1500 || !p.HasLen {
		t.Errorf("packet %+v", p)
	}
	tag := event.VLAN{TPID: 0x8100, ID: 7, Priority: 5, DEI: true}
	if p := &e.Packet; p.Type != event.PacketOtherHost || p.Traits != event.ToCapture || p.Tag != tag {
		t.Errorf("packet %+v", p)
	}
	if e.Segments != 1 || e.Fragment || !slices.Equal(e.Args, []event.Arg{{Name: "mtu", Number: 1400}}) {
		t.Errorf("%d segments, fragment %v, args %+v", e.Segments, e.Fragment, e.Args)
	}
	if want := (event.Port{IfIndex: 2, IfName: "eth0"}); e.Port != want || e.Netns != (event.Netns{Inode: 4026531833}) {
		t.Errorf("port %+v of %+v", e.Port, e.Netns)
	}
	if want := (event.Task{Known: true, CPU: 9, PID: 100, TID: 101, Comm: "nginx"}); e.Task != want {
		t.Errorf("task %+v, want %+v", e.Task, want)
	}
	if want := []event.Frame{{PC: 0xffffffff81234567}, {PC: 2}}; !slices.Equal(e.Stack, want) {
		t.Errorf("stack %v, want %v", e.Stack, want)
	}
	want := event.Socket{
		Cookie: 77, Inode: 88, Family: unix.AF_INET6, Protocol: unix.IPPROTO_TCP, State: event.SocketListens, Receiver: true,
		Confidence: event.Certain,
		Local:      netip.MustParseAddrPort("[2001::1]:80"), Remote: netip.MustParseAddrPort("[2001::2]:4321"),
	}
	if *e.Owner.Socket != want || e.Owner.Cgroup.ID != 99 {
		t.Errorf("socket %+v, want %+v; %+v", e.Owner.Socket, want, e.Owner.Cgroup)
	}
}

func TestRecordWithout(t *testing.T) {
	tests := map[string]struct {
		without func(*dropsRecord)
		check   func(*event.Event) bool
	}{
		"a protocol": {func(r *dropsRecord) { r.Key.Protocol = 0 }, func(e *event.Event) bool { return !e.Packet.HasProto }},
		"bytes": {func(r *dropsRecord) { r.Link = dropsLinkLINK_NONE },
			func(e *event.Event) bool { return !e.Packet.HasData && e.Packet.HasLen }},
		"a link": {func(r *dropsRecord) { r.Link = dropsLinkLINK_RAW },
			func(e *event.Event) bool { return e.Packet.Link == event.LinkRaw }},
		"a socket": {func(r *dropsRecord) { r.Owner.Cookie = 0 },
			func(e *event.Event) bool { return e.Owner == event.Owner{} }},
		"a device": {func(r *dropsRecord) { r.Key.Ifindex, r.Ifname = 0, cString("") },
			func(e *event.Event) bool { return e.Port == event.Port{} }},
		"an address": {func(r *dropsRecord) { r.Owner.Family = unix.AF_UNIX },
			func(e *event.Event) bool { return !e.Owner.Socket.Local.IsValid() }},
		"a name": {func(r *dropsRecord) { r.Key.Reason = 0x20005 },
			func(e *event.Event) bool { return e.Reason == "0x20005" }},
		"a stack": {func(r *dropsRecord) {}, func(e *event.Event) bool { return len(e.Stack) == 0 }},
		"a tag": {func(r *dropsRecord) { r.VlanProto = 0 },
			func(e *event.Event) bool { return e.Packet.Tag == event.VLAN{} }},
		"a length above the MTU": {func(r *dropsRecord) { r.Mtu = 1486 }, func(e *event.Event) bool { return len(e.Args) == 0 }},
		"a length for a tag": {func(r *dropsRecord) { r.Key.Protocol, r.Mtu = unix.ETH_P_8021Q, 1482 },
			func(e *event.Event) bool { return len(e.Args) == 0 }},
		"an MTU": {func(r *dropsRecord) { r.Mtu = 0 }, func(e *event.Event) bool { return len(e.Args) == 0 }},
		"one segment alone": {func(r *dropsRecord) { r.Segments = 2 }, func(e *event.Event) bool {
			return len(e.Args) == 0 &&
				e.Segments == 2
		}},
		"a packet of its own": {func(r *dropsRecord) { r.Key.Traits = dropsTraitTRAIT_FRAGMENT },
			func(e *event.Event) bool { return e.Fragment }},
		"a further fragment": {
			func(r *dropsRecord) { r.Key.Traits, r.Key.Reason = dropsTraitTRAIT_FRAGMENT, 4 },
			func(e *event.Event) bool { return !e.Fragment },
		},
	}
	for name, tt := range tests {
		r := aRecord()
		tt.without(&r)
		e := event.Event{Stack: []event.Frame{{PC: 1}}, TraceOnly: true} // what was there before
		if !newTestDecoder().record(newRecord(r, false, nil, "bytes"), &e) || !tt.check(&e) || e.TraceOnly {
			t.Errorf("without %s: %+v", name, e)
		}
	}
}

// TestCounted: what is only counted has its kind, and the name of an interface
// as far as a record had it.
func TestCounted(t *testing.T) {
	d := newTestDecoder()
	var e event.Event
	r := aRecord()
	if !d.record(newRecord(r, false, nil, ""), &e) {
		t.Fatal("not decoded")
	}
	k := r.Key
	d.counted(&k, amount{1234, 5000}, &e)
	if e.Count != 1234 || e.Segments != 5000 || e.Individual || !e.Aggregate || e.KernelTime || time.Since(e.Time) > time.Minute ||
		e.Packet.HasData || e.Packet.HasLen || e.Task.Known {
		t.Errorf("%+v", e)
	}
	if e.Where.PC != k.Location || e.Reason != "NO_SOCKET" || e.Packet.Proto != 0x800 || e.Netns.Inode != k.Netns {
		t.Errorf("%+v", e)
	}
	if want := (event.Port{IfIndex: 2, IfName: "eth0"}); e.Port != want {
		t.Errorf("port %+v, want %+v", e.Port, want)
	}
	if e.Owner != (event.Owner{}) {
		t.Errorf("owner %+v", e.Owner)
	}
	k.Netns++
	if d.counted(&k, amount{1, 1}, &e); e.Port.IfName != "" {
		t.Errorf("%q is of another namespace", e.Port.IfName)
	}
}

// TestCountedByOwner: the owner is that of a record, or only its cookie.
func TestCountedByOwner(t *testing.T) {
	d := newTestDecoder()
	var e event.Event
	r := aRecord()
	r.Key.Socket = r.Owner.Cookie
	if !d.record(newRecord(r, false, nil, ""), &e) {
		t.Fatal("not decoded")
	}
	want := *e.Owner.Socket
	if d.counted(&r.Key, amount{2, 2}, &e); *e.Owner.Socket != want || e.Owner.Cgroup.ID != 99 {
		t.Errorf("owner %+v, want %+v", e.Owner.Socket, want)
	}
	r.Key.Socket++
	if d.counted(&r.Key, amount{2, 2}, &e); *e.Owner.Socket != (event.Socket{Cookie: 78}) || e.Owner.Cgroup.ID != 0 {
		t.Errorf("owner %+v, want only a cookie", e.Owner.Socket)
	}
}

// TestShortRecords cuts a record anywhere: it is refused.
func TestShortRecords(t *testing.T) {
	for _, stack := range []bool{false, true} {
		whole := newRecord(aRecord(), stack, nil, "bytes")
		var e event.Event
		for n := range len(whole) {
			if newTestDecoder().record(whole[:n], &e) {
				t.Errorf("stack %v: %d of %d bytes were decoded", stack, n, len(whole))
			}
		}
		if !newTestDecoder().record(whole, &e) {
			t.Errorf("stack %v: not decoded", stack)
		}
	}
}

// TestRecordOfNothing: a record that stands for no frame is refused; one that stands for several is none of a single packet.
func TestRecordOfNothing(t *testing.T) {
	for count, decoded := range []bool{false, true, true} {
		r := aRecord()
		r.Count = uint32(count)
		var e event.Event
		if got := newTestDecoder().record(newRecord(r, false, nil, ""), &e); got != decoded {
			t.Errorf("of %d frames: decoded %v", count, got)
		} else if got && (e.Count != uint64(count) || e.Individual != (count == 1)) {
			t.Errorf("of %d frames: %+v", count, e)
		}
	}
}

// TestNamesAreForgotten: however many names there are, few are kept.
func TestNamesAreForgotten(t *testing.T) {
	d := newTestDecoder()
	var e event.Event
	r := aRecord()
	for i := range uint32(3 * maxNames) {
		r.Key.Netns, r.Key.Socket = i, uint64(i+1)
		r.Comm = cString(string(binary.NativeEndian.AppendUint32([]byte("x"), i|0x01010101)))
		if !d.record(newRecord(r, false, nil, ""), &e) || e.Port.IfName != "eth0" {
			t.Fatalf("%+v", e)
		}
	}
	if len(d.names) > maxNames || len(d.ports) > maxNames || len(d.owners) > maxNames {
		t.Errorf("%d names, %d of interfaces and %d owners", len(d.names), len(d.ports), len(d.owners))
	}
}

func TestDecodingDoesNotAllocate(t *testing.T) {
	d := newTestDecoder()
	raw := newRecord(aRecord(), true, []uint64{1, 2, 3}, "bytes")
	var e event.Event
	if n := testing.AllocsPerRun(1000, func() { d.record(raw, &e) }); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

// TestIndex: what a total exceeds the previous one by, of packets and of segments.
func TestIndex(t *testing.T) {
	x, a, b := make(index), dropsKey{Reason: 1}, dropsKey{Reason: 2}
	tests := []struct {
		key         dropsKey
		total, want amount
	}{
		{a, amount{}, amount{}}, {a, amount{5, 5}, amount{5, 5}}, {b, amount{7, 300}, amount{7, 300}}, {a, amount{5, 5}, amount{}},
		{a, amount{6, 50}, amount{1, 45}}, {b, amount{1 << 40, 1 << 41}, amount{1<<40 - 7, 1<<41 - 300}},
		{a, amount{3, 3}, amount{}}, {a, amount{6, 50}, amount{}},
	}
	for _, tt := range tests {
		if got := x.update(tt.key, tt.total); got != tt.want {
			t.Errorf("%+v of reason %d: %+v more, want %+v", tt.total, tt.key.Reason, got, tt.want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(newRecord(aRecord(), false, nil, "bytes"), false)
	f.Add(newRecord(aRecord(), true, []uint64{1, 0xffffffff81234567}, "bytes"), true)
	f.Fuzz(func(t *testing.T, raw []byte, stack bool) {
		var e event.Event
		if !newTestDecoder().record(raw, &e) {
			return
		}
		if e.Count == 0 || e.Individual != (e.Count == 1) || len(e.Packet.Data) > len(raw)-recordLen ||
			len(e.Stack) > maxFrames || len(e.Task.Comm) > 16 || len(e.Port.IfName) > 16 {
			t.Errorf("%+v", e)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	d := newTestDecoder()
	raw := newRecord(aRecord(), false, nil, "bytes")
	var e event.Event
	b.ReportAllocs()
	for b.Loop() {
		d.record(raw, &e)
	}
}

// fullDetail is one with something in every field.
func fullDetail(kind dropsDetailKind) dropsDetail {
	return dropsDetail{Kind: kind, Name: cString("TCP"), Numbers: [6]uint64{10, 11, 12, 13, 14, 15}}
}

// TestArguments: the MTU of a route counts where the kernel may have dropped a packet
// for its size, and a route that leads nowhere has its kind.
func TestArguments(t *testing.T) {
	mtu := func(n uint64) []event.Arg { return []event.Arg{{Name: "mtu", Number: n}} }
	route := func(kind string) []event.Arg { return []event.Arg{{Name: "route", Text: kind}} }
	tests := map[string]struct {
		reason string
		record dropsRecord
		want   []event.Arg
	}{
		"route, too big":        {"PKT_TOO_BIG", dropsRecord{Mtu: 1500, RouteMtu: 1300}, mtu(1300)},
		"route, no reason":      {"NOT_SPECIFIED", dropsRecord{Mtu: 1500, RouteMtu: 1300}, mtu(1300)},
		"route, old kernel":     {"", dropsRecord{Mtu: 1500, RouteMtu: 1300}, mtu(1300)},
		"route, another reason": {"NETFILTER_DROP", dropsRecord{Mtu: 1500, RouteMtu: 1300}, nil},
		"route to lo":           {"", dropsRecord{Mtu: 1400, RouteMtu: 65536}, mtu(1400)},
		"no route":              {"", dropsRecord{Mtu: 1400}, mtu(1400)},
		"blackhole":             {"", dropsRecord{Mtu: 1500, RouteError: int32(unix.EINVAL)}, route("blackhole")},
		"prohibit":              {"", dropsRecord{Mtu: 1500, RouteError: int32(unix.EACCES)}, route("prohibit")},
		"unreachable":           {"", dropsRecord{Mtu: 1500, RouteError: int32(unix.EHOSTUNREACH)}, route("unreachable")},
		"none":                  {"", dropsRecord{Mtu: 1500, RouteError: int32(unix.ENETUNREACH)}, route("none")},
		"full buffer": {"", dropsRecord{Detail: fullDetail(dropsDetailKindDETAIL_BUFFER)}, []event.Arg{
			{Name: "rmem", Number: 10}, {Name: "rcvbuf", Number: 11},
		}},
		"no memory": {"", dropsRecord{Detail: fullDetail(dropsDetailKindDETAIL_MEMORY)}, []event.Arg{
			{Name: "rmem", Number: 10}, {Name: "rcvbuf", Number: 11}, {Name: "protocol", Text: "TCP"}, {Name: "allocated", Number: 12},
			{Name: "limits", Text: "13 14 15"},
		}},
		"qdisc": {"", dropsRecord{Detail: dropsDetail{
			Kind: dropsDetailKindDETAIL_QDISC, Name: cString("fq_codel"), Numbers: [6]uint64{0x80010000, 0x10001},
		}}, []event.Arg{{Name: "qdisc", Text: "fq_codel"}, {Name: "handle", Text: "8001:"}, {Name: "parent", Text: "1:1"}}},
		"root qdisc": {"", dropsRecord{Detail: dropsDetail{
			Kind: dropsDetailKindDETAIL_QDISC, Name: cString("tbf"), Numbers: [6]uint64{0x10000, 0xffffffff},
		}}, []event.Arg{{Name: "qdisc", Text: "tbf"}, {Name: "handle", Text: "1:"}, {Name: "parent", Text: "root"}}},
		"a detail that is left": {"", dropsRecord{Detail: fullDetail(dropsDetailKindDETAIL_NONE)}, nil},
		"another error":         {"", dropsRecord{Mtu: 1500, RouteError: int32(unix.EAGAIN)}, nil},
	}
	for name, tt := range tests {
		tt.record.Len, tt.record.Link, tt.record.Segments = 1500, dropsLinkLINK_ETHERNET, 1
		if got := newTestDecoder().arguments(&tt.record, tt.reason); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
