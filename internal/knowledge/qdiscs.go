package knowledge

import "slices"

// A Queue is what to say of a full queue by the kind of its queueing discipline, as tc has it.
type Queue struct {
	Kinds  []string // their names in tc
	Cause  string   // why it is full
	Fix    string   // in a sentence or two
	Steady string   // as that of an Entry
	Apply  string   // what tc does to it, with {tc} for the device and the discipline or class, {limits} for its present options
}

// Kinds of a [Queue] of tbf, by what its burst shows.
const (
	FullShaper = "tbf with a large burst"
	SmallBurst = "tbf with a small burst"
)

// unspecific are the entries of drops by a queueing discipline whose kind says more than they do.
var unspecific = []string{"QDISC_DROP", "QDISC_DROP_GENERIC", "QDISC_OVERLIMIT", "QDISC_DROP_OVERLIMIT"}

// fullQueues are by kind.
var fullQueues = []Queue{
	{ // which of the two it is, is not known
		Kinds: []string{"tbf"},
		Cause: "The queue of a shaper (tbf) is full: packets come faster than its rate, for longer than its limit holds. Or its burst " +
			"is less than the length of the packets: it drops each that is longer, and its backlog stays 0.",
		Fix: "If the backlog stays 0, raise its burst above the longest packet. Otherwise send less, or raise its rate, or its limit " +
			"against bursts.",
		Steady: steadyLink + " If the backlog stays 0, raise its burst above the longest packet instead.",
		Apply:  "tc qdisc change {tc} {limits}",
	},
	{
		Kinds: []string{FullShaper},
		Cause: "The queue of a shaper (tbf) is full: packets come faster than its rate, for longer than its limit holds. Its burst is " +
			"large enough for them.",
		Fix:    "Send less, or raise its rate, or its limit against bursts.",
		Steady: steadyLink,
		Apply:  "tc qdisc change {tc} {limits}",
	},
	{
		Kinds: []string{SmallBurst},
		Cause: "The burst of a shaper (tbf) is less than the length of the packets: it drops each packet that is longer, however empty " +
			"its queue is.",
		Fix:   "Raise its burst above the longest packet, with its link header:",
		Apply: "tc qdisc change {tc} {limits}",
	},
	{
		Kinds:  []string{"htb", "hfsc", "cbq"},
		Cause:  "The queue of a class of a shaper is full: packets come faster than the rate of their class.",
		Fix:    "Send less, or raise the rate or the ceiling of the class.",
		Steady: steadyLink,
		Apply:  "tc class change {tc} {limits}",
	},
	{
		Kinds:  []string{"pfifo_fast"},
		Cause:  "The queue of the interface is full: packets come faster than its link sends them. txqueuelen is its limit.",
		Fix:    "Send less, or raise txqueuelen against bursts. A longer queue adds delay, and no rate.",
		Steady: steadyLink,
		Apply:  "ip link set dev {ifname} txqueuelen N",
	},
	{
		Kinds:  []string{"pfifo", "bfifo", "pfifo_head_drop"},
		Cause:  "The queue is full: packets come faster than the link, or the shaper above, sends them.",
		Fix:    "Send less, raise the rate of a shaper above it, or raise its limit against bursts.",
		Steady: steadyLink,
		Apply:  "tc qdisc change {tc} {limits}",
	},
	{
		Kinds:  []string{"fq", "fq_codel", "codel", "sfq", "pie", "fq_pie"},
		Cause:  "The queue holds as many packets as its limit allows: they come faster than the link, or the shaper above, sends them.",
		Fix:    "Send less, or raise the rate of a shaper above it. A higher limit helps against bursts only.",
		Steady: steadyLink,
		Apply:  "tc qdisc change {tc} {limits}",
	},
	{
		Kinds: []string{"netem"},
		Cause: "netem, which emulates a network for a test, holds as many packets as its limit allows: its delay or its rate keeps them.",
		Fix:   "Remove netem when the test is over, or raise its limit: delay times the rate of packets.",
		Apply: "tc qdisc del {tc}",
	},
}

// QueueOf returns what to say of drops by a full queue of a kind; false if the explanation is of
// something else, or is narrower already, or nothing is known of the kind.
func (x *Explanation) QueueOf(kind string) (Queue, bool) {
	if x.Entry == nil || x.Case != nil || !slices.Contains(unspecific, x.Entry.Name) {
		return Queue{}, false
	}
	i := slices.IndexFunc(fullQueues, func(q Queue) bool { return slices.Contains(q.Kinds, kind) })
	if i < 0 {
		return Queue{}, false
	}
	return fullQueues[i], true
}
