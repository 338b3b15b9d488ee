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

	"dropwatch/internal/event"
)

func newTestDecoder(stack bool) *decoder {
	d := newDecoder(Options{Stack: stack, ByOwner: true}, reasons{names: map[uint32]string{3: "NO_SOCKET"}})
	d.wall = 1e9
	return &d
}

// newRecord encodes a record as the program does.
func newRecord(r dropsRecord, stack bool, calls []uint64, data string) []byte {
	r.DataLen = uint32(len(data))
	r.StackLen = int32(8 * len(calls))
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
		Key:  dropsKey{Location: 0xffffffff81234567, Reason: 3, Ifindex: 2, Netns: 4026531833, Protocol: 0x800},
		Time: 5e9 + 7, PidTgid: 100<<32 | 101, Cpu: 9, Len: 1500, Link: dropsLinkLINK_ETHERNET,
		Comm: cString("nginx"), Ifname: cString("eth0"),
	}
	r.Owner = dropsOwner{
		Cookie: 77, Inode: 88, Cgroup: 99, Family: unix.AF_INET6, Protocol: unix.IPPROTO_TCP, State: 10, Received: 1,
		LocalPort: 80, RemotePort: 4321, Local: [16]uint8{0x20, 1, 15: 1}, Remote: [16]uint8{0x20, 1, 15: 2},
	}
	return r
}

func TestRecord(t *testing.T) {
	d := newTestDecoder(true)
	var e event.Event
	if !d.record(newRecord(aRecord(), true, []uint64{1, 0xffffffff81234567, 2}, "bytes"), &e) {
		t.Fatal("not decoded")
	}
	if !e.Time.Equal(time.Unix(6, 7)) || !e.Stamped || e.Count != 1 || !e.Single || e.Kind != event.Drop {
		t.Errorf("%+v", e)
	}
	if !e.Where.HasPC || e.Where.PC != 0xffffffff81234567 || e.Reason != "NO_SOCKET" {
		t.Errorf("at %+v for %q", e.Where, e.Reason)
	}
	if p := &e.Packet; p.Proto != 0x800 || !p.HasProto || string(p.Data) != "bytes" || !p.HasData || p.Link != event.LinkEthernet || p.Len != 1500 || !p.HasLen {
		t.Errorf("packet %+v", p)
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
		Cookie: 77, Inode: 88, Family: unix.AF_INET6, Protocol: unix.IPPROTO_TCP, State: event.SocketListens, Receiver: true, Confidence: event.Certain,
		Local: netip.MustParseAddrPort("[2001::1]:80"), Remote: netip.MustParseAddrPort("[2001::2]:4321"),
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
		"bytes":      {func(r *dropsRecord) { r.Link = dropsLinkLINK_NONE }, func(e *event.Event) bool { return !e.Packet.HasData && e.Packet.HasLen }},
		"a link":     {func(r *dropsRecord) { r.Link = dropsLinkLINK_RAW }, func(e *event.Event) bool { return e.Packet.Link == event.LinkRaw }},
		"a socket":   {func(r *dropsRecord) { r.Owner.Cookie = 0 }, func(e *event.Event) bool { return e.Owner == event.Owner{} }},
		"a device":   {func(r *dropsRecord) { r.Key.Ifindex, r.Ifname = 0, cString("") }, func(e *event.Event) bool { return e.Port == event.Port{} }},
		"an address": {func(r *dropsRecord) { r.Owner.Family = unix.AF_UNIX }, func(e *event.Event) bool { return !e.Owner.Socket.Local.IsValid() }},
		"a name":     {func(r *dropsRecord) { r.Key.Reason = 0x20005 }, func(e *event.Event) bool { return e.Reason == "0x20005" }},
		"a stack":    {func(r *dropsRecord) {}, func(e *event.Event) bool { return len(e.Stack) == 0 }},
	}
	for name, tt := range tests {
		r := aRecord()
		tt.without(&r)
		e := event.Event{Stack: []event.Frame{{PC: 1}}, Unseen: true} // what was there before
		if !newTestDecoder(false).record(newRecord(r, false, nil, "bytes"), &e) || !tt.check(&e) || e.Unseen {
			t.Errorf("without %s: %+v", name, e)
		}
	}
}

