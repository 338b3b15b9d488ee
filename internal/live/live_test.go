package live_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

var begin = time.Unix(1000, 0)

// at is a time after the begin.
func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

func drop(place, reason string, n uint64) event.Event {
	return event.Event{Count: n, Reason: reason, Where: event.Where{HasPC: true, Kernel: place}}
}

// packet is a drop that was reported by itself, of a flow from a port.
func packet(place string, port uint16, when time.Time) event.Event {
	e := drop(place, "R", 1)
	e.Individual, e.Time = true, when
	e.Packet.Flow = &event.Flow{Headers: event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort, Transport: event.UDP,
		Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: port, DstPort: 53,
	}}
	return e
}

// add counts events at a time, of which each is kept.
func add(c *live.Counter, now time.Time, events ...event.Event) {
	for i := range events {
		c.Add(&events[i], now)
	}
}

var all = live.GroupOf(live.Location, live.Reason, live.Interface, live.Owner, live.Netns, live.Protocol)

// rows gives the rows by total and names, as text.
func rows(c *live.Counter, g live.Group) (lines []string) {
	got := c.Rows(g)
	slices.SortFunc(got, func(a, b *live.Row) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), slices.Compare(a.Names[:], b.Names[:]))
	})
	for _, r := range got {
		lines = append(lines, fmt.Sprintf("%d/s %d %q", r.History.Rate(), r.Total, r.Names[:live.Protocol+1]))
	}
	return lines
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%q\nwant\n%q", what, got, want)
	}
}

func TestNames(t *testing.T) {
	container := event.Container{ID: "0123456789abcdef", Name: "web"}
	process := event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain}
	tests := map[string]struct {
		event event.Event
		want  live.Names
	}{
		"nothing": {event.Event{}, live.Names{"-", "-", "-", "-", "-", "-"}},
		"a count": {
			event.Event{
				Reason: "NO_SOCKET", Where: event.Where{
					HasPC: true, Kernel: "icmp_rcv+0x1a2/0x400 [m]",
				}, Port: event.Port{IfIndex: 2, IfName: "eth0"},
				Netns: event.Netns{Inode: 7, Name: "blue"}, Packet: event.Packet{Proto: 0x0800, HasProto: true},
			},
			live.Names{"icmp_rcv+0x1a2 [m]", "NO_SOCKET", "eth0", "-", "blue", "ipv4"},
		},
		"numbers": {
			event.Event{
				Port: event.Port{IfIndex: 2}, Netns: event.Netns{Inode: 4026531840},
				Packet: event.Packet{Proto: 0x88cc, HasProto: true},
			},
			live.Names{"-", "-", "if2", "-", "4026531840", "0x88cc"},
		},
		"hostile": {
			event.Event{
				Reason: "a\x1b", Port: event.Port{IfName: "b\x00c"}, Netns: event.Netns{Name: "\n"},
				Packet: event.Packet{Proto: 0x86dd, HasProto: true},
			},
			live.Names{"-", `a\x1b`, `b\x00c`, "-", `\x0a`, "ipv6"},
		},
		"protocol 0": {event.Event{Packet: event.Packet{HasProto: true}}, live.Names{"-", "-", "-", "-", "-", "0x0000"}},
		"ARP":        {event.Event{Packet: event.Packet{Proto: 0x0806, HasProto: true}}, live.Names{"-", "-", "-", "-", "-", "arp"}},
		"a process":  {owned(event.Owner{Process: process}), owner("nginx/812")},
		"a process without a name": {
			owned(event.Owner{Process: event.Process{PID: 812, Confidence: event.Likely}}), owner("?/812?"),
		},
		"a unit":           {owned(event.Owner{Unit: "sshd.service", Process: process}), owner("sshd.service")},
		"a container":      {owned(event.Owner{Unit: "docker.scope", Container: container}), owner("web")},
		"a container's ID": {owned(event.Owner{Container: event.Container{ID: container.ID}}), owner("0123456789ab")},
		"a short ID":       {owned(event.Owner{Container: event.Container{ID: "\x7f"}}), owner(`\x7f`)},
		"a pod": {
			owned(event.Owner{Container: container, Pod: event.Pod{Namespace: "prod", Name: "web-0"}}),
			owner("prod/web-0"),
		},
		"a pod's name": {owned(event.Owner{Pod: event.Pod{Name: "web-0"}}), owner("web-0")},
		"likely": {
			owned(event.Owner{Socket: &event.Socket{Confidence: event.Likely}, Unit: "sshd.service"}), owner("sshd.service?"),
		},
		"certain": {
			owned(event.Owner{Socket: &event.Socket{Confidence: event.Certain}, Unit: "sshd.service"}), owner("sshd.service"),
		},
		"a likely socket of nobody": {owned(event.Owner{Socket: &event.Socket{Confidence: event.Likely}}), owner("-")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := live.NewCounter(begin, live.Drops)
			tt.event.Count = 1
			c.Add(&tt.event, begin)
			if got := c.Rows(all); len(got) != 1 || got[0].Names != tt.want {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
		})
	}
}

