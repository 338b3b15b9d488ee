package diagnose_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// rose is a report of ten seconds in which counters rose from 0 to their values.
func rose(all ...counters.Counter) *counters.Report {
	before := &counters.Snapshot{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	after := &counters.Snapshot{Time: before.Time.Add(10 * time.Second), Counters: all}
	for _, c := range all {
		c.Value = 0
		before.Counters = append(before.Counters, c)
	}
	return counters.NewReport(before, after)
}

// of makes the counter of an interface in the namespace blue.
func of(group counters.Group, ifname, name string, value uint64) counters.Counter {
	return counters.Counter{Key: counters.Key{Netns: blue, Group: group, IfName: ifname, Name: name}, Value: value, Bits: 64}
}

// at are n drops at a function on an interface of the namespace blue, without a reason.
func at(function, ifname string, n uint64) *event.Event {
	return &event.Event{
		Kind: event.Drop, Count: n, Segments: n, Netns: blue, Port: event.Port{IfName: ifname},
		Where: event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: function}},
	}
}

// TestDriverCountsTheSame: what a driver counts under its own name is no second finding.
func TestDriverCountsTheSame(t *testing.T) {
	for function, want := range map[string]int{"veth_xdp_rcv_skb": 1, "veth_xdp_rcv_one": 1, "veth_xmit": 2} {
		d := diagnose.New(collect(t, at(function, "veth0", 5)), rose(of(counters.Driver, "veth0", "rx_queue_0_xdp_drops", 5)), nil)
		if len(d.Findings) != want {
			t.Errorf("%s: %d findings, want %d: %+v", function, len(d.Findings), want, d.Findings)
		}
	}
}

// TestSaidOnce: a loss that a device, its queues and its interface count is one finding, and
// what one of them counts beyond the others is not lost.
func TestSaidOnce(t *testing.T) {
	for name, test := range map[string]struct {
		rows []counters.Counter
		want string // the findings with their counts
	}{
		"driver and interface": {[]counters.Counter{
			of(counters.Interface, "eth0", "rx_missed_errors", 5), of(counters.Driver, "eth0", "rx_missed_errors", 5),
		}, "driver.rx_missed_errors 5"},
		"two names of one register": {[]counters.Counter{
			of(counters.Driver, "eth0", "rx_missed_errors", 5), of(counters.Driver, "eth0", "rx_no_dma_resources", 5),
		}, "driver.rx_missed_errors 5"},
		"two queues": {[]counters.Counter{
			of(counters.Driver, "veth0", "rx_queue_0_xdp_drops", 5), of(counters.Driver, "veth0", "rx_queue_1_xdp_drops", 5),
		}, "driver.rx_queue_0_xdp_drops 5, driver.rx_queue_1_xdp_drops 5"},
		"two interfaces": {[]counters.Counter{
			of(counters.Interface, "eth0", "rx_missed_errors", 5), of(counters.Driver, "eth1", "rx_missed_errors", 5),
		}, "interface.rx_missed_errors 5, driver.rx_missed_errors 5"},
		"the interface counts more": {[]counters.Counter{
			of(counters.Interface, "eth0", "rx_missed_errors", 7), of(counters.Driver, "eth0", "rx_missed_errors", 5),
		}, "driver.rx_missed_errors 5, interface.rx_missed_errors 2"},
		"a queue, the driver and the interface": {[]counters.Counter{
			of(counters.Interface, "eth0", "rx_missed_errors", 5), of(counters.Driver, "eth0", "rx_missed_errors", 5),
			of(counters.Queue, "eth0", "rx-hw-drop-overruns", 5),
		}, "queue.rx-hw-drop-overruns 5"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			d := diagnose.New(collect(t), rose(test.rows...), nil)
			for i := range d.Findings {
				got = append(got, fmt.Sprintf("%s %d", d.Findings[i].ID, d.Findings[i].Count))
			}
			if text := strings.Join(got, ", "); text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
			for _, a := range d.Accounts {
				if a.Seen > a.Delta {
					t.Errorf("%s: %d of %d seen", a.ID(), a.Seen, a.Delta)
				}
			}
		})
	}
}

