// Package diagnose joins what was seen of drops with what the host counted meanwhile,
// to a ranked list of findings and a verdict: which packets this host loses, why,
// whose they are, and what to do.
//
// A [Collector] is a sink for the drops of an interval; a [counters.Report] is what
// the host counted in it. [New] joins them. Each counter that rose is explained by the
// drops that raise it, or is a finding of its own, or is left unexplained: what the
// host counted never vanishes.
package diagnose

import (
	"cmp"
	"slices"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/conntrack"
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/nftables"
	"dropwatch/internal/routing"
	"dropwatch/internal/tally"
)

// A Finding is a cause for which packets were lost, or may have been.
type Finding struct {
	Rank     int    // from 1, the worst first
	ID       string // reason, function, trap, or the ID of a counter
	Meaning  knowledge.Explanation
	Steady   bool    // drops went on at the same rate, so that more room for packets does not help
	Parts    []Part  // of Count by what names them, if that is more than one reason or function: the first is ID
	Count    uint64  // drops, or by how much a counter rose that no drop explains
	Segments uint64  // packets on the wire
	Unseen   uint64  // beside Count: what a counter of the same loss counted without a drop that was seen
	Rate     float64 // by second, 0 if the interval is too short for one
	Reported uint64  // of the drops, individually with their packets: those that Flows are of
	Share    float64 // of all drops that were seen, 0 to 1; 0 for a counter

	Reason, Location, IfName string
	Netns                    event.Netns
	InNetns                  event.Process  // one in it, if it has no name; zero if none is known. See [Diagnosis.Ask]
	Namespaces               []NetnsCount   // if it is of many, Netns is the first of them: those with the most drops first
	Flows                    []FlowCount    // the largest first
	Owner                    event.Owner    // with the most of them; zero if none is known
	OwnerCount               uint64         // how many of the drops were the owner's
	Counters                 []counters.Row // that rose with the drops
	Evidence                 []string       // what the host shows that decides the cause, a phrase each, without bytes that need escaping
	Objects                  []counters.Row // that it is about: full queues and buffers, drops of one socket
	Settings                 []Setting      // that decide it, as they are now; see [Diagnosis.Ask]
	Rule                     Rule           // of a firewall; see [Diagnosis.Ask] for what no counter shows
	AnswerLost               Rule           // the same, that dropped the ICMP errors by which senders learn of the drops

	// Args are what the source read at the drops, and was the same at all: the MTU that
	// packets exceed, how large a buffer is.
	Args   []event.Arg
	Points []PointValues     // what the kernel knew where it lost them, those that were reached most often first
	Routes []routing.DeadEnd // one of which dropped them; see [Diagnosis.Ask]
	Egress string            // interface by which packets that are too big have to leave; the same
	Hop    routing.Hop       // the route of packets whose TTL expired; zero if it is not known; the same

	// Conntrack is what connection tracking knows of a packet of the first of Flows, see [Diagnosis.Ask];
	// zero if that is not known or does not matter.
	Conntrack conntrack.Entry

	Listeners []Listener // sockets that accept packets to the port of the first of Flows; see [Diagnosis.Ask]
	Sender    Sender     // of the first of Flows, if packets that no socket accepts come from this host; the same

	Queues []NFQueue    // which took none of the packets, with their readers; the same
	Frames []FrameCount // for addresses of the interface, to other MAC addresses; those of most drops first; the same
	MAC    string       // of the interface, if there are Frames

	Followed  []Followed  // what became of the packets of some of its flows; see [Diagnosis.AddFollowed]
	Resent    *Resent     // what TCP sent again, of the finding of that; nil otherwise
	SentAgain []SentAgain // what TCP sent again because of the drops, by peer

	answerIn event.Netns // where AnswerLost is, if that is another network namespace
	rhythm   rhythm      // of the drops
	lengths  lengths     // of packets
	joined   bool        // another finding has its drops

	role   string         // of the interface, as it follows its name; empty if there is nothing to say
	ipv6   amount         // those of IPv6
	shared bool           // it is about some of the sockets that share an address
	proofs []proof        // of narrower meanings
	nft    nftRule        // that dropped them
	hook   string         // of netfilter, see [knowledge.Hook]; empty if it is not known
	rules  []counters.Key // that may have dropped them

	queueRules []queueRule // that passed packets to queues

	through     []through         // points that packets of them had reached
	reached     []PointValues     // verdicts of nftables that may be those on them, see [Diagnosis.Ask]
	samples     []nftables.Packet // headers of some of them
	frames      []FrameCount      // of all of them that were reported with their packets, if their MAC addresses may matter
	byConntrack bool              // connection tracking may have dropped some of them
}

