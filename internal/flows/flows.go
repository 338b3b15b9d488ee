// Package flows adds up what became of the packets of some flows, by interface and network namespace: a source
// counts them where they pass, and events report those that were dropped. Together they show whether this host
// lost any.
package flows

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/tally"
)

// A What is what became of a packet where it was counted.
type What uint8

const (
	Received  What = iota // an interface received it from outside of its stack: a driver, a veth pair, lo
	HandedUp              // an interface received it from another one, as a bridge from its port
	Delivered             // IP handed it to the protocol above
	Forwarded             // it was received by the interface, and another one sent it
	SentOwn               // sent, made in this namespace
	SentOn                // sent, received before in this namespace
	SentDown              // sent to an interface below it, which sends it, as VLAN interfaces do
	QueuedOwn             // now handed to its queue and not to its driver, unless it was dropped in between; made in this namespace
	QueuedOn              // the same, received before in this namespace
	Undecided             // the expression is neither true nor false for it
	whats                 // how many there are
)

// An Interface is one of a network namespace.
type Interface struct {
	Netns   uint32 // its inode
	IfIndex uint32
}

// A Count is how many packets were counted since counting began.
type Count struct {
	Interface
	What    What
	IfName  string // empty if it is not known
	Packets uint64 // on the wire: the segments that GRO has joined, or GSO has not split yet
	Buffers uint64 // socket buffers (struct sk_buff)
}

// A Reading is all that was counted until a moment.
type Reading struct {
	Counts  []Count
	Skipped uint64 // packets that were not counted by interface, as there was no room or the kernel skipped the program
}

// A Row is what became of the packets of one interface. Numbers are of packets on the wire.
type Row struct {
	Interface
	IfName   string
	Packets  [whats]uint64
	Buffers  [whats]uint64
	Dropped  uint64
	Harmless uint64 // drops that lost nothing

	fromQueue uint64 // of both, those that its queueing discipline dropped
}

// Received is all that the interface received.
func (r *Row) Received() uint64 { return r.Packets[Received] + r.Packets[HandedUp] }

// Sent is all that the interface was given to send.
func (r *Row) Sent() uint64 { return r.Packets[SentOwn] + r.Packets[SentOn] + r.Packets[SentDown] }

// Waiting is how many packets are in the queueing discipline of the interface now. Those of which the kernel says no more
// than that they were lost behind it are among them.
func (r *Row) Waiting() uint64 {
	queued := r.Packets[QueuedOwn] + r.Packets[QueuedOn]
	return queued - min(queued, r.fromQueue)
}

// ReceivedBuffers is all that the interface received, in socket buffers.
func (r *Row) ReceivedBuffers() uint64 { return r.Buffers[Received] + r.Buffers[HandedUp] }

// SentBuffers is what the interface was given to send, in socket buffers.
func (r *Row) SentBuffers() uint64 {
	return r.Buffers[SentOwn] + r.Buffers[SentOn] + r.Buffers[SentDown]
}

// A Cause is where and why packets of one namespace were dropped.
type Cause struct {
	Netns    uint32
	Location string // as event.Where has it for a person
	Reason   string // as the kernel names it; empty if it gave none
}

// maxCauses is how many causes are told apart, and maxRows how many interfaces: further drops are of none, in a network
// namespace that is not known. The kernel's counts are of fewer interfaces.
const (
	maxCauses = 1 << 10
	maxRows   = 1 << 13
)

// A Table adds up readings and drops. New returns one.
type Table struct {
	rows    map[Interface]*Row
	before  map[Interface]Row // what Growth returned until now
	causes  *tally.Tally[Cause, struct{}]
	told    map[Cause]uint64 // what CauseGrowth returned until now
	skipped uint64
}

// New returns an empty table.
func New() *Table {
	return &Table{
		rows: make(map[Interface]*Row), before: make(map[Interface]Row), told: make(map[Cause]uint64),
		causes: tally.New[Cause, struct{}](maxCauses, func(c Cause) Cause { return Cause{Netns: c.Netns, Location: "other locations"} }),
	}
}

