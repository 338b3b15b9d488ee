package flows_test

import (
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/flows"
)

// at returns a count of packets, in half as many buffers, at an interface of namespace 7.
func at(ifindex uint32, what flows.What, n uint64) flows.Count {
	name := map[uint32]string{1: "lo", 2: "eth0", 3: "eth1"}[ifindex]
	return flows.Count{Interface: flows.Interface{Netns: 7, IfIndex: ifindex}, What: what, IfName: name, Packets: n, Buffers: n / 2}
}

// drop returns a drop of so many packets on the wire, on eth0.
func drop(n uint64, change func(*event.Event)) *event.Event {
	e := event.Event{Kind: event.Drop, Count: 1, Segments: n, Reason: "NETFILTER_DROP", Netns: event.Netns{Inode: 7},
		Port: event.Port{IfIndex: 2, IfName: "eth0"}}
	e.Where.Frame = event.Frame{Lookup: event.Found, Symbol: "nf_hook_slow"}
	if change != nil {
		change(&e)
	}
	return &e
}

// TestAccounts: that no packet was lost is said only where the numbers add up.
func TestAccounts(t *testing.T) {
	received := at(2, flows.Received, 1000)
	tests := map[string]struct {
		counts  []flows.Count
		drops   []*event.Event
		skipped uint64
		blind   bool
		ledger  event.Ledger
		verdict flows.Verdict
		text    string
	}{
		"delivered": {
			counts: []flows.Count{received, at(2, flows.Delivered, 1000)}, verdict: flows.NoneLost,
			text: "of 1000 packets received on eth0, 1000 delivered: none was lost in this host",
		},
		"delivered and forwarded": {
			counts:  []flows.Count{received, at(2, flows.Delivered, 300), at(2, flows.Forwarded, 700), at(3, flows.SentOn, 700)},
			verdict: flows.NoneLost,
			text:    "of 1000 packets received on eth0, 300 delivered and 700 forwarded: none was lost in this host",
		},
		"forwarded, deliveries not known": {
			counts: []flows.Count{received, at(2, flows.Forwarded, 1000)}, blind: true, verdict: flows.NoneLost,
			text: "of 1000 packets received on eth0, 1000 forwarded: none was lost in this host",
		},
		"handed to a bridge": {
			counts: []flows.Count{received, at(3, flows.HandedUp, 1000), at(3, flows.Delivered, 1000)}, verdict: flows.NoneLost,
			text: "of 1000 packets received on eth0, 1000 delivered: none was lost in this host",
		},
		"deliveries not known": {
			counts: []flows.Count{received}, blind: true, verdict: flows.NoDropSeen,
			text: "1000 packets received on eth0; no drop seen; 1000 delivered, or lost where the kernel reports nothing: " +
				"this kernel does not say which",
		},
		"dropped": {
			counts: []flows.Count{received, at(2, flows.Delivered, 988)}, drops: []*event.Event{drop(12, nil)}, verdict: flows.Lost,
			text: "of 1000 packets received on eth0, 988 delivered; 12 dropped here: 12 at nf_hook_slow NETFILTER_DROP",
		},
		"dropped after delivery": {
			counts: []flows.Count{received, at(2, flows.Delivered, 1000)}, drops: []*event.Event{drop(12, nil)}, verdict: flows.Lost,
			text: "of 1000 packets received on eth0, 1000 delivered; 12 dropped here: 12 at nf_hook_slow NETFILTER_DROP",
		},
		"dropped, and more missing": {
			counts: []flows.Count{received, at(2, flows.Delivered, 980)}, drops: []*event.Event{drop(12, nil)}, verdict: flows.Lost,
			text: "of 1000 packets received on eth0, 980 delivered; 12 dropped here: 12 at nf_hook_slow NETFILTER_DROP; " +
				"8 not accounted for: waiting for a neighbour or a program, ",
		},
		"harmless": {
			counts:  []flows.Count{received, at(2, flows.Delivered, 1000)},
			drops:   []*event.Event{drop(1, func(e *event.Event) { e.Harmless = "connection closed" })},
			verdict: flows.NoneLost, text: "none was lost",
		},
		"waiting": {
			counts: []flows.Count{
				received, at(2, flows.Forwarded, 990), at(3, flows.SentOn, 990), at(3, flows.QueuedOn, 10), at(1, flows.QueuedOwn, 2),
			},
			verdict: flows.NoDropSeen,
			text:    "of 1000 packets received on eth0, 990 forwarded; 12 still in the queue of lo, eth1; no drop seen",
		},
		"waiting, and dropped there": {
			counts:  []flows.Count{received, at(2, flows.Forwarded, 980), at(2, flows.QueuedOn, 20)},
			drops:   []*event.Event{drop(15, func(e *event.Event) { e.Reason = "QDISC_DROP" })},
			verdict: flows.Lost,
			text: "of 1000 packets received on eth0, 980 forwarded; 5 still in the queue of eth0; " +
				"15 dropped here: 15 at nf_hook_slow QDISC_DROP",
		},
		"dropped in the queue": {
			counts:  []flows.Count{received, at(2, flows.Forwarded, 980), at(2, flows.QueuedOn, 20)},
			drops:   []*event.Event{drop(20, func(e *event.Event) { e.Reason, e.Harmless = "QDISC_DROP", "closed" })},
			verdict: flows.NoDropSeen,
			text: "of 1000 packets received on eth0, 980 forwarded; no drop seen; " +
				"20 not accounted for: waiting for a neighbour or a program, ",
		},
		"made here, and waiting": {
			counts:  []flows.Count{at(2, flows.SentOwn, 5), at(2, flows.QueuedOwn, 3)},
			verdict: flows.NoDropSeen, text: "5 packets made here and sent; 3 still in the queue of eth0; no drop seen",
		},
		"all wait": {
			counts: []flows.Count{at(2, flows.QueuedOwn, 3)}, verdict: flows.NoDropSeen, text: "3 still in the queue of eth0; no drop seen",
		},
		"missing": {
			counts: []flows.Count{received, at(2, flows.Delivered, 997)}, verdict: flows.NoDropSeen,
			text: "of 1000 packets received on eth0, 997 delivered; no drop seen; " +
				"3 not accounted for: waiting for a neighbour or a program, ",
		},
		"copied": {
			counts: []flows.Count{received, at(2, flows.Forwarded, 2000)}, verdict: flows.NoDropSeen,
			text: "of 1000 packets received on eth0, 2000 forwarded; no drop seen; 1000 more delivered or forwarded than received: " +
				"received before counting began, copies, or packets made here that passed an ifb (dropwatch help follow)",
		},
		"undecided": {
			counts: []flows.Count{received, at(2, flows.Delivered, 1000), at(3, flows.Undecided, 4)}, verdict: flows.NoDropSeen,
			text: "of 1000 packets received on eth0, 1000 delivered; no drop seen; this may not be all: " +
				"4 packets at eth1 that may be of the flows",
		},
		"not counted": {
			counts: []flows.Count{received, at(2, flows.Delivered, 1000)}, skipped: 1, ledger: event.Ledger{Undecided: 2},
			verdict: flows.NoDropSeen,
			text: "of 1000 packets received on eth0, 1000 delivered; no drop seen; this may not be all: " +
				"1 packet not counted by interface, 2 drops that may be of the flows",
		},
		"drops lost": {
			counts: []flows.Count{received, at(2, flows.Delivered, 1000)}, ledger: event.Ledger{Lost: event.Losses{event.Unread: 3}},
			verdict: flows.NoDropSeen,
			text:    "of 1000 packets received on eth0, 1000 delivered; no drop seen; this may not be all: 3 drops not seen by dropwatch",
		},
		"own": {
			counts: []flows.Count{at(2, flows.SentOwn, 5)}, verdict: flows.NoDropSeen, text: "5 packets made here and sent; no drop seen",
		},
		"returned by a driver": {counts: []flows.Count{at(2, flows.SentOwn, 0)}, verdict: flows.NothingSeen, text: "no drop seen"},
	}
	for name, tt := range tests {
		table := flows.New()
		table.Read(flows.Reading{Counts: tt.counts, Skipped: tt.skipped})
		for _, e := range tt.drops {
			table.Drop(e)
		}
		all := table.Accounts(tt.blind, &tt.ledger)
		if len(all) != 1 || all[0].Netns != 7 {
			t.Fatalf("%s: accounts %+v", name, all)
		}
		if a := &all[0]; a.Verdict() != tt.verdict || !strings.Contains(a.Text(), tt.text) {
			t.Errorf("%s: %v, %q\nwant %v, %q", name, a.Verdict(), a.Text(), tt.verdict, tt.text)
		}
	}
}

