package event

import (
	"cmp"
	"fmt"
	"iter"
	"strings"
	"time"
)

// A Place is where drops can be lost on their way from the kernel to an output.
type Place uint8

// Places where the number of lost drops is known: it is the Count of a Loss.
const (
	AtSocket  Place = iota // the receive buffer of dropwatch's socket was full
	InQueue                // the kernel's queue of a CPU was full
	Unread                 // they were in a buffer when dropwatch stopped reading
	Undecoded              // the kernel's message could not be decoded; it counts as one drop
	InRing                 // the trace ring of a CPU was full
	InSink                 // the queue in front of an output was full

	// Places where the number of lost drops is not known: the Count of a Loss is how
	// often it happened.

	LostSummary // there was no room in the receive buffer for a summary
	FullSummary // a summary had no room for further locations
	Overflow    // the receive buffer was full, which a kernel before 4.12 does not count
	Unopened    // a CPU came online or went offline while its trace event was not open
	Uncovered   // no source was running, for the Gap of the event
	Evicted     // connections in a capture file were forgotten to bound memory, and may have had more to show
	places

	counted = LostSummary // how many places are of the first sort
)

// placeNames are the names of places in JSON, which never change, and the words
// that complete "lost N drops: n ...".
var placeNames = [places]struct{ key, words string }{
	AtSocket:    {"socket", "at dropwatch's socket"},
	InQueue:     {"queue", "in the kernel's queue"},
	Unread:      {"unread", "not read before stopping"},
	Undecoded:   {"undecoded", "in messages that could not be decoded"},
	InRing:      {"ring", "in the kernel's ring"},
	InSink:      {"sink", "that an output did not write"},
	LostSummary: {"summaries_lost", "in lost summaries"},
	FullSummary: {"summaries_full", "beyond full summaries"},
	Overflow:    {"overflows", "at dropwatch's socket, not counted by this kernel"},
	Unopened:    {"unopened_cpus", "on CPUs that came online or went offline"},
	Uncovered:   {"gaps", "while no source was running"},
	Evicted:     {"flows_evicted", "in connections that were forgotten"},
}

// String completes "lost N drops: n ...".
func (p Place) String() string {
	if p < places {
		return placeNames[p].words
	}
	return "at an unknown place"
}

// Key is the name of the place in JSON.
func (p Place) Key() string {
	if p < places {
		return placeNames[p].key
	}
	return "unknown"
}

// Counted reports whether the number of drops lost at the place is known.
func (p Place) Counted() bool { return p < counted }

// Places yields the places where the number of lost drops is known, with their keys.
func Places() iter.Seq2[Place, string] { return placesFrom(0, counted) }

// UncountedPlaces yields the places where it is not, with their keys.
func UncountedPlaces() iter.Seq2[Place, string] { return placesFrom(counted, places) }

// placesFrom yields the places from first to before end, with their keys in JSON.
func placesFrom(first, end Place) iter.Seq2[Place, string] {
	return func(yield func(Place, string) bool) {
		for p := first; p < end; p++ {
			if !yield(p, placeNames[p].key) {
				return
			}
		}
	}
}

// Losses has a number for each [Place]: of drops, or of how often it happened where
// the place is not [Place.Counted].
type Losses [places]uint64

// A Ledger accounts for every drop of a run. What the kernel freed is the sum of
// Shown, Harmless, Rejected, Undecided, Fragments and what was lost.
type Ledger struct {
	Shown     uint64        // drops that reached the sink and lost a packet
	TraceOnly uint64        // those of Shown and Harmless that only a second source reported
	Harmless  uint64        // drops that passed the filter and lost nothing, shown or not
	Rejected  uint64        // drops that a filter rejected, here or in the kernel
	Undecided uint64        // drops of which a filter could not decide
	Fragments uint64        // fragments of packets whose drop is counted individually
	Lost      Losses        // by place
	Gap       time.Duration // how long no source was running

	TCP    TCPCounts   // beside the drops, and in none of the sums
	Points PointCounts // likewise

	Findings FindingCounts // likewise
}

// FindingCounts accounts for the findings of a run, which are no drops, and which no filter rejects.
type FindingCounts struct {
	Shown uint64 // that reached the sink
	Lost  uint64 // that were lost at any place
}

// PointCounts accounts for the events of kind Point of a run, which are no drops.
type PointCounts struct {
	Shown    uint64 // that reached the sink
	Rejected uint64 // that a filter rejected or could not decide on
	Lost     uint64 // that were lost at any place
}

// TCPCounts accounts for the events of TCP of a run, which are no drops.
type TCPCounts struct {
	Retransmits uint64 // segments sent again or received again, of the retransmissions that reached the sink
	Resets      uint64 // those that reached the sink
	Others      uint64 // of kind TCPEvent, that reached the sink
	Rejected    uint64 // that a filter rejected or could not decide on; of a retransmission its segments
	Lost        uint64 // that were lost at any place; of a retransmission its segments
}