// A FlowCount is how many of the drops were of a flow.
type FlowCount struct {
	Flow  Flow
	Count uint64
	Flags string // of all its TCP segments, "[S.]" is SYN and ACK; empty if they differ, or there are none

	first conntrack.Tuple // of its first packet; zero if that is not known
}

// ByCounter reports whether a counter alone shows it: no drop was seen.
func (f *Finding) ByCounter() bool {
	return f.Resent == nil && f.Reason == "" && f.Location == "" && f.Meaning.Entry != nil && f.Meaning.Entry.Kind == knowledge.Counter
}

// event is what the finding knows of its drops: of their packets the first one of the first of Flows.
func (f *Finding) event() *event.Event {
	e := &event.Event{Port: event.Port{IfName: f.IfName}, Netns: f.Netns, Owner: f.Owner}
	if len(f.Flows) == 0 || !f.Flows[0].Flow.Dst.IsValid() {
		return e
	}
	flow, t := &f.Flows[0].Flow, &f.Flows[0].first
	h := event.Headers{Fields: event.FieldSrc | event.FieldDst, Src: flow.Src.Addr(), Dst: flow.Dst.Addr()}
	if t.Dst.Port() != 0 { // of the flow the port of a client is that of any
		h.Fields |= event.FieldSrcPort | event.FieldDstPort
		h.SrcPort, h.DstPort = t.Src.Port(), t.Dst.Port()
	}
	e.Packet.Flow = &event.Flow{Headers: h}
	return e
}

// A Diagnosis is the result.
type Diagnosis struct {
	Time     time.Time // of its end
	Interval time.Duration
	Findings []Finding // of severity maybe or harm, ranked
	Noise    []Finding // of severity noise, the most frequent first
	Accounts []Account
	States   []State
	Drops    uint64 // that were seen and lost a packet
	Harmless uint64 // that lost none
	Ledger   event.Ledger
	Failures []counters.Failure

	Recording *Recording // nil: it is of this host

	Selected bool // an expression selected the drops
	measured bool // Interval is that between two readings of the counters
	traced   bool // segments were seen that TCP sent again

	unanswered []unanswered // pings

	// Undecided are the counters that would be findings if it were known whether the expression
	// selects all of their drops.
	Undecided []Account
}

// A Recording is where a Diagnosis that is not of this host comes from. Its texts are those
// of a file: escape them before printing.
type Recording struct {
	Host, Kernel string
	Counters     bool      // it has counters, and what findings needed to know of the host
	From, Until  time.Time // when the first and the last counters were read
}

// Selects is what an expression says of the drops of a counter: True if it selects all of them,
// False if none, and Unknown if that depends on more than where they are counted.
type Selects func(*counters.Row) condition.Truth

// New joins the drops and the counters of an interval. Without counters, and if the drops are
// of more than a second more, the interval is that of the drops. If an expression selected the drops,
// selects, nil otherwise, says of which counters: others are only evidence for the drops.
func New(c *Collector, report *counters.Report, selects Selects) *Diagnosis {
	d, all := newDiagnosis(c, report, selects)
	d.rank(merge(all))
	d.linkResent(c)
	d.States = d.states(report.Rows, selects)
	return d
}

// Separate is New but for the same cause in many network namespaces, of which each has a
// finding. They ask the host for all that those of New ask, whatever selects the drops.
func Separate(c *Collector, report *counters.Report) *Diagnosis {
	d, all := newDiagnosis(c, report, nil)
	d.rank(all)
	d.linkResent(c)
	d.States = d.states(report.Rows, nil)
	return d
}