// TestSentToNobody: what the queueing discipline of an interface without a carrier drops is
// counted as dropped by the interface as well.
func TestSentToNobody(t *testing.T) {
	drop := at("__dev_queue_xmit", "veth0", 5)
	drop.Reason = "QDISC_DROP"
	d := diagnose.New(collect(t, drop), rose(of(counters.Interface, "veth0", "tx_dropped", 5)), nil)
	if a := d.Accounts[0]; a.Rest != 0 || len(d.Findings[0].Counters) != 1 {
		t.Errorf("%d unexplained: %+v", a.Rest, d.Findings)
	}
}

// TestCarrier: what could not leave because the peer is down is not said to be a full queue.
func TestCarrier(t *testing.T) {
	down := of(counters.Interface, "down0", "no_carrier", 1)
	down.Gauge, down.Limit = true, 1
	const noCarrier = "Interface down0 has no carrier: its link or its peer is down"
	for reason, want := range map[string]bool{"QDISC_DROP": true, "NEIGH_FAILED": true, "DEV_READY": true, "IP_CSUM": false} {
		for _, ifname := range []string{"up0", "down0"} {
			drop := at("f", ifname, 1)
			drop.Reason = reason
			x := &diagnose.New(collect(t, drop), rose(down), nil).Findings[0].Meaning
			got := strings.HasPrefix(x.Cause, noCarrier)
			if got != (want && ifname == "down0") {
				t.Errorf("%s on %s: %s", reason, ifname, x.Cause)
			}
			if got && (!strings.HasPrefix(x.Check[0], "ip netns exec blue ip -d link show dev down0") || x.Class != knowledge.Error) {
				t.Errorf("%s: check %q, class %v", reason, x.Check, x.Class)
			}
		}
	}
}

// TestPeer: what one end of a veth pair does not take rises at both, at the other in another
// namespace; what rose there by more has another cause.
func TestPeer(t *testing.T) {
	for rise, want := range map[uint64]uint64{5: 0, 6: 6} {
		peer := of(counters.Interface, "eth0", "rx_dropped", rise)
		peer.Netns = event.Netns{Inode: 8}
		r := rose(of(counters.Interface, "veth0", "tx_dropped", 5), peer)
		d := diagnose.New(collect(t, at("__dev_forward_skb2", "veth0", 5)), r, nil)
		if tx, rx := d.Accounts[0].Rest, d.Accounts[1].Rest; tx != 0 || rx != want {
			t.Errorf("of +5 tx_dropped %d unexplained, of +%d rx_dropped %d", tx, rise, rx)
		}
	}
}

// TestUnknown: of what nothing is known a finding says how to learn more.
func TestUnknown(t *testing.T) {
	unknownReason := at("f", "veth0", 1)
	unknownReason.Reason = "NEW"
	for want, drop := range map[string]*event.Event{
		"function": at("no_such_function", "veth0", 1), "reason": unknownReason, "location": at("", "veth0", 1),
	} {
		drop.Where.Lookup = event.Found
		text := textOf(t, diagnose.New(collect(t, drop), rose(), nil))
		if !strings.Contains(text, "why       Nothing is known of this "+want+". dropwatch watch --stack") {
			t.Errorf("%s:\n%s", want, text)
		}
	}
}

// TestRetransmissions: beside findings they are what these lead to; alone they are unexplained.
func TestRetransmissions(t *testing.T) {
	r := rose(of(counters.Protocol, "", "TcpRetransSegs", 4), of(counters.Protocol, "", "TcpExtTCPTimeouts", 2))
	const also = "also: retransmissions, as lost packets cause: TcpRetransSegs in network namespace blue +4, TcpExtTCPTimeouts in"
	text := textOf(t, diagnose.New(collect(t, at("veth_xmit", "veth0", 1)), r, nil))
	if !strings.Contains(strings.Join(strings.Fields(text), " "), also) || strings.Contains(text, "unexplained") {
		t.Errorf("beside a finding:\n%s", text)
	}
	if text := textOf(t, diagnose.New(collect(t), r, nil)); !strings.Contains(text, "unexplained: TcpRetransSegs") {
		t.Errorf("alone:\n%s", text)
	}
}

