package top

import (
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/live"
)

// A view is what the screen shows: by which keys, and in which words.
type view struct {
	subject *live.Subject
	group   live.Group // that the rows begin with
	command string     // of the first line
	noun    string     // of what is counted: one
	events  string     // of what the screen waits for: several
	rate    string     // the title of the first column
	replay  string     // the command that shows a recording so, without its name

	// status returns what a ledger says of the filter of the command line.
	status func(*event.Ledger) Status
	// has returns how much a ledger has of what is shown.
	has func(*event.Ledger) uint64
}

// views are all of them.
var views = [...]*view{&drops, &retransmits, &points}

// drops, retransmits and points are the views of the three kinds of events.
var drops = view{
	subject: live.Drops, group: live.GroupOf(live.Location, live.Reason, live.Interface, live.Owner),
	command: "dropwatch top", noun: "drop", events: "drops", rate: "DROPS/S", replay: "dropwatch top",
	status: func(l *event.Ledger) Status { return Status{Rejected: l.Rejected, Undecided: l.Undecided} },
	has:    func(l *event.Ledger) uint64 { return l.Shown },
}

var retransmits = view{
	subject: live.Retransmits, group: live.GroupOf(live.Peer, live.Direction, live.Type, live.Lost, live.Owner),
	command: "dropwatch top --retrans", noun: "segment", events: "retransmissions or resets",
	rate: "SEGS/S", replay: "dropwatch top --retrans",
	status: func(l *event.Ledger) Status { return Status{Rejected: l.TCP.Rejected} },
	has:    func(l *event.Ledger) uint64 { return l.TCP.Retransmits + l.TCP.Resets },
}

var points = view{
	subject: live.Points, group: live.GroupOf(live.Location, live.Reason, live.Interface, live.Owner),
	command: "dropwatch top --point", noun: "point event", events: "point events", rate: "EVENTS/S", replay: "dropwatch top --point all",
	status: func(l *event.Ledger) Status { return Status{Rejected: l.Points.Rejected} },
	has:    func(l *event.Ledger) uint64 { return l.Points.Shown },
}

// explain returns what is known of the cause of an event: of a drop, which may be that of a
// segment that is sent again, or of what was lost elsewhere.
func explain(e *event.Event) (knowledge.Explanation, bool) {
	if drop, ok := e.Dropped(); ok {
		return knowledge.Of(&drop)
	}
	s := e.Segment
	if e.Kind != event.Retransmit || s.Direction == event.Incoming || e.Packet.Flow == nil {
		return knowledge.Explanation{}, false
	}
	return knowledge.Resent(e, s.Type == event.SYNRetransmit || s.Type == event.SYNACKRetransmit, false), true
}

// checkPeer returns commands about the peer of an event of TCP; none for another event.
func checkPeer(e *event.Event) []string {
	if e.Segment == nil || e.Packet.Flow == nil {
		return nil
	}
	to := e.Clone()
	if f := to.Packet.Flow; e.Segment.Direction == event.Incoming {
		f.Src, f.Dst = f.Dst, f.Src
	}
	return knowledge.Resent(&to, false, false).Check
}

// checks returns the commands of an explanation, and that for the connection of a segment that this
// host dropped.
func checks(x *knowledge.Explanation, e *event.Event) []string {
	peer := checkPeer(e)
	if _, ok := e.Dropped(); !ok || len(peer) == 0 {
		return x.Check
	}
	return append(slices.Clip(x.Check), peer[0])
}

// dropsOf returns the drops among events, and those behind what TCP did, that were where the question is about.
func (q *question) dropsOf(events []*event.Event) (found []*event.Event) {
	for _, e := range events {
		if d, ok := e.Dropped(); ok && d.Netns == q.netns && d.Port.IfName == q.ifname {
			found = append(found, &d)
		}
	}
	return found
}
