package counters_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
)

func protocol(name string, value uint64) counters.Counter {
	return counters.Counter{Key: counters.Key{Group: counters.Protocol, Name: name}, Value: value, Bits: 64}
}

// twoSeconds is a report of what happened in as many.
func twoSeconds(before, after []counters.Counter) *counters.Report {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return counters.NewReport(
		&counters.Snapshot{Time: begin, Counters: before},
		&counters.Snapshot{Time: begin.Add(2 * time.Second), Counters: after},
	)
}

func backlog(value uint64) counters.Counter {
	return counters.Counter{
		Key:   counters.Key{Group: counters.Softnet, Object: "cpu 3", Name: "backlog_len"},
		Value: value, Gauge: true, Limit: 1000,
	}
}

func TestMatters(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after counters.Counter
		want          bool
	}{
		{"a packet was lost", protocol("UdpNoPorts", 1), protocol("UdpNoPorts", 2), true},
		{"none was lost", protocol("UdpNoPorts", 1), protocol("UdpNoPorts", 1), false},
		{"nothing is known of it", protocol("UdpOutDatagrams", 1), protocol("UdpOutDatagrams", 2), false},
		{"a level below its limit", backlog(1), backlog(999), false},
		{"a level at its limit", backlog(1000), backlog(1000), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := twoSeconds([]counters.Counter{test.before}, []counters.Counter{test.after})
			if got := r.Rows[0].Matters(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestWriteText(t *testing.T) {
	ns := protocol("UdpRcvbufErrors", 11)
	ns.Netns = event.Netns{Inode: 7, Name: "bl\x1bue"}
	r := twoSeconds(
		[]counters.Counter{protocol("UdpNoPorts", 1), backlog(1000)},
		[]counters.Counter{protocol("UdpNoPorts", 16), backlog(900), ns},
	)
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `LOST? COUNTER                                CHANGE PER SECOND  VALUE
yes   UdpNoPorts                                +15        7.5  16
      A datagram arrived for a port on which no socket listens.
maybe cpu 3 softnet.backlog_len                -100       50.0  900 of 1000
      The packets in the backlog of a CPU, of as many as there may be.
yes   bl\x1bue: UdpRcvbufErrors                 +11        5.5  11 (new)
      A datagram found its socket's receive buffer full: the process reads too
      slowly, or not at all.
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRowsFit: a long name, and what is known of a long object, have lines of their own.
func TestRowsFit(t *testing.T) {
	queue := counters.Counter{
		Key:   counters.Key{Group: counters.Socket, Object: "tcp 127.0.0.1:8080 inode 938567", Name: "accept_queue"},
		Value: 129, Gauge: true, Limit: 129, Sparse: true,
	}
	rule := counters.Counter{
		Key:   counters.Key{Group: counters.NFTables, Object: "inet f in handle 2", Name: "drop_packets"},
		Value: 5, About: "ip saddr 198.51.100.0/24 tcp dport { 22, 80, 443 } counter drop comment of whoever made it",
	}
	table := counters.Counter{Key: counters.Key{Group: counters.Neighbour, Object: "arp", Name: "table_fulls"}, Value: 3}
	driver := total("x", 1, 64)
	driver.Group, driver.About = counters.Driver, "veth"
	var b strings.Builder
	if err := twoSeconds(nil, []counters.Counter{queue, rule, table, driver}).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `LOST? COUNTER                                CHANGE PER SECOND  VALUE
maybe tcp 127.0.0.1:8080 inode 938567 socket.accept_queue
                                               +129       64.5  129 of 129
      The connections that wait for the program to accept them, of as many as
      there may be: one more than its backlog.
yes   inet f in handle 2 nftables.drop_packets
                                                 +5        2.5  5 (new)
      ip saddr 198.51.100.0/24 tcp dport { 22, 80, 443 } counter drop comment of
      whoever made it
      An nftables rule, or the policy of a chain, dropped or rejected a packet.
yes   arp table neighbour.table_fulls            +3        1.5  3 (new)
      A neighbour could not be entered because the table, one for all network
      namespaces, is full.
-     eth0 driver.x                              +1        0.5  1 (new) (veth)
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNamespaceWithoutAName: rows of another network namespace than dropwatch's say so.
func TestNamespaceWithoutAName(t *testing.T) {
	own, other := protocol("UdpNoPorts", 1), protocol("UdpNoPorts", 2)
	own.Netns.Inode, other.Netns.Inode = 7, 8
	after := &counters.Snapshot{Own: 7, Counters: []counters.Counter{own, other}}
	var b strings.Builder
	if err := counters.NewReport(new(counters.Snapshot), after).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"yes   UdpNoPorts  ", "yes   net:[8]: UdpNoPorts  "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	r := twoSeconds(
		[]counters.Counter{protocol("UdpNoPorts", 1), backlog(1000)},
		[]counters.Counter{protocol("UdpNoPorts", 16), backlog(900)},
	)
	r.Failures = []counters.Failure{{Group: counters.Qdisc, Err: errors.New("no")}}
	var b strings.Builder
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %d lines, want 3:\n%s", len(lines), b.String())
	}
	for i, want := range []map[string]any{
		{"kind": "counter", "id": "UdpNoPorts", "change": 15.0, "rate": 7.5, "lost": "yes", "class": "local", "unit": "skbs"},
		{"kind": "counter", "object": "cpu 3", "change": -100.0, "rate": -50.0, "limit": 1000.0, "gauge": true},
		{"kind": "failure", "group": "qdisc", "error": "cannot read the qdisc counters: no"},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("line %d: %s is %v, want %v", i, key, got[key], value)
			}
		}
	}
}

// TestRises: totals that did not rise are left out, levels are not.
func TestRises(t *testing.T) {
	level := protocol("level", 3)
	level.Gauge = true
	before := &counters.Snapshot{Counters: []counters.Counter{protocol("rose", 1), protocol("same", 1), level}}
	after := &counters.Snapshot{Counters: []counters.Counter{protocol("rose", 2), protocol("same", 1), level}}
	var names []string
	for _, r := range counters.Rises(before, after).Rows {
		names = append(names, r.Name)
	}
	if want := []string{"rose", "level"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
