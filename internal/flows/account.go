package flows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// An Account says whether one network namespace lost packets of the flows. Numbers are of packets on the wire.
type Account struct {
	Netns     uint32
	Received  uint64   // from outside
	By        []string // the names of the interfaces that received them
	Delivered uint64   // to a protocol above IP
	Forwarded uint64
	Own       uint64 // made here, and sent
	Dropped   uint64 // without harmless drops
	Causes    []CauseCount

	// Doubts are why the numbers may not be all: in words that complete "this may not be all: ".
	Doubts []string

	blind string // why Delivered is not known; empty: it is known
}

// A Verdict is what an account amounts to.
type Verdict uint8

const (
	NothingSeen Verdict = iota // no packet of the flows passed here
	NoneLost                   // each packet that was received is accounted for, and none was dropped
	Lost                       // packets were dropped here
	NoDropSeen                 // none was dropped, but not all are accounted for, or that cannot be known, as of what this host made
)

var verdicts = [...]string{"nothing seen", "none lost", "lost", "no drop seen"}

// String returns the words in JSON.
func (v Verdict) String() string { return verdicts[v] }

// Accounts returns one for each namespace, by inode. Blind is why it is not known how many packets were delivered,
// empty if it is; ledger is that of the drops.
func (t *Table) Accounts(blind string, ledger *event.Ledger) (all []Account) {
	for _, r := range t.Rows() {
		if n := len(all); n == 0 || all[n-1].Netns != r.Netns {
			all = append(all, Account{Netns: r.Netns, blind: blind, Doubts: t.doubts(ledger)})
		}
		all[len(all)-1].add(&r)
	}
	for _, c := range t.Causes() {
		i := slices.IndexFunc(all, func(a Account) bool { return a.Netns == c.Netns })
		all[i].Causes = append(all[i].Causes, c)
	}
	return all
}

// doubts returns those of all namespaces.
func (t *Table) doubts(l *event.Ledger) (all []string) {
	if t.skipped > 0 {
		all = append(all, event.Plural(t.skipped, "packet")+" not counted by interface")
	}
	if n := l.TotalLost(); n > 0 {
		all = append(all, event.Plural(n, "drop")+" not seen by dropwatch")
	}
	if l.Undecided > 0 {
		all = append(all, event.Plural(l.Undecided, "drop")+" that may match the expression")
	}
	return all
}

// add adds what an interface of the namespace counted.
func (a *Account) add(r *Row) {
	a.Received += r.Packets[Received]
	a.Delivered += r.Packets[Delivered]
	a.Forwarded += r.Packets[Forwarded]
	a.Own += r.Packets[SentOwn]
	a.Dropped += r.Dropped
	if r.Packets[Received] > 0 {
		a.By = append(a.By, cmp.Or(event.Escape(r.IfName), fmt.Sprintf("interface %d", r.IfIndex)))
	}
	if n := r.Packets[Undecided]; n > 0 {
		a.Doubts = append(a.Doubts, fmt.Sprintf("%s at %s of which the headers do not say whether they match",
			event.Plural(n, "packet"), cmp.Or(event.Escape(r.IfName), fmt.Sprintf("interface %d", r.IfIndex))))
	}
}

// KnowsDelivered reports whether Delivered is known.
func (a *Account) KnowsDelivered() bool { return a.blind == "" }

// Unaccounted is how many of the received packets were neither delivered nor forwarded. Of a negative number, more
// were: they were on their way when counting began, or copied, as for multicast. Those that were dropped before
// they could be delivered are among them.
func (a *Account) Unaccounted() int64 { return int64(a.Received - a.Delivered - a.Forwarded) }

// Verdict returns what the account amounts to. NoneLost needs numbers that add up.
func (a *Account) Verdict() Verdict {
	switch {
	case a.Dropped > 0:
		return Lost
	case a.Received == 0 && a.Own == 0 && len(a.Doubts) == 0:
		return NothingSeen
	case a.Received == 0, len(a.Doubts) > 0, a.Unaccounted() != 0:
		return NoDropSeen
	}
	return NoneLost
}

// Text returns the account in a few sentences.
func (a *Account) Text() string {
	parts := []string{a.received(), a.made(), a.dropped(), a.missing()}
	if len(a.Doubts) > 0 {
		parts = append(parts, "this may not be all: "+strings.Join(a.Doubts, ", "))
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if a.Verdict() == NoneLost {
		parts = append(parts, "none was lost in this host")
	}
	return strings.Join(parts, "; ")
}

// received says what became of what came in.
func (a *Account) received() string {
	if a.Received == 0 {
		return ""
	}
	text := fmt.Sprintf("of %s received on %s, ", event.Plural(a.Received, "packet"), strings.Join(a.By, ", "))
	switch {
	case a.Forwarded == 0 && a.KnowsDelivered():
		return text + fmt.Sprintf("%d delivered", a.Delivered)
	case a.KnowsDelivered() && a.Delivered > 0:
		return text + fmt.Sprintf("%d delivered and %d forwarded", a.Delivered, a.Forwarded)
	}
	return text + fmt.Sprintf("%d forwarded", a.Forwarded)
}

// made says what this namespace sent itself.
func (a *Account) made() string {
	if a.Own == 0 {
		return ""
	}
	return event.Plural(a.Own, "packet") + " of this host's own sent"
}

// maxNamed is how many causes are named.
const maxNamed = 3

// dropped says how many were dropped, and where.
func (a *Account) dropped() string {
	if a.Dropped == 0 {
		return "no drop seen"
	}
	var words []string
	for _, c := range a.Causes[:min(len(a.Causes), maxNamed)] {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%d at %s %s", c.Packets, c.Location, event.Escape(c.Reason))))
	}
	if n := len(a.Causes) - maxNamed; n > 0 {
		words = append(words, event.Plural(n, "more cause"))
	}
	return fmt.Sprintf("%d dropped here: %s", a.Dropped, strings.Join(words, ", "))
}

// missing says what is not accounted for, as far as the drops do not explain it.
func (a *Account) missing() string {
	n := a.Unaccounted()
	switch {
	case n < 0:
		return fmt.Sprintf("%d more were delivered or forwarded than received: they were on their way when counting began, or copies", -n)
	case n <= int64(a.Dropped):
		return ""
	case a.blind != "":
		return fmt.Sprintf("%d neither forwarded nor dropped: %s", n-int64(a.Dropped), a.blind)
	}
	return fmt.Sprintf("%d not accounted for: they are in a queue, were joined as fragments, left through a path without a tracepoint "+
		"(dropwatch help follow), or were lost where the kernel reports nothing", n-int64(a.Dropped))
}