// TestCounted: what is only counted has its kind, and the name of an interface
// as far as a record told it.
func TestCounted(t *testing.T) {
	d := newTestDecoder(false)
	var e event.Event
	r := aRecord()
	if !d.record(newRecord(r, false, nil, ""), &e) {
		t.Fatal("not decoded")
	}
	k := r.Key
	d.counted(&k, 1234, &e)
	if e.Count != 1234 || e.Single || e.Stamped || time.Since(e.Time) > time.Minute || e.Packet.HasData || e.Packet.HasLen || e.Task.Known {
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
	if d.counted(&k, 1, &e); e.Port.IfName != "" {
		t.Errorf("%q is of another namespace", e.Port.IfName)
	}
}

// TestCountedByOwner: the owner is as a record told it, or only its cookie.
func TestCountedByOwner(t *testing.T) {
	d := newTestDecoder(false)
	var e event.Event
	r := aRecord()
	if !d.record(newRecord(r, false, nil, ""), &e) {
		t.Fatal("not decoded")
	}
	want := *e.Owner.Socket
	r.Key.Socket = r.Owner.Cookie
	if d.counted(&r.Key, 2, &e); *e.Owner.Socket != want || e.Owner.Cgroup.ID != 99 {
		t.Errorf("owner %+v, want %+v", e.Owner.Socket, want)
	}
	r.Key.Socket++
	if d.counted(&r.Key, 2, &e); *e.Owner.Socket != (event.Socket{Cookie: 78}) || e.Owner.Cgroup.ID != 0 {
		t.Errorf("owner %+v, want only a cookie", e.Owner.Socket)
	}
}

// TestShortRecords cuts a record anywhere: it is refused.
func TestShortRecords(t *testing.T) {
	for _, stack := range []bool{false, true} {
		whole := newRecord(aRecord(), stack, nil, "bytes")
		var e event.Event
		for n := range len(whole) {
			if newTestDecoder(stack).record(whole[:n], &e) {
				t.Errorf("stack %v: %d of %d bytes were decoded", stack, n, len(whole))
			}
		}
		if !newTestDecoder(stack).record(whole, &e) {
			t.Errorf("stack %v: not decoded", stack)
		}
	}
}

// TestNamesAreForgotten: however many names there are, few are kept.
func TestNamesAreForgotten(t *testing.T) {
	d := newTestDecoder(false)
	var e event.Event
	r := aRecord()
	for i := range uint32(3 * maxNames) {
		r.Key.Netns, r.Owner.Cookie = i, uint64(i+1)
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
	d := newTestDecoder(true)
	raw := newRecord(aRecord(), true, []uint64{1, 2, 3}, "bytes")
	var e event.Event
	if n := testing.AllocsPerRun(1000, func() { d.record(raw, &e) }); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func TestLedger(t *testing.T) {
	l, a, b := make(ledger), dropsKey{Reason: 1}, dropsKey{Reason: 2}
	tests := []struct {
		kind        dropsKey
		total, want uint64
	}{{a, 0, 0}, {a, 5, 5}, {b, 7, 7}, {a, 5, 0}, {a, 6, 1}, {b, 1 << 40, 1<<40 - 7}, {a, 3, 0}, {a, 6, 0}}
	for _, tt := range tests {
		if got := l.grown(tt.kind, tt.total); got != tt.want {
			t.Errorf("%d of reason %d: %d more, want %d", tt.total, tt.kind.Reason, got, tt.want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(newRecord(aRecord(), false, nil, "bytes"), false)
	f.Add(newRecord(aRecord(), true, []uint64{1, 0xffffffff81234567}, "bytes"), true)
	f.Fuzz(func(t *testing.T, raw []byte, stack bool) {
		var e event.Event
		if !newTestDecoder(stack).record(raw, &e) {
			return
		}
		if e.Count != 1 || len(e.Packet.Data) > len(raw)-recordLen || len(e.Stack) > maxFrames || len(e.Task.Comm) > 16 || len(e.Port.IfName) > 16 {
			t.Errorf("%+v", e)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	d := newTestDecoder(false)
	raw := newRecord(aRecord(), false, nil, "bytes")
	var e event.Event
	b.ReportAllocs()
	for b.Loop() {
		d.record(raw, &e)
	}
}