// Shown is the sum of what reached the sink.
func (c *TCPCounts) Shown() uint64 { return c.Retransmits + c.Resets + c.Others }

// add enters an event that is no drop, n times.
func (c *TCPCounts) add(k Kind, n uint64) {
	switch k {
	case Retransmit:
		c.Retransmits += n
	case Reset:
		c.Resets += n
	case TCPEvent:
		c.Others += n
	case Drop, Point, Finding, Rejected, Loss, End:
	}
}

// Add enters an event: a drop when it has passed all stages, everything else when
// it comes.
func (l *Ledger) Add(e *Event) {
	switch e.Kind {
	case Drop:
		l.addDrop(e)
	case Rejected:
		l.Reject(e)
	case Loss:
		l.addLoss(e)
	case Point:
		l.Points.Shown += e.Count
	case Finding:
		l.Findings.Shown += e.Count
	case Retransmit, Reset, TCPEvent:
		l.TCP.add(e.Kind, e.packets())
	case End: // it has the ledger
	}
}

// addLoss adds what was lost to the account that it is of: what TCP did, points and findings have one each, beside the
// drops.
func (l *Ledger) addLoss(e *Event) {
	switch {
	case e.Segment != nil:
		l.TCP.Lost += e.packets()
	case e.Point != "":
		l.Points.Lost += e.Count
	case e.Incident != nil:
		l.Findings.Lost += e.Count
	case e.Place < places:
		l.Lost[e.Place] += e.Count
	}
	l.Gap += e.Gap
}

// addDrop adds a drop that reached the output. A fragment is none: the packet that it is of is counted by itself.
func (l *Ledger) addDrop(e *Event) {
	switch {
	case e.Fragment:
		l.Fragments += e.Count
		return
	case e.Harmless != "":
		l.Harmless += e.Count
	default:
		l.Shown += e.Count
	}
	if e.TraceOnly {
		l.TraceOnly += e.Count
	}
}

// Reject enters what a filter did not pass.
func (l *Ledger) Reject(e *Event) {
	switch {
	case e.Segment != nil || e.Kind.IsTCP():
		l.TCP.Rejected += e.packets()
	case e.Point != "":
		l.Points.Rejected += e.Count
	case e.Undecided:
		l.Undecided += e.Count
	default:
		l.Rejected += e.Count
	}
}

// packets is how many packets on the wire an event of TCP stands for, as far as known.
func (e *Event) packets() uint64 { return cmp.Or(e.Segments, e.Count) }

// AddDrops adds the drops of another ledger that are shown or harmless, and what was shown beside them.
func (l *Ledger) AddDrops(of *Ledger) {
	l.Shown += of.Shown
	l.Harmless += of.Harmless
	l.TraceOnly += of.TraceOnly
	l.TCP.Retransmits += of.TCP.Retransmits
	l.TCP.Resets += of.TCP.Resets
	l.TCP.Others += of.TCP.Others
	l.Points.Shown += of.Points.Shown
	l.Findings.Shown += of.Findings.Shown
}

// TakeBack subtracts the drops of another ledger that are shown or harmless, and what was shown beside them.
func (l *Ledger) TakeBack(drops *Ledger) {
	l.Shown -= drops.Shown
	l.Harmless -= drops.Harmless
	l.TraceOnly -= drops.TraceOnly
	l.TCP.Retransmits -= drops.TCP.Retransmits
	l.TCP.Resets -= drops.TCP.Resets
	l.TCP.Others -= drops.TCP.Others
	l.Points.Shown -= drops.Points.Shown
	l.Findings.Shown -= drops.Findings.Shown
}

// Lose moves drops that no output has written from shown and harmless, as which they were
// counted, to [InSink], and what was shown beside them to what was lost of that.
func (l *Ledger) Lose(unwritten *Ledger) {
	l.TakeBack(unwritten)
	l.Lost[InSink] += unwritten.Shown + unwritten.Harmless
	l.TCP.Lost += unwritten.TCP.Shown()
	l.Points.Lost += unwritten.Points.Shown
	l.Findings.Lost += unwritten.Findings.Shown
}

// AddUnwritten adds all that another ledger says of events that no output has written: drops, what was beside
// them, and losses before it.
func (l *Ledger) AddUnwritten(of *Ledger) {
	l.AddDrops(of)
	for place, n := range of.Lost {
		l.Lost[place] += n
	}
	l.Gap += of.Gap
	l.TCP.Lost += of.TCP.Lost
	l.Points.Lost += of.Points.Lost
	l.Findings.Lost += of.Findings.Lost
}

