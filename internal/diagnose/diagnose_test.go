package diagnose_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
)

var blue = event.Netns{Inode: 7, Name: "blue"}

// udp is a drop of a datagram from a client's port to port 53.
func udp(reason string, client uint16) *event.Event {
	return &event.Event{
		Kind: event.Drop, Count: 1, Segments: 1, Reason: reason, Netns: blue, Port: event.Port{IfName: "lo"},
		Packet: event.Packet{Flow: &event.Flow{Headers: event.Headers{
			Fields:  event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
			Network: event.IPv4, Transport: event.UDP,
			Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: client, DstPort: 53,
		}}},
	}
}

func collect(t *testing.T, events ...*event.Event) *diagnose.Collector {
	t.Helper()
	c := new(diagnose.Collector)
	for _, e := range append(events, &event.Event{Kind: event.End, Ledger: new(event.Ledger)}) {
		if err := c.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// report is of ten seconds, in which a counter of blue rose by n.
func report(name string, n uint64) *counters.Report {
	c := counters.Counter{Key: counters.Key{Netns: blue, Group: counters.Protocol, Name: name}, Bits: 64}
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := &counters.Snapshot{Time: begin, Counters: []counters.Counter{c}}
	c.Value = n
	return counters.NewReport(before, &counters.Snapshot{Time: begin.Add(10 * time.Second), Counters: []counters.Counter{c}})
}

func TestDropsAndCounterAgree(t *testing.T) {
	d := diagnose.New(collect(t, udp("NO_SOCKET", 40001), udp("NO_SOCKET", 40002)), report("UdpNoPorts", 2), nil)
	if len(d.Findings) != 1 {
		t.Fatalf("%d findings, want 1: %+v", len(d.Findings), d.Findings)
	}
	f := &d.Findings[0]
	if f.ID != "NO_SOCKET" || f.Count != 2 || f.Rate != 0.2 || f.Share != 1 || len(f.Counters) != 1 {
		t.Errorf("got %+v", f)
	}
	if len(f.Flows) != 1 || f.Flows[0].Count != 2 || f.Flows[0].Flow.String() != "udp 10.0.0.1 > 10.0.0.2:53" {
		t.Errorf("flows of two clients' ports to one service: %+v", f.Flows)
	}
	if a := d.Accounts[0]; a.Seen != 2 || a.Rest != 0 {
		t.Errorf("got %d seen, %d unexplained", a.Seen, a.Rest)
	}
}

// TestCounterAlone: what no drop tells is a finding by its counter, what is left of it
// beside drops, too.
func TestCounterAlone(t *testing.T) {
	for _, test := range []struct {
		name  string
		drops []*event.Event
		want  uint64
	}{
		{"no drop", nil, 5},
		{"drops of some", []*event.Event{udp("SOCKET_RCVBUFF", 40001), udp("SOCKET_RCVBUFF", 40001)}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := diagnose.New(collect(t, test.drops...), report("UdpRcvbufErrors", 5), nil)
			last := &d.Findings[len(d.Findings)-1]
			for i := range d.Findings {
				if d.Findings[i].ByCounter() {
					last = &d.Findings[i]
				}
			}
			if last.ID != "UdpRcvbufErrors" || last.Count != test.want {
				t.Errorf("got %s %d, want %d by the counter", last.ID, last.Count, test.want)
			}
			if d.Worst() != knowledge.Harm || !strings.HasPrefix(d.Verdict(), "this host loses packets: see 1") {
				t.Errorf("verdict %s", d.Verdict())
			}
		})
	}
}

func TestNothing(t *testing.T) {
	d := diagnose.New(collect(t), report("UdpNoPorts", 0), nil)
	if len(d.Findings) != 0 || d.Worst() != 0 || d.Verdict() != "this host drops nothing that matters" {
		t.Errorf("got %+v: %s", d.Findings, d.Verdict())
	}
}

// TestNoiseIsNoFinding: what needs no attention has no rank.
func TestNoiseIsNoFinding(t *testing.T) {
	closed := udp("QUEUE_PURGE", 40001)
	closed.Harmless = "connection closed in order"
	lldp := &event.Event{Kind: event.Drop, Count: 3, Reason: "UNHANDLED_PROTO", Packet: event.Packet{Proto: 0x88cc, HasProto: true}}
	d := diagnose.New(collect(t, closed, lldp), report("UdpNoPorts", 0), nil)
	if len(d.Findings) != 0 || len(d.Noise) != 1 || d.Harmless != 1 || d.Worst() != knowledge.Noise {
		t.Errorf("findings %+v, noise %+v, %d harmless", d.Findings, d.Noise, d.Harmless)
	}
}

// TestSharedAddress: of sockets with one address, some are full.
func TestSharedAddress(t *testing.T) {
	for name, test := range map[string]struct {
		sockets []counters.Counter
		want    string
	}{
		"alone":       {[]counters.Counter{socket("udp *:53", 1, 1)}, "The receive buffer"},
		"one of two":  {[]counters.Counter{socket("udp *:53", 1, 2)}, "1 of 2 sockets that share the address udp *:53"},
		"both":        {[]counters.Counter{socket("udp *:53", 1, 2), socket("udp *:53", 2, 2)}, "The receive buffer"},
		"two of four": {[]counters.Counter{socket("udp *:53", 1, 4), socket("udp *:53", 2, 4)}, "2 of 4 sockets"},
		"strangers":   {[]counters.Counter{socket("udp *:53", 1, 2), socket("udp *:54", 2, 2)}, "The receive buffer"},
	} {
		before := &counters.Snapshot{Counters: slices.Clone(test.sockets)}
		for i := range before.Counters {
			before.Counters[i].Value = 0
		}
		r := counters.NewReport(before, &counters.Snapshot{Counters: test.sockets})
		d := diagnose.New(collect(t, udp("SOCKET_RCVBUFF", 40001)), r, nil)
		f := &d.Findings[0]
		if !strings.HasPrefix(f.Meaning.Cause, test.want) {
			t.Errorf("%s: %s", name, f.Meaning.Cause)
		}
		slow := strings.Contains(f.Meaning.Cause, "are full: they are not read, or too slowly")
		if shared := strings.Contains(test.want, "sockets"); slow != shared || strings.Contains(f.Meaning.Fix, "is slower") != shared {
			t.Errorf("%s: a slow member is named: %s %s", name, f.Meaning.Cause, f.Meaning.Fix)
		}
	}
}

// TestSharedListener: of sockets that listen at one address, one accepts no connection.
func TestSharedListener(t *testing.T) {
	for want, sharing := range map[string]uint32{
		"1 of 2 sockets that share the address tcp *:53 (SO_REUSEPORT) are full: no connection is accepted from them, or too slowly.": 2,
		"A connection could not be completed": 1,
	} {
		queue, dropped := socket("tcp *:53", 1, sharing), socket("tcp *:53", 1, sharing)
		queue.Name, queue.Gauge, queue.Part, queue.Limit = "accept_queue", true, false, 1
		r := report("TcpExtListenOverflows", 3)
		sockets := &counters.Snapshot{Counters: []counters.Counter{queue, dropped}}
		r.Rows = append(r.Rows, counters.NewReport(new(counters.Snapshot), sockets).Rows...)
		if f := diagnose.New(collect(t), r, nil).Findings[0]; !strings.HasPrefix(f.Meaning.Cause, want) {
			t.Errorf("%d sockets share the address: %s", sharing, f.Meaning.Cause)
		}
	}
}

// socket is one that has dropped a packet.
func socket(address string, inode uint64, sharing uint32) counters.Counter {
	return counters.Counter{
		Key:   counters.Key{Netns: blue, Group: counters.Socket, Object: fmt.Sprintf("%s inode %d", address, inode), Name: "drops"},
		Value: 1, Bits: 32, Part: true, Inode: inode, Sharing: sharing,
	}
}

// TestFunction: a finding without a reason has the name of the function, whatever the compiler made of it.
func TestFunction(t *testing.T) {
	for _, reason := range []string{"", "NOT_SPECIFIED"} {
		drop := udp(reason, 40001)
		drop.Where = event.Where{Frame: event.Frame{PC: 1, Lookup: event.Found, Symbol: "ip_rcv_finish_core.isra.0"}}
		if d := diagnose.New(collect(t, drop), report("UdpNoPorts", 0), nil); d.Findings[0].ID != "ip_rcv_finish_core" {
			t.Errorf("reason %q: ID %s", reason, d.Findings[0].ID)
		}
	}
}

// ownersOnly is a host without files.
func ownersOnly(find func(inode uint64) event.Owner) *diagnose.Host {
	return diagnose.NewHost(host.FS(fstest.MapFS{}), find)
}

// TestOwnerOfASocket: the process of a socket that is all that is known of the owner is looked for, once more.
func TestOwnerOfASocket(t *testing.T) {
	drop := udp("NO_SOCKET", 40001)
	drop.Owner.Socket = &event.Socket{Inode: 5, Confidence: event.Certain}
	for name, pid := range map[string]uint32{"found": 42, "gone": 0} {
		d := diagnose.New(collect(t, drop), report("UdpNoPorts", 1), nil)
		d.Ask(ownersOnly(func(inode uint64) event.Owner {
			return event.Owner{Process: event.Process{PID: pid}, Socket: &event.Socket{Inode: inode}}
		}))
		f := &d.Findings[0]
		if f.Owner.Process.PID != pid || f.Owner.Socket.Inode != 5 || f.OwnerCount != 1 || (f.Owner.Socket.Confidence == 0) != (pid > 0) {
			t.Errorf("%s: owner %+v, socket %+v", name, f.Owner, f.Owner.Socket)
		}
	}
}

// TestSocketThatDropped: of the socket that counted the drops the owner is sought, although another is likely.
func TestSocketThatDropped(t *testing.T) {
	drop := udp("SOCKET_RCVBUFF", 40001)
	drop.Owner = event.Owner{
		Process: event.Process{PID: 7, Confidence: event.Likely}, Socket: &event.Socket{Inode: 9, Confidence: event.Likely},
	}
	after := &counters.Snapshot{Counters: []counters.Counter{socket("udp *:53", 5, 2)}}
	d := diagnose.New(collect(t, drop), counters.NewReport(new(counters.Snapshot), after), nil)
	d.Ask(ownersOnly(func(inode uint64) event.Owner { return event.Owner{Process: event.Process{PID: uint32(100 + inode)}} }))
	if f := &d.Findings[0]; f.Owner.Process.PID != 105 {
		t.Errorf("owner %+v", f.Owner)
	}
}

func TestJSON(t *testing.T) {
	d := diagnose.New(collect(t, udp("NO_SOCKET", 40001)), report("UdpNoPorts", 4), nil)
	var b strings.Builder
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	var end struct {
		Kind, Verdict  string
		Drops          uint64
		Reconciliation []struct {
			Name                               string
			Change, Seen, Finding, Unexplained uint64
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil {
		t.Fatal(err)
	}
	if end.Kind != "end" || end.Drops != 1 || len(end.Reconciliation) != 1 || end.Reconciliation[0].Finding != 3 {
		t.Errorf("got %+v", end)
	}
	var finding map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &finding); err != nil {
		t.Fatal(err)
	}
	keys := []string{"kind", "rank", "id", "layer", "module", "class", "severity", "count", "check", "fix", "flows", "counters", "settings"}
	for _, key := range keys {
		if _, ok := finding[key]; !ok {
			t.Errorf("a finding lacks %s: %s", key, lines[0])
		}
	}
}

// TestFlood: drops that were only counted belong to the finding of those of their kind
// that were reported with their packets, and are no flow of their own.
func TestFlood(t *testing.T) {
	counted := &event.Event{
		Kind: event.Drop, Count: 1000, Segments: 1000, Aggregate: true, Reason: "NO_SOCKET", Netns: event.Netns{Inode: blue.Inode},
		Port: event.Port{IfName: "lo"}, Packet: event.Packet{Proto: 0x0800, HasProto: true},
	}
	reported := udp("NO_SOCKET", 40001)
	reported.Packet.Proto, reported.Packet.HasProto = 0x0800, true
	d := diagnose.New(collect(t, reported, counted), report("UdpNoPorts", 1001), nil)
	if len(d.Findings) != 1 || d.Findings[0].Count != 1001 || d.Findings[0].Reported != 1 || d.Findings[0].Netns != blue {
		t.Fatalf("got %+v, want one finding of 1001 drops, of which 1 was reported", d.Findings)
	}
	if f := d.Findings[0].Flows; len(f) != 1 || f[0].Count != 1 {
		t.Errorf("flows %+v, want that of the one reported", f)
	}
	if d.Accounts[0].Rest != 0 {
		t.Errorf("%d unexplained", d.Accounts[0].Rest)
	}
	var b strings.Builder
	if err := d.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 81 && !strings.Contains(line, "ip netns exec") && !strings.HasPrefix(line, "1. ") {
			t.Errorf("wider than a terminal of 80 columns: %s", line)
		}
	}
}

// TestSelected: with an expression, a counter is a finding if all of its drops match; those of which
// that is not known are counted.
func TestSelected(t *testing.T) {
	const notShown = "not shown: 1 counter of lost packets rose"
	for truth, want := range map[condition.Truth]struct {
		ids     []string
		states  int
		verdict string
		said    bool
	}{
		condition.True:    {[]string{"UdpRcvbufErrors", "NO_SOCKET"}, 1, "this host loses packets: see 1; perhaps also 2", false},
		condition.Unknown: {[]string{"NO_SOCKET"}, 0, "packets are dropped that may matter: see 1", true},
		condition.False:   {[]string{"NO_SOCKET"}, 0, "packets are dropped that may matter: see 1", false},
	} {
		r := report("UdpRcvbufErrors", 5)
		r.Rows = append(r.Rows, rose(bad("eth1", "carrier_lost", "down")).Rows...)
		d := diagnose.New(collect(t, udp("NO_SOCKET", 40001)), r, func(r *counters.Row) condition.Truth { return truth })
		var ids []string
		for i := range d.Findings {
			ids = append(ids, d.Findings[i].ID)
		}
		if !slices.Equal(ids, want.ids) || len(d.States) != want.states || d.Verdict() != want.verdict {
			t.Errorf("%v: findings %v, %d states, verdict %s; want %+v", truth, ids, len(d.States), d.Verdict(), want)
		}
		if got := strings.Contains(textOf(t, d), notShown); got != want.said {
			t.Errorf("%v: that a counter is not shown is said: %t, want %t", truth, got, want.said)
		}
	}
	unknown := func(*counters.Row) condition.Truth { return condition.Unknown }
	if got := diagnose.New(collect(t), report("UdpRcvbufErrors", 5), unknown).Verdict(); got != "no drop matched the expression" {
		t.Errorf("verdict: %s", got)
	}
}

// TestUndecidedNames: one or two counters that are not shown are named, with their network namespace.
func TestUndecidedNames(t *testing.T) {
	rows := []counters.Counter{
		of(counters.Protocol, "", "UdpRcvbufErrors", 5), of(counters.Interface, "eth0", "rx_missed_errors", 4),
		of(counters.Protocol, "", "UdpMemErrors", 3),
	}
	for n, want := range []string{
		"", "1 counter of lost packets rose by more than the drops above: UdpRcvbufErrors in network namespace blue +5. Counters do",
		"2 counters of lost packets rose by more than the drops above: UdpRcvbufErrors in network namespace blue +5, " +
			"interface.rx_missed_errors on eth0 in network namespace blue +4. Counters do",
		"3 counters of lost packets rose by more than the drops above. Counters do",
	} {
		d := diagnose.New(collect(t), rose(rows[:n]...), func(*counters.Row) condition.Truth { return condition.Unknown })
		d.Ask(ownersOnly(nil))
		text := strings.Join(strings.Fields(textOf(t, d)), " ")
		if !strings.Contains(text, want) || n == 0 && strings.Contains(text, "not shown") {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
}

func TestVerdict(t *testing.T) {
	harm, maybe := udp("SOCKET_RCVBUFF", 40001), udp("NO_SOCKET", 40001)
	for want, drops := range map[string][]*event.Event{
		"this host loses packets: see 1":                 {harm},
		"packets are dropped that may matter: see 1":     {maybe},
		"this host loses packets: see 1; perhaps also 2": {maybe, maybe, harm},
		"this host drops nothing that matters":           nil,
	} {
		if got := diagnose.New(collect(t, drops...), report("UdpNoPorts", 0), nil).Verdict(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestArgs: what a source read is of the finding if it is the same at all drops that have it.
func TestArgs(t *testing.T) {
	with := func(args ...event.Arg) *event.Event {
		e := udp("SOCKET_RCVBUFF", 40001)
		e.Args = args
		return e
	}
	size := event.Arg{Name: "rcvbuf", Number: 2304}
	d := diagnose.New(collect(t,
		with(), with(size, event.Arg{Name: "rmem", Number: 2300}), with(event.Arg{Name: "rmem", Number: 2304}, size),
		with(size, event.Arg{Name: "rmem", Number: 2300}),
	), report("UdpRcvbufErrors", 4), nil)
	if got := d.Findings[0].Args; !slices.Equal(got, []event.Arg{size}) {
		t.Errorf("got %+v, want only %+v", got, size)
	}
}

// TestLost: what dropwatch could not show is said.
func TestLost(t *testing.T) {
	c := new(diagnose.Collector)
	ledger := new(event.Ledger)
	ledger.Add(&event.Event{Kind: event.Loss, Place: event.Unread, Count: 24})
	if err := c.Write(&event.Event{Kind: event.End, Ledger: ledger}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := diagnose.New(c, report("UdpNoPorts", 0), nil).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = "lost 24 drops: 24 not read before stopping\nverdict: this host drops nothing that matters\n"
	if got := b.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