func owned(o event.Owner) event.Event { return event.Event{Owner: o} }

func owner(name string) live.Names { return live.Names{"-", "-", "-", name, "-", "-"} }

func TestGroups(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	f, g := drop("f", "A", 3), drop("g", "A", 4)
	f.Port.IfName, g.Port.IfName = "lo", "eth0"
	h := drop("f", "B", 10)
	add(c, begin, f, g, h, f)
	add(c, at(0.6), f)
	equal(t, "by place", rows(c, live.GroupOf(live.Location)), []string{
		`16/s 19 ["f" "" "" "" "" ""]`, `4/s 4 ["g" "" "" "" "" ""]`,
	})
	equal(t, "by reason and interface", rows(c, live.GroupOf(live.Reason, live.Interface)), []string{
		`10/s 10 ["" "B" "-" "" "" ""]`, `6/s 9 ["" "A" "lo" "" "" ""]`, `4/s 4 ["" "A" "eth0" "" "" ""]`,
	})
	if sum := c.Sum(); sum.Total != 23 || sum.History.Rate() != 20 || c.Total() != 23 || sum.Names != (live.Names{}) {
		t.Errorf("sum %+v, total %d", sum, c.Total())
	}
	if !c.Begin().Equal(begin) || c.Crowded() {
		t.Errorf("begin %v, crowded %v", c.Begin(), c.Crowded())
	}
}

// TestLikelyOwners: packets of which the owner is a guess are of the row of the
// counts that may have had the same, and only of that.
func TestLikelyOwners(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	of := func(e event.Event, pid uint32, sure event.Confidence) event.Event {
		e.Owner.Process = event.Process{PID: pid, Comm: "p", Confidence: sure}
		return e
	}
	f, g := packet("f", 1, begin), packet("g", 1, begin)
	shown := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, r := range c.Rows(live.GroupOf(live.Location, live.Owner)) {
			got = append(got, fmt.Sprintf("%s %s %s %d", r.Text(live.Location), r.Names[live.Owner], r.Text(live.Owner), r.Total))
		}
		slices.Sort(got)
		equal(t, what, got, want)
	}
	add(c, begin, of(f, 1, event.Likely), of(f, 2, event.Likely), of(g, 1, event.Likely), of(f, 3, event.Certain))
	shown("all were seen", "f p/1? p/1? 1", "f p/2? p/2? 1", "f p/3 p/3 1", "g p/1? p/1? 1")
	add(c, begin, drop("f", "R", 100))
	shown("some were counted", "f - several? 102", "f p/3 p/3 1", "g p/1? p/1? 1")
	add(c, begin, of(drop("f", "R", 10), 2, event.Likely))
	shown("the counts have the owner", "f - p/1? 101", "f p/2? p/2? 11", "f p/3 p/3 1", "g p/1? p/1? 1")
	d := c.Detail(live.GroupOf(live.Location, live.Owner), live.Names{live.Location: "f", live.Owner: "-"})
	if d.Total != 101 || d.Likely != "p/1?" || len(d.Last) != 1 {
		t.Errorf("detail of %d drops of %s, %d packets", d.Total, d.Likely, len(d.Last))
	}
	if r := c.Rows(live.GroupOf(live.Location)); len(r) != 2 || r[0].Likely != "" || r[1].Likely != "" {
		t.Errorf("not by owner: %v", r)
	}
}

func TestKeys(t *testing.T) {
	var got []string
	for k := range live.Key(live.Keys + 1) {
		got = append(got, k.String())
	}
	equal(t, "keys", got, []string{
		"location", "reason", "interface", "owner", "netns", "protocol", "peer", "direction", "type", "lost", "unknown",
	})
}