// newDiagnosis returns a Diagnosis without findings, and those.
func newDiagnosis(c *Collector, report *counters.Report, selects Selects) (*Diagnosis, []Finding) {
	d := &Diagnosis{
		Time: report.Time, Interval: report.Interval, Harmless: c.harmless, Ledger: c.ledger, Failures: report.Failures,
		Selected: selects != nil, measured: report.Interval > 0, traced: c.resent != nil,
	}
	if span := c.last.Sub(c.first); d.Interval == 0 || span > d.Interval+time.Second {
		d.Time, d.Interval, d.measured = c.last, span, false
	}
	var all []Finding
	if c.groups != nil {
		for e := range c.groups.All {
			d.Drops += e.Count
		}
		for e := range c.groups.All {
			all = append(all, d.finding(e))
		}
	}
	all = joinTooBig(all)
	prove(all, report.Rows)
	findFragments(all, report)
	findRules(all, report.Rows)
	findTracking(all, report.Rows)
	findErrorsLost(all)
	d.Accounts = account(report.Rows, all, c)
	d.keepAccounts(selects)
	d.findUnanswered(report.Rows, selects)
	all = joinParts(all)
	all = append(all, d.unseen(all)...)
	all = append(all, d.retransmitted(c, all, report.Rows)...)
	for i := range all {
		all[i].findCarrier(report.Rows)
		all[i].findSendBuffer(report)
		all[i].findQueue(report.Rows)
		all[i].findQueueRules(report.Rows)
		all[i].addObjects(report.Rows)
		all[i].findSteady(d.Interval)
		all[i].findPoints(c)
	}
	return d, all
}

// finding makes the Finding of drops.
func (d *Diagnosis) finding(e *tally.Entry[cause, group]) Finding {
	k, g := &e.Key, &e.Value
	f := Finding{
		ID: cmp.Or(k.reason, k.location, "unknown location"), Meaning: g.meaning, Count: e.Count, Segments: g.segments, ipv6: g.ipv6,
		Reason: k.reason, Location: k.location, IfName: k.ifname, Netns: g.netns, Reported: g.reported,
		Share: float64(e.Count) / float64(max(d.Drops, 1)), hook: g.hook, samples: g.samples,
		proofs: g.proofs, rhythm: g.rhythm, lengths: g.lengths, through: slices.Clone(g.through),
	}
	if f.Reason == event.NotSpecified {
		f.ID = cmp.Or(k.location, f.ID)
	}
	if k.entry != nil && k.entry.Kind == knowledge.Function {
		f.ID = k.entry.Name // without the compiler's suffix, as in ip_rcv_finish_core.isra.0
	}
	f.explainUnknown()
	f.Rate = d.rate(f.Count)
	for _, a := range g.args {
		if !a.differs {
			f.Args = append(f.Args, a.Arg)
		}
	}
	f.Flows, f.frames = g.flowCounts(), g.frameCounts()
	for owner := range g.owners.All {
		if owner.Count > f.OwnerCount {
			f.Owner, f.OwnerCount = owner.Value, owner.Count
		}
	}
	return f
}

// explainUnknown says how to learn more of drops of which nothing is known.
func (f *Finding) explainUnknown() {
	if f.Meaning.Entry != nil {
		return
	}
	what := "location"
	switch {
	case f.ID == f.Reason:
		what = "reason"
	case f.Location != "":
		what = "function"
	}
	f.Meaning.Cause = "Nothing is known of this " + what + ". dropwatch watch --stack shows its callers."
	f.Meaning.Check = []string{"dropwatch watch --stack"}
}

// rate is by second, 0 if the interval is too short for one.
func (d *Diagnosis) rate(n uint64) float64 {
	if d.Interval < shortest {
		return 0
	}
	return float64(n) / d.Interval.Seconds()
}

// rank sorts findings, the worst first, and gives them their numbers.
func (d *Diagnosis) rank(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity(), a.Severity()), cmp.Compare(b.Count+b.Unseen, a.Count+a.Unseen))
	})
	d.Findings, d.Noise = nil, nil
	for _, f := range all {
		if f.Rank = 0; f.Severity() == knowledge.Noise {
			d.Noise = append(d.Noise, f)
			continue
		}
		f.Rank = len(d.Findings) + 1
		d.Findings = append(d.Findings, f)
	}
}

// Severity is that of the explanation. What nothing is known of may matter.
func (f *Finding) Severity() knowledge.Severity { return cmp.Or(f.Meaning.Severity, knowledge.Maybe) }

// Worst is the severity of the worst finding; 0 if there is none.
func (d *Diagnosis) Worst() knowledge.Severity {
	switch {
	case len(d.Findings) > 0:
		return d.Findings[0].Severity()
	case len(d.Noise) > 0:
		return knowledge.Noise
	}
	return 0
}
