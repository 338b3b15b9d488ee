package peers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// A resetKey is what resets are counted by.
type resetKey struct {
	direction event.Direction
	reason    string // of the kernel for it, or for the drop that it answers; empty if there is none
}

// countReset adds a reset.
func (s *Sink) countReset(e *event.Event) {
	direction := event.DirectionUnknown
	if e.Segment != nil {
		direction = e.Segment.Direction
	}
	s.resets.Add(resetKey{direction, e.ResetReason()}, e.Count)
}

// directionWords say what became of resets.
var directionWords = map[event.Direction]string{
	event.Outgoing: "sent", event.Incoming: "received", event.DirectionUnknown: "seen",
}

// resetLines appends how many resets there were, a line for each direction with the reasons.
func (s *Sink) resetLines() {
	for _, direction := range []event.Direction{event.Outgoing, event.Incoming, event.DirectionUnknown} {
		var all []*tally.Entry[resetKey, struct{}]
		var sum uint64
		for r := range s.resets.All {
			if r.Key.direction == direction {
				all, sum = append(all, r), sum+r.Count
			}
		}
		if sum == 0 {
			continue
		}
		slices.SortStableFunc(all, func(a, b *tally.Entry[resetKey, struct{}]) int { return cmp.Compare(b.Count, a.Count) })
		var reasons []string
		for _, r := range all {
			if r.Key.reason != "" {
				reasons = append(reasons, fmt.Sprintf("%s %d", event.Escape(r.Key.reason), r.Count))
			}
		}
		text := fmt.Sprintf("%s %s", event.Plural(sum, "reset"), directionWords[direction])
		if len(reasons) > 0 {
			text += ": " + strings.Join(reasons, ", ")
		}
		s.buf = append(append(s.buf, text...), '\n')
	}
}

// counted are the counters of the kernel that say why TCP sent again, by the names of nstat. The first causes of
// them are shown even if they are 0 where the source does not know the types.
var counted = []string{
	"TcpExtTCPFastRetrans", "TcpExtTCPTimeouts", "TcpExtTCPLossProbes", "TcpExtTCPSynRetrans", "TcpExtTCPSlowStartRetrans",
	"TcpExtTCPRetransFail", "TcpExtTCPDSACKRecv",
}

// causes is how many of counted, the first, are shown with 0, too, where the source does not name causes itself.
const causes = 4

// retransSegs counts all segments that TCP sent again.
const retransSegs = "TcpRetransSegs"

// Counters returns the names of what Options.Counted has.
func Counters() []string { return append([]string{retransSegs}, counted...) }

// counters appends a line with by how much counters rose since they had the values before.
func (s *Sink) counters(head string, rose, before map[string]uint64) {
	s.buf = fmt.Appendf(s.buf, "%sRetransSegs %d", head, rose[retransSegs]-before[retransSegs])
	for i, name := range counted {
		if n := rose[name] - before[name]; n > 0 || s.packets && i < causes {
			s.buf = fmt.Appendf(s.buf, ", %s %d", strings.TrimPrefix(name, "TcpExt"), n)
		}
	}
	s.buf = append(s.buf, '\n')
}

// ledger appends what was filtered and lost, and what the kernel counted of it.
func (s *Sink) ledger(l *event.Ledger, shown uint64) {
	if l.TCP.Rejected > 0 {
		s.buf = fmt.Appendf(s.buf, "%d filtered\n", l.TCP.Rejected)
	}
	if lost := strings.TrimSuffix(l.Report(), "\n"); lost != "" {
		s.buf = fmt.Append(s.buf, s.red, lost, s.plain, "\n")
	}
	if s.opts.Counted == nil {
		return
	}
	rose := s.opts.Counted()
	s.counters("kernel counters rose by: ", rose, nil)
	switch now := rose[retransSegs]; {
	case now > shown && s.packets:
		s.buf = fmt.Append(s.buf, "RetransSegs counts segments, and the source packets, each of one segment or several\n")
	case now > shown+l.TCP.Rejected+l.TCP.Lost:
		s.buf = fmt.Appendf(s.buf, "%s not reported: as this host could not send them, or as the run began or ended\n",
			event.Plural(now-shown-l.TCP.Rejected-l.TCP.Lost, "retransmitted segment"))
	case now < shown: // resets, and what was received again, are among what was filtered and lost
		const format = "RetransSegs rose by %d less than was reported: a network namespace has ended, or as the run began\n"
		s.buf = fmt.Appendf(s.buf, format, shown-now)
	}
}
