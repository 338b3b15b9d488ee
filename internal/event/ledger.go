package event

import (
	"fmt"
	"iter"
	"strings"
)

// A Place is where drops can be lost on their way from the kernel to us.
type Place uint8

const (
	AtSocket  Place = iota // our socket's receive buffer was full
	InQueue                // the kernel's queue of a CPU was full
	Unread                 // they were waiting in our socket when time was up
	Undecoded              // the kernel's message could not be decoded; it counts as one drop
	InRing                 // the trace ring of a CPU was full
	places

	// These are numbers of summaries, each of which stands for an unknown
	// number of drops: there was no room in it for further places, or in our
	// socket's receive buffer for it.
	FullSummary
	LostSummary

	// ByFilter is no loss: drops that a filter in the kernel kept from us.
	ByFilter
)

// String completes "lost N drops: n ...".
func (p Place) String() string {
	switch p {
	case AtSocket:
		return "at our socket"
	case InQueue:
		return "in the kernel's queue"
	case Unread:
		return "unread when we stopped"
	case Undecoded:
		return "in messages that could not be decoded"
	case InRing:
		return "in the kernel's ring"
	case FullSummary:
		return "beyond full summaries"
	case LostSummary:
		return "in lost summaries"
	case ByFilter:
		return "by the filter in the kernel"
	}
	return "nowhere known"
}

// placeKeys are the names of places for programs, which never change.
var placeKeys = [places]string{
	AtSocket: "socket", InQueue: "queue", Unread: "unread", Undecoded: "undecoded", InRing: "ring",
}

// Places gives the places where drops are lost, with their names for programs.
func Places() iter.Seq2[Place, string] {
	return func(yield func(Place, string) bool) {
		for p, key := range placeKeys {
			if !yield(Place(p), key) {
				return
			}
		}
	}
}

// A Ledger accounts for every drop of a run: what the kernel freed is Shown,
// Rejected, Lost, or one of the Parts of what is.
type Ledger struct {
	Shown    uint64 // packets that reached the sink
	Unseen   uint64 // those of them that only a second source saw
	Parts    uint64 // fragments of packets whose drop is counted by itself
	Rejected uint64 // packets that a stage, or a filter in the kernel, kept from it
	Lost     [places]uint64
	Full     uint64 // summaries that had no room for further places
	Missed   uint64 // summaries that were lost at our socket
}

// Add enters a loss that an event reports, or a drop that was shown or is part
// of one.
func (l *Ledger) Add(e *Event) {
	switch {
	case e.Kind == Drop && e.Part:
		l.Parts += e.Count
	case e.Kind == Drop:
		l.Shown += e.Count
		if e.Unseen {
			l.Unseen += e.Count
		}
	case e.Kind == End:
	case e.Place == FullSummary:
		l.Full += e.Count
	case e.Place == LostSummary:
		l.Missed += e.Count
	case e.Place == ByFilter:
		l.Rejected += e.Count
	default:
		l.Lost[e.Place] += e.Count
	}
}

// TotalLost is the number of all drops that were lost.
func (l *Ledger) TotalLost() (n uint64) {
	for _, lost := range l.Lost {
		n += lost
	}
	return n
}

// Total is the number of all packets that the kernel freed, as far as they can
// be counted.
func (l *Ledger) Total() uint64 { return l.Shown + l.Rejected + l.Parts + l.TotalLost() }

// Report says what is missing, a line for each thing, and nothing when nothing
// is: "lost 12 drops: 9 at our socket, 3 in the kernel's queue".
func (l *Ledger) Report() string {
	var b strings.Builder
	if total := l.TotalLost(); total > 0 {
		separator := ": "
		b.WriteString("lost " + drops(total))
		for place, lost := range l.Lost {
			if lost > 0 {
				fmt.Fprintf(&b, "%s%d %v", separator, lost, Place(place))
				separator = ", "
			}
		}
		b.WriteByte('\n')
	}
	if l.Missed > 0 {
		fmt.Fprintf(&b, "lost %s at our socket: how many drops are in them is not known\n", summaries(l.Missed))
	}
	if l.Full > 0 {
		fmt.Fprintf(&b, "no room in %s: drops at any further place in that second were counted nowhere\n", summaries(l.Full))
	}
	return b.String()
}

func drops(n uint64) string {
	if n == 1 {
		return "1 drop"
	}
	return fmt.Sprintf("%d drops", n)
}

func summaries(n uint64) string {
	if n == 1 {
		return "1 summary"
	}
	return fmt.Sprintf("%d summaries", n)
}