// TestUnknownNamespace: a drop of which the namespace is not known may be one of any.
func TestUnknownNamespace(t *testing.T) {
	table := flows.New()
	table.Read(flows.Reading{Counts: []flows.Count{at(2, flows.Received, 2), at(2, flows.Delivered, 2)}})
	table.Drop(drop(1, func(e *event.Event) { e.Netns = event.Netns{} }))
	all := table.Accounts(false, new(event.Ledger))
	if len(all) != 2 || all[0].Verdict() != flows.Lost || all[1].Verdict() != flows.NoDropSeen ||
		!strings.Contains(all[1].Text(), "1 drop in a namespace that is not known") {
		t.Errorf("accounts %+v", all)
	}
}

// TestGrowth: a packet that a driver returned is not counted again when it is sent.
func TestGrowth(t *testing.T) {
	table := flows.New()
	for i, step := range []struct{ sent, grown uint64 }{{5, 5}, {5, 0}, {4, 0}, {5, 0}, {7, 2}, {6, 0}, {8, 1}} {
		table.Read(flows.Reading{Counts: []flows.Count{at(2, flows.SentOwn, step.sent)}})
		var grown uint64
		for _, r := range table.Growth() {
			grown += r.Sent()
		}
		if grown != step.grown {
			t.Errorf("step %d: grown by %d, want %d", i, grown, step.grown)
		}
	}
	table.Drop(drop(3, nil))
	table.Drop(drop(2, func(e *event.Event) { e.Harmless = "closed" }))
	rows, causes := table.Growth(), table.CauseGrowth()
	if len(rows) != 1 || rows[0].Dropped != 3 || rows[0].Harmless != 2 || len(causes) != 1 || causes[0].Packets != 3 {
		t.Errorf("rows %+v, causes %+v", rows, causes)
	}
	if again := table.CauseGrowth(); len(table.Growth())+len(again) > 0 {
		t.Errorf("grown without a drop: %+v", again)
	}
}

