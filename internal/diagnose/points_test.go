package diagnose_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// fullQueue is an event of a point at a socket of the namespace blue that listens on a port and is one of nginx.
func fullQueue(name string, port uint16, len uint64) *event.Event {
	return &event.Event{
		Kind: event.Point, Point: name, Count: 1, Netns: blue,
		Args: []event.Arg{{Name: "qlen", Number: len}, {Name: "limit", Number: 128}, {Name: "port", Number: uint64(port)}},
		Owner: event.Owner{
			Socket: &event.Socket{
				Inode: uint64(port), Family: 2, Receiver: true, Confidence: event.Certain,
				Local: netip.AddrPortFrom(netip.IPv4Unspecified(), port),
			},
			Process: event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain},
		},
	}
}

// TestPoints: the points that a diagnosis asks for are there, and none is called for each packet in another form.
func TestPoints(t *testing.T) {
	for _, p := range diagnose.Points() {
		if err := p.Check(); err != nil || p.Name == "" {
			t.Errorf("%+v: %v", p, err)
		}
		for _, f := range p.Forms() {
			if f.Functions[0] == "ip_rcv_core" {
				t.Errorf("%s is for each packet", p.Name)
			}
		}
	}
}

// TestCounterWithPoint: refused connections that only a counter shows have their socket, its queue and its owner.
func TestCounterWithPoint(t *testing.T) {
	c := collect(t, fullQueue("tcp_accept_queue", 8080, 129), fullQueue("tcp_accept_queue", 8080, 130),
		fullQueue("tcp_syn_queue", 8080, 128))
	d := diagnose.New(c, report("TcpExtListenOverflows", 2), nil)
	if len(d.Findings) != 1 {
		t.Fatalf("%+v", d.Findings)
	}
	f := &d.Findings[0]
	if len(f.Points) != 1 || f.Points[0].Count != 2 || f.Owner.Process.PID != 812 || f.OwnerCount != 2 {
		t.Errorf("points %+v, owner %+v of %d", f.Points, f.Owner, f.OwnerCount)
	}
	text := textOf(t, d)
	const want = "SYN refused on port 8080: accept queue 130 of 128 (0.0.0.0:8080,\n             nginx/812), 2 times"
	if !strings.Contains(text, want) {
		t.Errorf("%s, want %q", text, want)
	}
}

// TestPointElsewhere: a point in another network namespace, of another counter, or of another port says nothing of a
// finding.
func TestPointElsewhere(t *testing.T) {
	elsewhere := fullQueue("tcp_accept_queue", 8080, 129)
	elsewhere.Netns = event.Netns{Inode: 8}
	unknown := fullQueue("tcp_accept_queue", 8080, 129)
	unknown.Netns = event.Netns{}
	for name, e := range map[string]*event.Event{
		"network namespace": elsewhere, "unknown": unknown, "counter": fullQueue("tcp_syn_queue", 8080, 128),
	} {
		d := diagnose.New(collect(t, e), report("TcpExtListenOverflows", 1), nil)
		if f := &d.Findings[0]; f.Points != nil || f.OwnerCount > 0 {
			t.Errorf("%s: %+v", name, f.Points)
		}
	}
}

// TestPointsOfSeveralSockets: the finding has the values of each, and no owner.
func TestPointsOfSeveralSockets(t *testing.T) {
	web, tls := fullQueue("tcp_accept_queue", 80, 129), fullQueue("tcp_accept_queue", 443, 129)
	c := collect(t, web, tls, tls)
	f := diagnose.New(c, report("TcpExtListenOverflows", 3), nil).Findings[0]
	if len(f.Points) != 2 || f.Points[0].Owner.Socket.Local.Port() != 443 || f.OwnerCount != 0 {
		t.Errorf("%+v, %d", f.Points, f.OwnerCount)
	}
}

// raisedAt is an event of a function that raises a counter of eth0 in the namespace blue.
func raisedAt(counter, function string) *event.Event {
	frame := func(symbol string) event.Frame { return event.Frame{Lookup: event.Found, Symbol: symbol} }
	return &event.Event{
		Kind: event.Point, Point: "dev_" + counter, Count: 1, Netns: blue, Port: event.Port{IfIndex: 2, IfName: "eth0"},
		Where: event.Where{Frame: frame("netdev_core_stats_inc")},
		Stack: []event.Frame{
			frame("netdev_core_stats_inc"), frame("dev_core_stats_" + counter + "_inc"), frame(function), frame("napi_poll"),
		},
	}
}

