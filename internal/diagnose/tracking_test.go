package diagnose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// tracked makes a counter of connection tracking.
func tracked(name string, rise uint64) counters.Counter {
	return of(counters.Conntrack, "", name, rise)
}

// summary is each finding with its drops, and what remains unexplained of each counter.
func summary(d *diagnose.Diagnosis) (all []string) {
	for _, f := range slices.Concat(d.Findings, d.Noise) {
		all = append(all, fmt.Sprintf("%s %d", f.ID, f.Count))
	}
	for _, a := range d.Accounts {
		if a.Rest > 0 {
			all = append(all, fmt.Sprintf("unexplained %s %d", a.ID(), a.Rest))
		}
	}
	return all
}

// TestNoFreePort: connections of TCP that clash were given one port by NAT, and no setting of the resolver helps them.
func TestNoFreePort(t *testing.T) {
	for protocol, want := range map[event.Layer]string{event.TCP: "--random-fully", event.UDP: "single-request-reopen"} {
		drop := dropped(7, "lo", "ip_output")
		drop.Packet.Flow.Transport = protocol
		d := diagnose.New(collect(t, drop), rose(tracked("insert_failed", 7), tracked("drop", 7)), nil)
		f := &d.Findings[0]
		if !strings.Contains(f.Meaning.Fix, want) || f.ID != "conntrack.insert_failed" || f.Severity() != knowledge.Harm {
			t.Errorf("%v: %s %s", protocol, f.ID, f.Meaning.Fix)
		}
	}
}

func TestConntrackDrops(t *testing.T) {
	rule := of(counters.NFTables, "", "drop_packets", 7)
	rule.Object, rule.Hook = "inet fw pre handle 1", "PREROUTING"
	for _, test := range []struct {
		name  string
		drops []*event.Event
		rows  []counters.Counter
		want  []string
	}{
		{"table full", []*event.Event{dropped(7, "lo", "ip_rcv")}, []counters.Counter{tracked("drop", 7)}, []string{"conntrack.drop 7"}},
		{
			"clash", []*event.Event{dropped(7, "lo", "ip_output")}, []counters.Counter{tracked("insert_failed", 7), tracked("drop", 7)},
			[]string{"conntrack.insert_failed 7"},
		},
		{
			"both", []*event.Event{dropped(7, "lo", "ip_rcv"), dropped(3, "lo", "ip_local_deliver")},
			[]counters.Counter{tracked("insert_failed", 3), tracked("drop", 10)}, []string{"conntrack.drop 7", "conntrack.insert_failed 3"},
		},
		{
			"beside a rule that drops at another interface", []*event.Event{dropped(7, "lo", "ip_rcv"), dropped(900, "eth0", "ip_rcv")},
			[]counters.Counter{tracked("drop", 7)}, []string{"conntrack.drop 7", "NETFILTER_DROP 900"},
		},
		{
			"on two interfaces", []*event.Event{dropped(7, "lo", "ip_rcv"), dropped(5, "eth0", "ip_rcv")},
			[]counters.Counter{tracked("drop", 12)}, []string{"conntrack.drop 7", "conntrack.drop 5"},
		},
		{
			"a rule", []*event.Event{dropped(7, "lo", "ip_rcv")}, []counters.Counter{rule, tracked("drop", 1)},
			[]string{"conntrack.drop 1", "NETFILTER_DROP 7", "unexplained conntrack.drop 1"},
		},
		{
			"few of them", []*event.Event{dropped(70, "lo", "ip_rcv")}, []counters.Counter{tracked("drop", 7)},
			[]string{"conntrack.drop 7", "NETFILTER_DROP 70", "unexplained conntrack.drop 7"},
		},
		{
			"most of them, beside a rule", []*event.Event{dropped(60, "lo", "ip_rcv"), dropped(38, "eth0", "ip_rcv")},
			[]counters.Counter{tracked("drop", 62)},
			[]string{"conntrack.drop 62", "NETFILTER_DROP 60", "NETFILTER_DROP 38", "unexplained conntrack.drop 62"},
		},
		{
			"another hook", []*event.Event{dropped(7, "lo", "ip_forward")}, []counters.Counter{tracked("drop", 7)},
			[]string{"conntrack.drop 7", "NETFILTER_DROP 7", "unexplained conntrack.drop 7"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := diagnose.New(collect(t, test.drops...), rose(test.rows...), nil)
			if got := summary(d); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if f := d.Findings[0]; f.Reason != "" && f.ByCounter() {
				t.Errorf("%s: no drop was seen, it says", f.ID)
			}
		})
	}
}

// TestInvalidSegments: what conntrack found INVALID came to no socket because NAT did not
// translate it. That a service is not there is another cause.
func TestInvalidSegments(t *testing.T) {
	for flags, want := range map[event.TCPFlags]struct {
		invalid   uint64
		untracked bool
		rest      uint64
		fix       string
	}{
		event.ACK:             {14, true, 0, "Drop INVALID"}, // with the resets
		event.ACK | event.PSH: {7, true, 0, "Drop INVALID"},
		event.ACK | event.FIN: {6, false, 6, "No action needed if it is rare"},
		event.SYN:             {7, false, 7, "Start the service"},
		event.SYN | event.ACK: {7, false, 7, "No action needed if it is rare"},
		event.RST | event.ACK: {7, false, 7, "No action needed."},
	} {
		e := udp("NO_SOCKET", 40001)
		e.Count, e.Segments = 7, 7
		e.Packet.Flow.Transport, e.Packet.Flow.TCPFlags = event.TCP, flags
		e.Packet.Flow.Fields |= event.FieldTCPFlags
		d := diagnose.New(collect(t, e), rose(tracked("invalid", want.invalid)), nil)
		f := &slices.Concat(d.Findings, d.Noise)[0]
		if !strings.HasPrefix(f.Meaning.Fix, want.fix) {
			t.Errorf("%v: %s", flags, f.Meaning.Fix)
		}
		if got := slices.Contains(f.Meaning.Settings, "net.netfilter.nf_conntrack_tcp_be_liberal"); got != want.untracked {
			t.Errorf("%v: INVALID is %t: %s", flags, got, f.Meaning.Cause)
		}
		if got := d.Accounts[0].Rest; got != want.rest {
			t.Errorf("%v: %d unexplained, want %d", flags, got, want.rest)
		}
	}
}