// TestAnswersNotSent: an ICMP error that was not sent is explained by the drops that it answers.
func TestAnswersNotSent(t *testing.T) {
	for _, reason := range []string{"NETFILTER_DROP", "NEIGH_FAILED"} {
		drop := at("f", "veth0", 5)
		drop.Reason = reason
		d := diagnose.New(collect(t, drop), rose(of(counters.Protocol, "", "IcmpOutRateLimitHost", 5)), nil)
		if a := d.Accounts[0]; a.Rest != 0 {
			t.Errorf("%s: %d unexplained", reason, a.Rest)
		}
	}
}

// TestSenderIsTold: of what a virtual device does not take, the sender's protocol counts it as well.
func TestSenderIsTold(t *testing.T) {
	for _, function := range []string{"__dev_forward_skb2", "veth_xmit", "tun_net_xmit"} {
		r := rose(of(counters.Protocol, "", "IpOutDiscards", 4), of(counters.Protocol, "", "UdpSndbufErrors", 4))
		for _, a := range diagnose.New(collect(t, at(function, "veth0", 5)), r, nil).Accounts {
			if a.Rest != 0 {
				t.Errorf("%s: %d of %s unexplained", function, a.Rest, a.ID())
			}
		}
	}
}

// TestRemarksFit: what stands beside the findings fits 80 columns, but for the verdict.
func TestRemarksFit(t *testing.T) {
	var rows []counters.Counter
	for _, ifname := range []string{"eth0", "a-rather-long-i", "eth0.4094"} {
		rows = append(rows, of(counters.Interface, ifname, "rx_dropped", 4), of(counters.Interface, ifname, "rx_errors", 3))
	}
	lldp := &event.Event{
		Kind: event.Drop, Count: 3, Reason: "UNHANDLED_PROTO", Netns: blue, Port: event.Port{IfName: "a-rather-long-i"},
		Packet: event.Packet{Proto: 0x88cc, HasProto: true},
	}
	text := textOf(t, diagnose.New(collect(t, lldp), rose(rows...), nil))
	if strings.Count(text, "\nunexplained: ") != len(rows) || !strings.Contains(text, "noise: ") {
		t.Errorf("not all is there:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line) > 81 && !strings.HasPrefix(line, "verdict: ") {
			t.Errorf("too wide: %s", line)
		}
	}
}

// TestFullAcceptQueue: what a full accept queue lost with a drop and without one is one finding, and
// what other namespaces lost is not of it.
func TestFullAcceptQueue(t *testing.T) {
	for netns, want := range map[event.Netns]int{blue: 1, {Inode: 8, Name: "green"}: 2} {
		e := udp("TCP_LISTEN_OVERFLOW", 40001)
		e.Netns, e.Packet.Flow.Transport = netns, event.TCP
		d := diagnose.New(collect(t, e, e), report("TcpExtListenOverflows", 9), nil)
		text := textOf(t, d)
		if len(d.Findings) != want {
			t.Fatalf("%d findings, want %d:\n%s", len(d.Findings), want, text)
		}
		joined := "1. TCP_LISTEN_OVERFLOW  2 drops and 7 more counted by the kernel, 0.9/s\n"
		if strings.Contains(text, joined) != (want == 1) {
			t.Errorf("%q in\n%s", joined, text)
		}
	}
}

// TestCookieWithoutRoom: that a SYN cookie leads to no socket is a full accept queue, and no service
// that is not there.
func TestCookieWithoutRoom(t *testing.T) {
	e := udp("NO_SOCKET", 40001)
	e.Where.Symbol, e.Where.Lookup = "cookie_v4_check", event.Found
	e.Packet.Flow.Transport, e.Packet.Flow.TCPFlags = event.TCP, event.ACK
	e.Packet.Flow.Fields |= event.FieldTCPFlags
	d := diagnose.New(collect(t, e), report("TcpExtListenOverflows", 1), nil)
	f := &d.Findings[0]
	if len(d.Findings) != 1 || f.Meaning.Severity != knowledge.Harm || len(f.Counters) != 1 ||
		!strings.Contains(f.Meaning.Cause, "accept queue") {
		t.Errorf("got %s", textOf(t, d))
	}
}