// TestHistory: what comes half a second before and after the first whole second
// counts for that one.
func TestHistory(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	add(c, at(0.4), drop("f", "R", 1))
	add(c, at(0.5), drop("f", "R", 20))
	add(c, at(1.4), drop("f", "R", 300))
	add(c, at(1.3), drop("f", "R", 1000)) // the clock was set back
	for _, tt := range []struct {
		now  float64
		want []uint64 // the latest seconds, the latest first
	}{
		{1.49, []uint64{1, 0, 0}}, {1.5, []uint64{1320, 1, 0}}, {2.7, []uint64{0, 1320, 1}},
		{2.5, []uint64{0, 1320, 1}}, {3.6, []uint64{0, 0, 1320}},
	} {
		c.Tick(at(tt.now))
		h := c.Rows(all)[0].History
		got := []uint64{h[59], h[58], h[57]}
		if !slices.Equal(got, tt.want) || h != c.Sum().History {
			t.Errorf("at %v: %v of %v, want %v", tt.now, got, h, tt.want)
		}
	}
	if got := c.Elapsed(); got != 4 {
		t.Errorf("%d seconds, want 4", got)
	}
	c.Tick(at(60.5))
	if h := c.Sum().History; h[0] != 1320 || h[1] != 0 {
		t.Errorf("after a minute: %v", h)
	}
	c.Tick(at(61.5))
	if h := c.Sum().History; h != (live.History{}) {
		t.Errorf("after more than a minute: %v", h)
	}
	c.Tick(at(1e6))
	add(c, at(1e6), drop("f", "R", 5))
	c.Tick(at(1e6 + 1))
	if h := c.Rows(all)[0].History; h.Rate() != 5 || h[58] != 0 {
		t.Errorf("after days: %v", h)
	}
}

func TestNext(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	for now, want := range map[float64]time.Duration{
		0: 500 * time.Millisecond, 0.4: 100 * time.Millisecond, 0.5: time.Second, 7.75: 750 * time.Millisecond,
	} {
		if got := c.Next(at(now)); got != want {
			t.Errorf("at %v: %v, want %v", now, got, want)
		}
	}
}

func TestOthers(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	for i := range live.MaxKinds {
		add(c, begin, drop(fmt.Sprintf("f%d", i), "R", 1))
	}
	if c.Crowded() {
		t.Error("crowded without need")
	}
	add(c, begin, drop("late", "R", 7), drop("later", "R", 8), drop("f0", "R", 20))
	byPlace := live.GroupOf(live.Location)
	got := rows(c, byPlace)
	equal(
		t, "crowded", got[:3],
		[]string{`0/s 21 ["f0" "" "" "" "" ""]`, `0/s 15 ["(other)" "" "" "" "" ""]`, `0/s 1 ["f1" "" "" "" "" ""]`},
	)
	if len(got) != live.MaxKinds+1 || !c.Crowded() {
		t.Errorf("%d rows, crowded %v", len(got), c.Crowded())
	}

	add(c, at(30), drop("f0", "R", 1))
	add(c, at(61), drop("late", "R", 100)) // all but f0 are old
	want := []string{`0/s 1014 ["(other)" "" "" "" "" ""]`, `0/s 100 ["late" "" "" "" "" ""]`, `0/s 22 ["f0" "" "" "" "" ""]`}
	equal(t, "a minute later", rows(c, byPlace), want)
	if got := c.Total(); got != 1136 {
		t.Errorf("total %d, want 1136", got)
	}
}

func TestDetail(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	for i := range 10 {
		add(c, begin, packet("f", 1000+uint16(i%2), at(float64(i))), packet("g", 9, begin))
	}
	noAddress := packet("f", 9, at(-1))
	noAddress.Packet.Flow.Fields = 0
	undecoded := packet("f", 9, at(-1))
	undecoded.Packet.Flow = nil
	other := packet("f", 1, at(3.5))
	other.Port.IfName = "lo"
	add(c, begin, packet("f", 1000, at(-1)), noAddress, undecoded, drop("f", "R", 100), other)
	d := c.Detail(live.GroupOf(live.Location), live.Names{"f"})
	if d.Total != 114 || d.Seen != 12 || d.Rest != 0 || d.Names[live.Location] != "f" {
		t.Errorf("%d drops, %d seen, %d of other flows, %q", d.Total, d.Seen, d.Rest, d.Names)
	}
	want := []live.Flow{{"10.0.0.1:1000 > 10.0.0.2:53 udp", 6}, {"10.0.0.1:1001 > 10.0.0.2:53 udp", 5}, {"10.0.0.1:1 > 10.0.0.2:53 udp", 1}}
	if !reflect.DeepEqual(d.Flows, want) {
		t.Errorf("flows %v, want %v", d.Flows, want)
	}
	var times []float64
	for _, e := range d.Last {
		times = append(times, e.Time.Sub(begin).Seconds())
	}
	// The last eight of one kind, and the one of another between them.
	if want := []float64{9, 8, 7, 6, 5, 3.5, -1, -1}; !slices.Equal(times, want) {
		t.Errorf("last at %v, want %v", times, want)
	}
	if d := c.Detail(live.GroupOf(live.Location), live.Names{"h"}); d.Total != 0 || d.Flows != nil || d.Last != nil {
		t.Errorf("of what is not there: %+v", d)
	}
}