// row returns that of an interface, and makes it if there is none.
func (t *Table) row(i Interface, name string) *Row {
	r := t.rows[i]
	if r == nil {
		r = &Row{Interface: i}
		t.rows[i] = r
	}
	r.IfName = cmp.Or(r.IfName, name)
	return r
}

// rowOf returns the row of a drop, that of no interface if there are too many.
func (t *Table) rowOf(e *event.Event) *Row {
	i := Interface{e.Netns.Inode, e.Port.IfIndex}
	if t.rows[i] == nil && len(t.rows) >= maxRows {
		return t.row(Interface{}, "")
	}
	return t.row(i, e.Port.IfName)
}

// Read enters a reading, which replaces the one before.
func (t *Table) Read(r Reading) {
	for _, c := range r.Counts {
		row := t.row(c.Interface, c.IfName)
		row.Packets[c.What], row.Buffers[c.What] = c.Packets, c.Buffers
	}
	t.skipped = r.Skipped
}

// Drop adds a drop.
func (t *Table) Drop(e *event.Event) {
	n := max(e.Count, e.Segments)
	r := t.rowOf(e)
	if en := knowledge.Find(e); en != nil && en.Module == "qdisc" {
		r.fromQueue += n
	}
	if e.Harmless != "" {
		r.Harmless += n
		return
	}
	r.Dropped += n
	t.causes.Add(Cause{r.Netns, string(e.Where.AppendTo(nil)), e.Reason}, n)
}

// Rows returns a row for each interface, by namespace and index.
func (t *Table) Rows() []Row {
	var all []Row
	for _, i := range slices.SortedFunc(maps.Keys(t.rows), func(a, b Interface) int {
		return cmp.Or(cmp.Compare(a.Netns, b.Netns), cmp.Compare(a.IfIndex, b.IfIndex))
	}) {
		all = append(all, *t.rows[i])
	}
	return all
}

// Growth returns the rows of which something has grown since the last call, and by how much, or at which packets wait. A
// packet that a driver returned was counted, and is counted when it is sent again: that is no growth.
func (t *Table) Growth() (all []Row) {
	for _, now := range t.Rows() {
		old := t.before[now.Interface]
		grown := now
		for to, was := range grown.numbers(&old) {
			*to -= min(*to, *was)
			*was += *to
		}
		if grown.any() || grown.Waiting() > 0 {
			all = append(all, grown)
			t.before[now.Interface] = old
		}
	}
	return all
}

// numbers yields pointers to each number of r that only grows, with that of other.
func (r *Row) numbers(other *Row) iter.Seq2[*uint64, *uint64] {
	return func(yield func(of, others *uint64) bool) {
		for what := range whats {
			if what == QueuedOwn || what == QueuedOn {
				continue
			}
			if !yield(&r.Packets[what], &other.Packets[what]) || !yield(&r.Buffers[what], &other.Buffers[what]) {
				return
			}
		}
		_ = yield(&r.Dropped, &other.Dropped) && yield(&r.Harmless, &other.Harmless)
	}
}

// any reports whether a number is not 0.
func (r *Row) any() bool {
	for n := range r.numbers(r) {
		if *n > 0 {
			return true
		}
	}
	return false
}

// A CauseCount is a cause with its number of packets.
type CauseCount struct {
	Cause
	Packets uint64
}

// Causes returns the causes of all drops that lost a packet, the most frequent first.
func (t *Table) Causes() (all []CauseCount) {
	for c := range t.causes.All {
		all = append(all, CauseCount{c.Key, c.Count})
	}
	slices.SortFunc(all, func(a, b CauseCount) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Netns, b.Netns), cmp.Compare(a.Location, b.Location),
			cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// CauseGrowth returns the causes of the drops since the last call.
func (t *Table) CauseGrowth() (all []CauseCount) {
	for _, c := range t.Causes() {
		old := t.told[c.Cause]
		t.told[c.Cause] = c.Packets
		if c.Packets -= old; c.Packets > 0 {
			all = append(all, c)
		}
	}
	return all
}
