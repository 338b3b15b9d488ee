package diagnose

import (
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/nftables"
	"dropwatch/internal/point"
	"dropwatch/internal/tally"
)

// Bounds of what a Collector keeps: causes, and of each flows and owners.
const (
	maxGroups = 1024
	maxFlows  = 64
	maxOwners = 64
	maxArgs   = 16

	maxSamples = 4 // packets
)

// A Collector is a sink that counts drops by cause, interface and network namespace, and what TCP sent again.
// Its memory is bounded. The zero Collector is empty.
type Collector struct {
	Begun []point.Point // those that are watched from the begin, as far as that is possible

	// Ask is called with other points that say more of drops of a new cause, to be reported from then on as far as that
	// is possible; nil: none are. It must not block.
	Ask func([]point.Point)

	// Follow is called with a flow whose packets are to be counted where they pass, for [Diagnosis.AddFollowed]; nil: none
	// are. It must not block.
	Follow func(Flow)

	Watched []string // the points that were watched, by name, when a [Diagnosis] is made

	groups   *tally.Tally[cause, group]
	narrow   map[kind]*knowledge.Case // that the last drop reported individually had
	harmless uint64
	points   *tally.Tally[pointKey, pointValues]
	asked    []string // the points that were asked for, by name
	follows  follows
	resent   *tally.Tally[resentKey, event.Netns]
	senders  map[sender]uint64  // what they had sent when they last sent again
	sent     map[peerKey]sentTo // see AddConnections
	ledger   event.Ledger

	first, last time.Time // of the events that have a time
}

// A cause distinguishes drops that one finding is about.
type cause struct {
	entry    *knowledge.Entry // nil: nothing is known of it
	narrow   *knowledge.Case
	reason   string
	location string // function or trap, without the offset
	ifname   string
	netns    uint32 // inode
}

// A kind is what the source knows of drops that it only counted, beside others of the
// kind that it reported individually.
type kind struct {
	cause // without the narrower one
	proto uint16
}

// A group is what was seen of the drops of a cause, whose number the tally has.
type group struct {
	segments uint64
	ipv6     amount // those of IPv6
	netns    event.Netns
	rhythm   rhythm
	reported uint64 // individually, with their packets
	meaning  knowledge.Explanation
	proofs   []proof
	hook     string // see [knowledge.Hook]
	args     []argument
	lengths  lengths // of those reported individually
	through  []through
	flows    *tally.Tally[Flow, flowPackets]
	frames   *tally.Tally[Frame, uint64] // with their packets on the wire; nil: none may matter
	owners   *tally.Tally[ownerID, event.Owner]
	samples  []nftables.Packet // of different flows, if a firewall dropped them or passed them to a queue
}

// An argument is what a source read at the first drop that had it.
type argument struct {
	event.Arg
	differs bool // from that at another drop
}

// An amount is a number of drops, and of the packets on the wire that they stand for.
type amount struct{ drops, segments uint64 }

// An ownerID distinguishes owners.
type ownerID struct {
	pid    uint32
	socket uint64
	unit   string
}

// Write counts a drop.
func (c *Collector) Write(e *event.Event) error {
	if c.first.IsZero() {
		c.first = e.Time
	}
	c.last = e.Time
	switch e.Kind {
	case event.Drop:
		c.add(e)
	case event.End:
		c.ledger = *e.Ledger
	case event.Retransmit:
		c.addResent(e)
	case event.Point:
		c.addPoint(e)
	case event.Reset, event.TCPEvent, event.Finding, event.Rejected, event.Loss: // the ledger has them
	}
	return nil
}

// Flush does nothing: a Collector writes no output.
func (c *Collector) Flush() error { return nil }