// TestGrowthOfWaiting: how many packets wait is a level, which is shown as long as any do.
func TestGrowthOfWaiting(t *testing.T) {
	table := flows.New()
	for i, step := range []struct {
		queued uint64
		rows   int
	}{{5, 1}, {5, 1}, {2, 1}, {0, 0}, {3, 1}} {
		table.Read(flows.Reading{Counts: []flows.Count{at(2, flows.QueuedOn, step.queued)}})
		rows := table.Growth()
		if len(rows) != step.rows || step.rows > 0 && rows[0].Waiting() != step.queued {
			t.Errorf("step %d: %+v, want %d", i, rows, step.queued)
		}
	}
}

// TestManyInterfaces: memory is bounded however many interfaces come and go, and no drop is forgotten.
func TestManyInterfaces(t *testing.T) {
	const n = 10_000
	table := flows.New()
	for i := range uint32(n) {
		table.Drop(drop(1, func(e *event.Event) { e.Netns.Inode, e.Port.IfIndex = 100+i, 1+i }))
	}
	rows, causes := table.Rows(), table.Causes()
	var dropped, caused uint64
	for _, r := range rows {
		dropped += r.Dropped
	}
	for _, c := range causes {
		caused += c.Packets
	}
	if dropped != n || caused != n || len(rows) > n-1000 || rows[0].Interface != (flows.Interface{}) || rows[0].IfName != "" {
		t.Errorf("%d drops in %d rows, the first %+v; %d by %d causes", dropped, len(rows), rows[0], caused, len(causes))
	}
}
