package jsonl_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/sink/jsonl"
)

// A drop as a reader in Go has it.
type record struct {
	Time                                         time.Time
	Count                                        uint64
	Symbol, Module, Reason, IfName, Link, Packet string
	Trap                                         struct{ Name, Group string }
	Task                                         struct{ Comm string }
	Stack                                        []struct{ Symbol string }
	Length, IfIndex                              uint32
	Flow                                         headers
	Netns                                        struct{ Name string }
	Process                                      struct{ Comm string }
	Cgroup                                       struct{ Path string }
	Unit                                         string
	Container                                    struct{ ID, Runtime, Name string }
	Pod                                          struct{ UID, Namespace, Name string }
}

type headers struct {
	addresses
	Inner, Quoted *headers
}

type addresses struct {
	Network, Transport, Src, Dst string
	SrcMAC                       string `json:"src_mac"`
	SrcPort                      uint16 `json:"src_port"`
	DstPort                      uint16 `json:"dst_port"`
}

// text returns what stands for s: s itself, but for bytes that are no UTF-8.
func text(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// named returns a drop of data in which every name is name.
func named(name string, data []byte, proto uint16, nsec int64) event.Event {
	flow := new(event.Flow)
	e := event.Event{Time: time.Unix(0, nsec), Count: uint64(nsec), Reason: name, Port: event.Port{IfIndex: uint32(nsec), IfName: name}}
	e.Where = event.Where{Frame: event.Frame{PC: uint64(nsec), Lookup: event.Found, Symbol: name, Module: name}, Trap: name,
		TrapGroup: name}
	e.Stack = []event.Frame{e.Where.Frame}
	e.Task = event.Task{Known: true, Comm: name}
	e.Netns = event.Netns{Inode: 1, Name: name}
	e.Owner = event.Owner{
		Process: event.Process{PID: 1, Comm: name}, Cgroup: event.Cgroup{Path: name}, Unit: name,
		Container: event.Container{ID: name, Runtime: name, Name: name}, Pod: event.Pod{UID: name, Namespace: name, Name: name},
	}
	e.Cookie = data
	e.Packet = event.Packet{Proto: proto, HasProto: true, Data: data, HasData: true, Len: uint32(len(data)), HasLen: true, Flow: flow}
	e.Packet.Link = packet.Decode(data, event.LinkEthernet, proto, flow)
	return e
}

// check compares a line with the event, the schema, and what is safe to print.
func check(t *testing.T, v *validator, e *event.Event, name string) {
	t.Helper()
	got := line(t, jsonl.Options{Bytes: true}, e)
	if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i != len(got)-1 || got[i] != '\n' {
		t.Errorf("%q is not one line of what can be printed", got)
	}
	if err := v.line(got); err != nil {
		t.Errorf("%v in %q", err, got)
	}
	var r record
	if err := json.Unmarshal([]byte(got), &r); err != nil {
		t.Fatalf("%v in %q", err, got)
	}
	for what, s := range map[string]string{
		"symbol": r.Symbol, "module": r.Module, "reason": r.Reason, "ifname": r.IfName, "trap": r.Trap.Name,
		"group": r.Trap.Group, "comm": r.Task.Comm, "stack": r.Stack[0].Symbol,
		"netns": r.Netns.Name, "process": r.Process.Comm, "cgroup": r.Cgroup.Path, "unit": r.Unit,
		"container": r.Container.Name, "id": r.Container.ID, "runtime": r.Container.Runtime,
		"pod": r.Pod.Name, "uid": r.Pod.UID, "namespace": r.Pod.Namespace,
	} {
		if s != text(name) {
			t.Errorf("%s is %q, want %q", what, s, text(name))
		}
	}
	if !r.Time.Equal(e.Time) || r.Count != e.Count || r.IfIndex != e.Port.IfIndex || r.Length != e.Packet.Len ||
		r.Packet != fmt.Sprintf("%x", e.Packet.Data) {
		t.Errorf("%+v\nof\n%+v", r, e)
	}
	f := e.Packet.Flow
	checkHeaders(t, &r.Flow, &f.Headers)
	checkHeaders(t, r.Flow.Inner, &f.Inner)
	checkHeaders(t, r.Flow.Quoted, &f.Quoted)
}

func checkHeaders(t *testing.T, got *headers, h *event.Headers) {
	t.Helper()
	if got == nil {
		if h.Fields != 0 {
			t.Errorf("nothing of %+v", h)
		}
		return
	}
	var want addresses
	if h.Network != event.NoLayer {
		want.Network = h.Network.String()
	} else if h.Has(event.FieldEtherType) {
		want.Network = fmt.Sprintf("%#04x", h.EtherType)
	}
	if h.Transport != event.NoLayer {
		want.Transport = h.Transport.String()
	} else if h.Has(event.FieldProtocol) {
		want.Transport = fmt.Sprint(h.Protocol)
	}
	if h.Has(event.FieldSrc) {
		want.Src = h.Src.String()
	}
	if h.Has(event.FieldDst) {
		want.Dst = h.Dst.String()
	}
	if h.Has(event.FieldEthSrc) {
		want.SrcMAC = h.EthSrc.String()
	}
	want.SrcPort, want.DstPort = h.SrcPort, h.DstPort
	if got.addresses != want {
		t.Errorf("got %+v, want %+v", got.addresses, want)
	}
}

var names = []string{
	"", "plain", `q"b\s/`, "\x00\x1f\x7f\u0080\u009f", "\xff", "€\xe2\x82", "\xed\xa0\x80", "𝄞\U0010ffff", "\u2028\u202e\ufeff\ufffd",
	"a\nb\tc", "<&>", "e\u0301", `\xff`, strings.Repeat("x", 300),
}

func TestNames(t *testing.T) {
	v := newValidator(t)
	for _, name := range names {
		e := named(name, []byte{0x45}, 0x800, 1)
		check(t, v, &e, name)
	}
}

// TestPackets has headers of every kind: noise behind an Ethernet header, and
// an IP protocol that leads on.
func TestPackets(t *testing.T) {
	v := newValidator(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		data := make([]byte, 40+random.IntN(80))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		proto := pick[uint16](random, 0x800, 0x86dd, 0x806, 0x8100, 0x88cc, 0)
		data[12], data[13], data[14] = byte(proto>>8), byte(proto), pick[byte](random, 0x45, 0x60)
		data[20], data[21] = 0, 0 // no fragment
		data[23] = pick[byte](random, 1, 4, 6, 17, 47, 58, 132)
		e := named("x", data[:random.IntN(len(data)+1)], proto, random.Int64())
		check(t, v, &e, "x")
	}
}

func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

func FuzzWrite(f *testing.F) {
	for _, name := range names {
		f.Add(name, []byte(name), uint16(0x800), int64(1))
	}
	v := newValidator(f)
	f.Fuzz(func(t *testing.T, name string, data []byte, proto uint16, nsec int64) {
		e := named(name, data, proto, nsec)
		check(t, v, &e, name)
	})
}