// TestClientPorts: the connections of a client to a service are one flow, in both directions.
func TestClientPorts(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	for i := range uint16(20) {
		back := packet("f", 53, begin)
		back.Packet.Flow.DstPort = 32768 + i
		peers := packet("f", 40000, begin)
		peers.Packet.Flow.DstPort = 50000
		add(c, begin, packet("f", 32768+i, begin), packet("f", 32767, begin), back, peers)
	}
	want := []live.Flow{
		{"10.0.0.1:* > 10.0.0.2:53 udp", 20}, {"10.0.0.1:32767 > 10.0.0.2:53 udp", 20},
		{"10.0.0.1:40000 > 10.0.0.2:50000 udp", 20}, {"10.0.0.1:53 > 10.0.0.2:* udp", 20},
	}
	if got := c.Detail(live.GroupOf(live.Location), live.Names{"f"}).Flows; !reflect.DeepEqual(got, want) {
		t.Errorf("flows %v, want %v", got, want)
	}
}

func TestFlowNames(t *testing.T) {
	src, dst := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	addresses := event.FieldSrc | event.FieldDst
	for want, h := range map[string]event.Headers{
		"2001:db8::1 > 2001:db8::2 icmpv6": {Fields: addresses, Src: src, Dst: dst, Transport: event.ICMPv6},
		"2001:db8::1 > 2001:db8::2 proto 89": {
			Fields: addresses | event.FieldProtocol, Src: src, Dst: dst, Network: event.IPv6, Protocol: 89,
		},
		"2001:db8::1 > 2001:db8::2 ipv6": {Fields: addresses, Src: src, Dst: dst, Network: event.IPv6},
		"[2001:db8::1]:7 > [2001:db8::2]:0 tcp": {
			Fields: addresses | event.FieldSrcPort | event.FieldDstPort, Src: src, Dst: dst, SrcPort: 7,
			Transport: event.TCP,
		},
		"2001:db8::1 > 2001:db8::2 tcp": {
			Fields: addresses | event.FieldSrcPort, Src: src, Dst: dst, SrcPort: 7, Transport: event.TCP,
		},
	} {
		c := live.NewCounter(begin, live.Drops)
		e := drop("f", "R", 2)
		e.Individual, e.Packet.Flow = true, &event.Flow{Headers: h}
		c.Add(&e, begin)
		if got := c.Detail(0, live.Names{}).Flows; !slices.Equal(got, []live.Flow{{want, 2}}) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
}

// TestManyFlows: the flows that there is no room for add up, until others go.
func TestManyFlows(t *testing.T) {
	const room = 8000
	c := live.NewCounter(begin, live.Drops)
	for i := range room + 5 {
		add(c, begin, packet("f", uint16(i), begin))
	}
	add(c, begin, packet("f", 0, begin), packet("g", 1, begin))
	if d := c.Detail(0, live.Names{}); len(d.Flows) != room || d.Rest != 6 || d.Seen != room+7 {
		t.Errorf("%d flows, %d of others, %d seen", len(d.Flows), d.Rest, d.Seen)
	}
	for i := range live.MaxKinds - 2 {
		add(c, at(30), drop(fmt.Sprint("f", i), "R", 1))
	}
	add(c, at(62), packet("g", 7, begin))
	if d := c.Detail(0, live.Names{}); len(d.Flows) != 1 || d.Rest != room+7 || d.Seen != room+8 {
		t.Errorf("a minute later: %d flows, %d of others, %d seen", len(d.Flows), d.Rest, d.Seen)
	}
}

func TestEventsAreBounded(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	var events []event.Event
	for i := range 20 {
		e := packet("f", uint16(i), begin)
		e.Packet.Data = make([]byte, 1<<20)
		events = append(events, e)
	}
	lost := event.Event{Kind: event.Loss, Place: event.InRing, Count: 3}
	add(c, begin, events...)
	add(c, begin, lost)
	got := c.Events()
	if len(got) != 8 || got[7].Kind != event.Loss || got[6].Packet.Flow.SrcPort != 19 || got[0].Packet.Flow.SrcPort != 13 {
		t.Errorf("%d events are kept, want the last 7 of a MiB and the loss", len(got))
	}
	if c.Total() != 20 {
		t.Errorf("total %d: a loss is no drop", c.Total())
	}
	huge := packet("f", 1, begin)
	huge.Packet.Data = make([]byte, 9<<20)
	add(c, begin, huge)
	if got := c.Events(); len(got) != 1 || got[0].Packet.Flow.SrcPort != 1 {
		t.Errorf("%d events are kept, want the last however long", len(got))
	}
}

// TestClone: neither copy learns what the other is told.
func TestClone(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	for i := range live.MaxKinds {
		add(c, begin, drop(fmt.Sprintf("f%d", i), "R", 1))
	}
	add(c, begin, packet("late", 1, begin), packet("f0", 1, begin))
	d := c.Clone()
	state := func(c *live.Counter) string {
		return fmt.Sprint(rows(c, all), c.Sum(), len(c.Events()), c.Detail(0, live.Names{}).Flows, c.Elapsed())
	}
	before := state(d)
	for i := range 20 {
		add(c, at(1.1), packet("late", 1, begin), packet("f0", uint16(i), begin), drop("f1", "R", 9))
	}
	if got := state(d); got != before {
		t.Errorf("the copy: got\n%s\nwant\n%s", got, before)
	}
	before = state(c)
	add(d, at(9), packet("late", 1, begin), packet("f0", 1, begin), drop("new", "R", 9))
	if got := state(c); got != before {
		t.Errorf("the original: got\n%s\nwant\n%s", got, before)
	}
}

// FuzzNames: whatever the kernel calls things, names are safe to print and what
// differs by a name has a row of its own.
func FuzzNames(f *testing.F) {
	f.Add("f+0x1/0x2", "R", "lo", "nginx", "blue")
	f.Add("a\x00b", "\x00", "-", "(other)", "\xff")
	f.Fuzz(func(t *testing.T, place, reason, port, comm, netns string) {
		e := drop(place, reason, 1)
		e.Port.IfName, e.Netns.Name = port, netns
		e.Owner.Process = event.Process{PID: 1, Comm: comm}
		c := live.NewCounter(begin, live.Drops)
		c.Add(&e, begin)
		got := c.Rows(all)
		if len(got) != 1 || got[0].Names[live.Protocol] != "-" {
			t.Fatalf("rows %+v", got)
		}
		for k, name := range got[0].Names[:live.Protocol+1] {
			if name == "" || event.Escape(name) != name {
				t.Errorf("%v is %q", live.Key(k), name)
			}
		}
		want := event.Escape(cmp.Or(reason, "-"))
		if got[0].Names[live.Reason] != want {
			t.Errorf("reason %q, want %q", got[0].Names[live.Reason], want)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	c := live.NewCounter(begin, live.Drops)
	var events [64]event.Event
	for i := range events {
		events[i] = packet(fmt.Sprintf("udp_queue_rcv_one_skb_%d+0x1a2/0x5c0", i), uint16(i), begin)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Add(&events[i%len(events)], begin)
	}
}

func BenchmarkRows(b *testing.B) {
	c := live.NewCounter(begin, live.Drops)
	for i := range live.MaxKinds {
		add(c, begin, drop(fmt.Sprintf("f%d", i), "R", 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Rows(all)
	}
}

// TestSampled: a row by owner has only samples where others of the kind were counted
// without one; a row without owners, or with counts of their own, is exact.
func TestSampled(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	mine := packet("f", 1, begin)
	mine.Owner.Process = event.Process{PID: 1, Comm: "p", Confidence: event.Certain}
	exact := mine
	exact.Where.Kernel = "g"
	add(c, begin, mine, exact, drop("f", "R", 100))
	got := map[string]bool{}
	for _, r := range c.Rows(live.GroupOf(live.Location, live.Owner)) {
		got[r.Names[live.Location]+" "+r.Names[live.Owner]] = r.Sampled
		if r.Example == nil || r.Example.Where.Kernel != r.Names[live.Location] {
			t.Errorf("%s has the example %+v", r.Names[live.Location], r.Example)
		}
	}
	if want := map[string]bool{"f p/1": true, "f -": false, "g p/1": false}; !maps.Equal(got, want) {
		t.Errorf("sampled: %v, want %v", got, want)
	}
	for _, r := range c.Rows(live.GroupOf(live.Location)) {
		if r.Sampled {
			t.Errorf("%s: sampled without owners", r.Names)
		}
	}
	if d := c.Detail(live.GroupOf(live.Owner), live.Names{live.Owner: "p/1"}); !d.Sampled {
		t.Error("the detail does not say that it is of samples")
	}
}