// Losses returns the events that tell of a ledger of events that no output has written: a Loss for
// each place, at that time.
func (l *Ledger) Losses(at time.Time) (all []Event) {
	if n := l.TCP.Shown() + l.TCP.Lost; n > 0 {
		all = append(all, Event{Kind: Loss, Time: at, Place: InSink, Count: n, Segments: n, Segment: &Segment{}})
	}
	if n := l.Points.Shown + l.Points.Lost; n > 0 {
		all = append(all, Event{Kind: Loss, Time: at, Place: InSink, Count: n, Point: AnyPoint})
	}
	if n := l.Findings.Shown + l.Findings.Lost; n > 0 {
		all = append(all, Event{Kind: Loss, Time: at, Place: InSink, Count: n, Incident: &Incident{}})
	}
	lost := l.Lost
	lost[InSink] += l.Shown + l.Harmless
	for place, n := range lost {
		if n == 0 {
			continue
		}
		loss := Event{Kind: Loss, Time: at, Place: Place(place), Count: n}
		if loss.Place == Uncovered {
			loss.Gap = l.Gap
		}
		all = append(all, loss)
	}
	return all
}

// AnyPoint is Event.Point of a Loss or a Rejected of events at several points.
const AnyPoint = "any"

// Unwritten says what an output has not written: "12 drops", "12 drops and 1 TCP segment".
func (l *Ledger) Unwritten() string {
	var parts []string
	for _, part := range []struct {
		n    uint64
		noun string
	}{
		{l.Shown + l.Harmless + l.Lost[InSink], "drop"}, {l.TCP.Shown() + l.TCP.Lost, "TCP segment"},
		{l.Points.Shown + l.Points.Lost, "point event"}, {l.Findings.Shown + l.Findings.Lost, "finding"},
	} {
		if part.n > 0 {
			parts = append(parts, Plural(part.n, part.noun))
		}
	}
	if len(parts) == 0 {
		return Plural(0, "drop")
	}
	return strings.Join(parts, " and ")
}

// TotalLost is the number of drops that were lost, as far as they were counted.
func (l *Ledger) TotalLost() (n uint64) {
	for _, lost := range l.Lost[:counted] {
		n += lost
	}
	return n
}

// Total is the number of packets that the kernel freed, as far as they can be
// counted.
func (l *Ledger) Total() uint64 {
	return l.Shown + l.Harmless + l.Rejected + l.Undecided + l.Fragments + l.TotalLost()
}

// Report says what was lost, a line for each thing, and is empty if nothing was:
// "lost 12 drops: 9 at dropwatch's socket, 3 in the kernel's queue".
func (l *Ledger) Report() string {
	var b strings.Builder
	if total := l.TotalLost(); total > 0 {
		separator := ": "
		b.WriteString("lost " + Plural(total, "drop"))
		for place, lost := range l.Lost[:counted] {
			if lost > 0 {
				fmt.Fprintf(&b, "%s%d %v", separator, lost, Place(place))
				separator = ", "
			}
		}
		b.WriteByte('\n')
	}
	if l.TCP.Lost > 0 {
		fmt.Fprintf(&b, "lost %s\n", Plural(l.TCP.Lost, "TCP segment"))
	}
	if l.Points.Lost > 0 {
		fmt.Fprintf(&b, "lost %s\n", Plural(l.Points.Lost, "point event"))
	}
	if l.Findings.Lost > 0 {
		fmt.Fprintf(&b, "lost %s\n", Plural(l.Findings.Lost, "finding"))
	}
	for place := range UncountedPlaces() {
		if n := l.Lost[place]; n > 0 {
			b.WriteString(uncountedLine(place, n, l.Gap))
		}
	}
	return b.String()
}

// uncountedLine says that an unknown number of drops was lost, n times.
func uncountedLine(p Place, n uint64, gap time.Duration) string {
	switch p {
	case FullSummary:
		return fmt.Sprintf("no room in %s: drops at further locations in that second were not counted\n", Plural(n, "summary"))
	case LostSummary:
		return fmt.Sprintf("lost %s at dropwatch's socket, with an unknown number of drops\n", Plural(n, "summary"))
	case Unopened:
		return fmt.Sprintf("drops %v may not have been counted (%s)\n", p, Plural(n, "time"))
	case Evicted:
		return fmt.Sprintf("forgot %s to save memory: of what followed in them, some may be missing (raise --max-flows)\n",
			Plural(n, "connection"))
	case Uncovered:
		return fmt.Sprintf("no source was running for %v: drops in that time were not counted\n", gap.Round(time.Millisecond))
	}
	return fmt.Sprintf("lost an unknown number of drops %v (%s)\n", p, Plural(n, "time"))
}

// Plural writes a number with its noun: "1 drop", "2 summaries".
func Plural[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		noun = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
