package probe

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// testedBy starts a source of points whose conditions one tester tests.
func testedBy(t *testing.T, tester Tester, points ...point.Point) *sourcetest.Running {
	t.Helper()
	o := running()
	o.Points, o.Tester = points, tester
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return sourcetest.Run(t, s, func(e *event.Event) bool { return e.Kind == event.Point })
}

// byBPF are the testers that are BPF, as far as this kernel has them.
func byBPF() []Tester {
	if guest.AtLeast(5, 12) {
		return []Tester{BPF, Attached}
	}
	return []Tester{BPF}
}

// contents returns what each event says, but for its time, in order.
func contents(events []event.Event) (all []string) {
	for i := range events {
		e := &events[i]
		text := fmt.Sprint(e.Point, " ", argsOf(e), " ", e.Packet.Buffer, e.Packet.Proto, e.Port, e.Netns.Inode, e.Task)
		if s := e.Owner.Socket; s != nil {
			text += fmt.Sprintf(" %+v", *s)
		}
		if e.Packet.Flow != nil {
			text += fmt.Sprintf(" %+v", *e.Packet.Flow)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

// TestGuestTesters: all testers give the same of five points, each of which is reached as often as packets of its scenario
// are dropped; a packet may be tested again on its way.
func TestGuestTesters(t *testing.T) {
	const count = 4
	want := map[string]string{
		"tcp_accept_queue": "SYN to a full accept queue", "udp_queue": "full receive buffer", "rp_filter": "rp_filter",
		"netfilter_drop": "INPUT firewall", "checksum": "wrong UDP checksum",
	}
	var points []point.Point
	var drop []func()
	ns := drops.NewNamespace(t)
	for name, scenario := range want {
		p, _ := point.Lookup(name)
		points = append(points, p)
		i := slices.IndexFunc(drops.Scenarios, func(s drops.Scenario) bool { return s.Name == scenario })
		drop = append(drop, drops.Scenarios[i].PrepareIn(ns.Another(), count))
	}
	filters, programs := testedBy(t, Filters, points...), testedBy(t, BPF, points...)
	s := need(t, 0, points...) // a function with more than 6 arguments may have a probe
	if n := s.attached(); n < 4 && guest.AtLeast(5, 12) {
		t.Errorf("programs are attached to %d functions", n)
	}
	for _, k := range s.loaded {
		if k.unwritten != nil && bpfprog.HandlesFaults() && k.types == nil {
			t.Error("the kernel has refused to read by its types")
		}
	}
	attached := sourcetest.Run(t, s, func(e *event.Event) bool { return e.Kind == event.Point })
	for _, d := range drop {
		d()
	}
	sourcetest.AwaitIdle(filters, programs, attached)
	idle := time.Now()
	until := func(events []event.Event) []event.Event { // those who end later see SYNs again
		return slices.DeleteFunc(events, func(e event.Event) bool { return e.Time.After(idle) })
	}
	a, b, c := contents(until(filters.End())), contents(until(programs.End())), contents(until(attached.End()))
	if !slices.Equal(a, b) || !slices.Equal(a, c) {
		t.Errorf("filters:\n%v\nBPF:\n%v\nattached:\n%v", a, b, c)
	}
	for name := range want {
		if n := countOf(programs.Kept, name); n < count {
			t.Errorf("%s: %d events, want %d", name, n, count)
		}
	}
	for _, r := range []*sourcetest.Running{programs, attached} {
		if c := r.Ledger.Points; c.Lost != 0 {
			t.Errorf("lost: %+v", c)
		}
	}
}

// TestGuestHeaders: BPF copies the headers of packets, at the call of a function and at its return.
func TestGuestHeaders(t *testing.T) {
	ns := drops.NewNamespace(t)
	back := point.Point{Name: "back", Form: point.Form{Functions: []string{"udp_rcv"}, At: point.Return, When: "skb->len > 100"}}
	for _, by := range byBPF() {
		r := testedBy(t, by, datagram, back)
		ns.SendUDP(3)
		sourcetest.AwaitIdle(r)
		events := r.End()
		if countOf(events, "back") != 3 || countOf(events, "datagram") != 3 || r.Ledger.Points.Lost != 0 {
			t.Errorf("%d events, %+v", len(events), r.Ledger.Points)
		}
		for i := range events {
			p := &events[i].Packet
			if !p.HasData || p.Link != event.LinkRaw || p.Len != 128 || len(p.Data) != 128 {
				t.Fatalf("%s: %+v", events[i].Point, p)
			}
			if dst := binary.BigEndian.Uint16(p.Data[22:]); p.Data[0] != 0x45 || p.Data[9] != protocolUDP || dst != drops.Port {
				t.Errorf("%s: %x", events[i].Point, p.Data)
			}
		}
	}
}

// TestGuestLate: values are those of the call, or with BPF at the return, where the kernel has changed one. Filters alone
// cannot read at the return.
func TestGuestLate(t *testing.T) {
	const fresh, computed = "checked=0 len=8", "checked=2 len=8" // CHECKSUM_NONE, CHECKSUM_COMPLETE
	i := slices.IndexFunc(drops.Scenarios, func(s drops.Scenario) bool { return s.Name == "wrong UDP checksum" })
	early := point.Point{Name: "early", Form: point.Form{
		Functions: []string{"__skb_checksum_complete"}, At: point.Return, When: "skb->len == 8 && $retval != 0",
		Args: []point.Arg{{Name: "checked", Expr: "skb->ip_summed"}, {Name: "len", Expr: "skb->len"}},
	}}
	late := early
	late.Name, late.Values = "late", point.Return
	ns := drops.NewNamespace(t)
	for _, by := range append(byBPF(), Filters) {
		drop := drops.Scenarios[i].PrepareIn(ns.Another(), 3)
		r := testedBy(t, by, early, late)
		drop()
		sourcetest.AwaitIdle(r)
		events := r.End()
		if countOf(events, "early") != 3 || countOf(events, "late") != 3 || r.Ledger.Points.Lost != 0 {
			t.Errorf("tester %d: %d events, %+v", by, len(events), r.Ledger.Points)
		}
		for i := range events {
			want := fresh
			if events[i].Point == "late" && by != Filters {
				want = computed
			}
			if p := &events[i].Packet; argsOf(&events[i]) != want || p.HasData != (by != Filters) {
				t.Errorf("tester %d, %s: %s, want %s; %+v", by, events[i].Point, argsOf(&events[i]), want, p)
			}
		}
	}
}

// protocolUDP is IPPROTO_UDP.
const protocolUDP = 17

// countOf returns how many events are of a point.
func countOf(events []event.Event, name string) (n int) {
	for i := range events {
		if events[i].Point == name {
			n++
		}
	}
	return n
}

// TestGuestCost reports what points cost whose conditions are false, on a flood of UDP to a closed port: none has an
// event, or loses one. Where the clock counts instructions (make bench-points) that is exact.
func TestGuestCost(t *testing.T) {
	ns := drops.NewNamespace(t)
	call := point.Form{Functions: []string{"udp_rcv"}, When: "skb->len > skb->truesize", Args: []point.Arg{{Name: "len", Expr: "skb->len"}}}
	back := call
	back.At, back.When = point.Return, "$retval == 7 && skb->len > 0"
	late := back
	late.Values = point.Return
	for name, form := range map[string]point.Form{"call": call, "return": back, "late": late} {
		for _, by := range append(byBPF(), Filters) {
			cost, free := costOf(t, ns, by, point.Point{Name: name, Form: form})
			t.Logf("%s, tester %d: %d ns for each call, beside %d of the packet", name, by, cost, free)
		}
	}
}

// costOf returns how many nanoseconds a packet takes of a CPU, and a point more, of which there is no event.
func costOf(t *testing.T, ns *drops.Namespace, by Tester, p point.Point) (cost, free time.Duration) {
	free = packetTime(t, ns)
	r := testedBy(t, by, p)
	watched := packetTime(t, ns)
	if events := r.End(); len(events) > 0 || by != Filters && r.Ledger.Points.Lost > 0 {
		t.Errorf("%d events, %+v", len(events), r.Ledger.Points)
	}
	return watched - free, free
}

// packetTime returns how long a CPU takes to send and receive a datagram: of many short floods that which was interrupted
// least.
func packetTime(t *testing.T, ns *drops.Namespace) time.Duration {
	const turns, count = 60, 50
	least := time.Hour
	for range turns {
		before := cpuTime(t)
		ns.SendUDP(count)
		least = min(least, (cpuTime(t)-before)/count)
	}
	return least
}

// cpuTime returns for how long this process has had a CPU.
func cpuTime(t *testing.T) time.Duration {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &at); err != nil {
		t.Fatal(err)
	}
	return time.Duration(at.Nano())
}