// TestRaised: a counter of a device is of the functions that raised it, and of its driver.
func TestRaised(t *testing.T) {
	const function = "__netif_receive_skb_core.constprop.0"
	for name, tt := range map[string]struct {
		watched []string
		drops   []*event.Event
		want    string // the line, empty: none
	}{
		"points": {
			[]string{"dev_rx_dropped"},
			[]*event.Event{
				raisedAt("rx_dropped", function), raisedAt("rx_dropped", function), raisedAt("rx_dropped", "enqueue_to_backlog"),
			},
			"rx_dropped on eth0 in network namespace blue +4: 2 by\n   __netif_receive_skb_core, 1 by enqueue_to_backlog, 1 by its driver",
		},
		"only the driver": {
			[]string{"dev_rx_dropped"}, []*event.Event{raisedAt("tx_dropped", function)},
			"rx_dropped on eth0 in network namespace blue +4: 4 by its driver",
		},
		"no such function": {
			nil, []*event.Event{at("__netif_receive_skb_core", "eth0", 3), at("icmp_rcv", "eth0", 3)},
			"+4: 3 likely by\n   __netif_receive_skb_core, where as many packets were dropped",
		},
		"nothing known": {nil, nil, ""},
	} {
		c := collect(t, tt.drops...)
		c.Watched = tt.watched
		d := diagnose.New(c, rose(of(counters.Interface, "eth0", "rx_dropped", 4)), nil)
		text := textOf(t, d)
		if tt.want == "" == strings.Contains(text, "counted: ") || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %s, want %q", name, text, tt.want)
		}
	}
}

// TestRaisedWithLosses: if events of points were lost, what is missing is not blamed on the driver.
func TestRaisedWithLosses(t *testing.T) {
	c := new(diagnose.Collector)
	c.Watched = []string{"dev_rx_dropped"}
	for _, e := range []*event.Event{
		raisedAt("rx_dropped", "f"), {Kind: event.End, Ledger: &event.Ledger{Points: event.PointCounts{Shown: 1, Lost: 3}}},
	} {
		if err := c.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	text := textOf(t, diagnose.New(c, rose(of(counters.Interface, "eth0", "rx_dropped", 4)), nil))
	if !strings.Contains(text, "+4: 1 by f\n") {
		t.Error(text)
	}
}

// TestPointsJSON: what a point knew is in the finding, and who raised a counter in the reconciliation.
func TestPointsJSON(t *testing.T) {
	c := collect(t, fullQueue("tcp_accept_queue", 8080, 129), raisedAt("rx_dropped", "enqueue_to_backlog"))
	c.Watched = []string{"dev_rx_dropped"}
	overflows := of(counters.Protocol, "", "TcpExtListenOverflows", 1)
	d := diagnose.New(c, rose(overflows, of(counters.Interface, "eth0", "rx_dropped", 1)), nil)
	var b strings.Builder
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"points":[{"name":"tcp_accept_queue","count":1,"args":{"limit":128,"port":8080,"qlen":129},` +
			`"local":"0.0.0.0:8080","owner":{"pid":812,"process":"nginx"}}]`,
		`"raised_by":[{"function":"enqueue_to_backlog","count":1,"confidence":"certain"}]`,
	} {
		if !strings.Contains(b.String(), want) || !json.Valid([]byte(strings.SplitN(b.String(), "\n", 2)[0])) {
			t.Errorf("%s lacks %s", b.String(), want)
		}
	}
}

// TestCertainOfDrops: the drops whose packets had reached a point say so, also of a point of which nothing else is known, but
// not which of two sockets they were at.
func TestCertainOfDrops(t *testing.T) {
	reached := func(name string) *event.Event {
		e := udp("NETFILTER_DROP", 40000)
		e.Netns, e.Packet.Flow = blue, nil
		if name != "" {
			e.Reached = &event.Reached{Point: name, Args: []event.Arg{{Name: "qlen", Number: 129}}}
		}
		return e
	}
	for name, tt := range map[string]struct {
		events []*event.Event
		want   []uint64 // of each point
	}{
		"some":             {[]*event.Event{fullQueue("mine", 80, 129), reached("mine"), reached(""), reached("mine")}, []uint64{2}},
		"none":             {[]*event.Event{fullQueue("mine", 80, 129), reached("")}, nil},
		"of another point": {[]*event.Event{fullQueue("mine", 80, 129), reached("other")}, nil},
		"of two sockets":   {[]*event.Event{fullQueue("mine", 80, 129), fullQueue("mine", 81, 129), reached("mine")}, []uint64{0, 0}},
	} {
		d := diagnose.New(collect(t, tt.events...), report("TcpExtListenOverflows", 0), nil)
		var got []uint64
		for _, p := range d.Findings[0].Points {
			got = append(got, p.Drops)
		}
		text := strings.Contains(textOf(t, d), "; certain of 2 drops")
		if !slices.Equal(got, tt.want) || text != (name == "some") {
			t.Errorf("%s: %d, want %d: %s", name, got, tt.want, textOf(t, d))
		}
	}
}
