package diagnose

import (
	"fmt"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
)

// appendUnexplained appends the counters whose rise no drop and no finding explains. That
// TCP had to send again is what findings lead to, and no riddle beside them.
func (d *Diagnosis) appendUnexplained(b *strings.Builder) {
	var again []string
	for i := range d.Accounts {
		a := &d.Accounts[i]
		switch rest := d.Remainder(a); {
		case a.Rest == 0:
		case rest == Retransmissions:
			again = append(again, fmt.Sprintf("%s%s +%d", a.ID(), whereOf(&a.Row, a.InNetns), a.Rest))
		case rest == Unexplained:
			where := whereOf(&a.Row, a.InNetns)
			appendRemark(b, "unexplained", fmt.Sprintf("%s%s %s: %s", a.ID(), where, a.rest(), a.Meaning.Cause))
		}
	}
	if len(again) > 0 {
		appendRemark(b, "also", "retransmissions, as lost packets cause: "+strings.Join(again, ", "))
	}
}

// maxUndecided is how many counters are named of which it is not known whether their drops match.
const maxUndecided = 2

// appendUndecided says that counters rose of which it is not known whether their drops match the
// expression, and which, if they are few.
func (d *Diagnosis) appendUndecided(b *strings.Builder) {
	n := len(d.Undecided)
	if n == 0 {
		return
	}
	text := event.Plural(uint64(n), "counter") + " of lost packets rose by more than the drops above"
	if n <= maxUndecided {
		var names []string
		for i := range d.Undecided {
			a := &d.Undecided[i]
			names = append(names, fmt.Sprintf("%s%s +%d", a.ID(), whereOf(&a.Row, a.InNetns), a.Rest))
		}
		text += ": " + strings.Join(names, ", ")
	}
	appendRemark(b, "not shown", text+". Counters do not say which packets: run without the expression to see them.")
}

// rest says by how much the counter rose, and how much of that is left.
func (a *Account) rest() string {
	if a.Rest == a.Delta {
		return fmt.Sprintf("rose by %d, which no drop shows", a.Delta)
	}
	return fmt.Sprintf("rose by %d, of which no drop shows %d", a.Delta, a.Rest)
}

// whereOf is " on eth0 in network namespace blue", as far as it is known of a counter.
func whereOf(r *counters.Row, in event.Process) (text string) {
	if r.IfName != "" {
		text = " on " + event.Quote(r.IfName)
	}
	if netns := describeNetns(r.Netns, in); netns != "" {
		text += " in " + netns
	}
	return text
}