// add counts a drop in its group. Fragments are not counted, as their packet is; harmless drops have no group.
func (c *Collector) add(e *event.Event) {
	switch {
	case e.Fragment:
		return
	case e.Harmless != "":
		c.harmless += e.Count
		return
	case c.groups == nil:
		c.groups = tally.New[cause, group](maxGroups, func(cause) cause { return cause{} })
	}
	x, _ := knowledge.Of(e)
	entry, isNew := c.groups.Add(c.causeOf(e, x), e.Count)
	g := &entry.Value
	if isNew {
		if entry.Key.entry == x.Entry { // and not that of all causes for which there was no room
			g.meaning, g.proofs = x, proofsOf(e, x.Entry)
			c.askFor(&x)
		}
		g.flows = tally.New[Flow, flowPackets](maxFlows, nil)
		g.owners = tally.New[ownerID, event.Owner](maxOwners, nil)
	}
	if g.netns.Name == "" { // which may be found later than the first drop
		g.netns = e.Netns
	}
	if g.hook == "" { // not each drop has a stack
		g.hook = knowledge.Hook(e)
	}
	n := amount{e.Count, max(e.Segments, e.Count)}
	g.segments += n.segments
	g.rhythm.add(e.Time, e.Count)
	if e.Packet.Proto == event.EtherIPv6 {
		g.ipv6.drops += n.drops
		g.ipv6.segments += n.segments
	}
	g.add(e)
	if g.meaning.Severity != knowledge.Noise {
		c.follow(e, e.Count)
	}
}

// causeOf returns the cause of a drop. One that was only counted has that of those of
// its kind that were reported with the evidence for it.
func (c *Collector) causeOf(e *event.Event, x knowledge.Explanation) cause {
	k := kind{cause{x.Entry, nil, e.Reason, locationOf(e), e.Port.IfName, e.Netns.Inode}, e.Packet.Proto}
	if c.narrow == nil {
		c.narrow = make(map[kind]*knowledge.Case)
	}
	switch {
	case !e.Aggregate && len(c.narrow) < maxGroups:
		c.narrow[k] = x.Case
	case e.Aggregate:
		x.Case = c.narrow[k]
	}
	k.narrow = x.Case
	return k.cause
}

// locationOf is the function or the trap of a drop; empty if neither is known.
func locationOf(e *event.Event) string {
	if symbol, _, _, ok := e.Where.Name(); ok && e.Where.Trap == "" {
		return symbol
	}
	return e.Where.Trap
}

// add counts a drop by its owner and, if it was reported individually, by its flow.
func (g *group) add(e *event.Event) {
	if !e.Aggregate {
		g.reported += e.Count
		g.addArgs(e.Args)
		g.addArgs(tunnelArgs(e))
		g.through = addThrough(g.through, throughOf(e.Reached))
		g.addFlow(e)
		g.addFrame(e)
		g.lengths.add(&e.Packet, e.Segments)
	}
	o := &e.Owner
	id := ownerID{pid: o.Process.PID, unit: o.Unit}
	if o.Socket != nil {
		id.socket = max(o.Socket.Cookie, o.Socket.Inode)
	}
	if id == (ownerID{}) {
		return
	}
	if entry, isNew := g.owners.Add(id, e.Count); isNew {
		entry.Value = *o
		if o.Socket != nil {
			socket := *o.Socket
			entry.Value.Socket = &socket
		}
	}
}

// addSample keeps the headers of a packet for the rules to be evaluated.
func (g *group) addSample(e *event.Event) {
	byRule := slices.Contains(g.meaning.Counters, nftablesDrops) || hasCase(g.meaning.Entry, knowledge.NoReader)
	if len(g.samples) == maxSamples || !byRule {
		return
	}
	if p, ok := nftables.NewPacket(e); ok {
		g.samples = append(g.samples, p)
	}
}

// addArgs keeps the values that a drop had, and whether all drops had the same. Of more than maxArgs names the later
// ones are left out.
func (g *group) addArgs(args []event.Arg) {
	for _, a := range args {
		i := slices.IndexFunc(g.args, func(known argument) bool { return known.Name == a.Name })
		switch {
		case i >= 0:
			g.args[i].differs = g.args[i].differs || g.args[i].Arg != a
		case len(g.args) < maxArgs:
			g.args = append(g.args, argument{Arg: a})
		}
	}
}
