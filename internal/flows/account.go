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
	Netns     uint32       // its inode
	Received  uint64       // from outside
	By        []string     // the names of the interfaces that received them
	Delivered uint64       // to a protocol above IP
	Forwarded uint64       // received and sent on
	Own       uint64       // made here, and sent
	Waiting   uint64       // in queueing disciplines
	WaitingAt []string     // the names of the interfaces of these
	Dropped   uint64       // without harmless drops
	Causes    []CauseCount // those of Dropped

	Blind bool // Delivered is not known

	queuedOn uint64 // of the received ones, in queueing disciplines or dropped there

	// Doubts say which packets may be missing in the numbers, in words that complete "this may not be all: ".
	Doubts []string
}

// A Verdict is what an account amounts to.
type Verdict uint8

const (
	NothingSeen Verdict = iota // no packet of the flows passed here
	NoneLost                   // each packet that was received is accounted for, and none was dropped
	Lost                       // packets were dropped here
	NoDropSeen                 // none was dropped, but not all are accounted for, or that cannot be known, as of what this host made
)

// verdicts are the words of verdicts in JSON, in the order of the constants.
var verdicts = [...]string{"nothing seen", "none lost", "lost", "no drop seen"}

// String returns the words in JSON.
func (v Verdict) String() string { return verdicts[v] }

// Accounts returns one for each namespace, by inode, and first that of drops whose namespace is not known, with a Netns
// of 0. Blind says that it is not known how many packets were delivered; ledger is that of the drops.
func (t *Table) Accounts(blind bool, ledger *event.Ledger) (all []Account) {
	for _, r := range t.Rows() {
		if n := len(all); n == 0 || all[n-1].Netns != r.Netns {
			all = append(all, Account{Netns: r.Netns, Blind: blind, Doubts: t.doubts(ledger)})
		}
		all[len(all)-1].add(&r)
	}
	for _, c := range t.Causes() {
		if i := slices.IndexFunc(all, func(a Account) bool { return a.Netns == c.Netns }); i >= 0 {
			all[i].Causes = append(all[i].Causes, c)
		}
	}
	if len(all) > 1 && all[0].Netns == 0 && all[0].Dropped > 0 {
		for i := range all[1:] {
			all[i+1].doubt(all[0].Dropped, "drop", "in a namespace that is not known")
		}
	}
	return all
}

// doubts returns those of all namespaces.
func (t *Table) doubts(l *event.Ledger) []string {
	var a Account
	a.doubt(t.skipped, "packet", "not counted by interface")
	a.doubt(l.TotalLost(), "drop", "not seen by dropwatch")
	a.doubt(l.Undecided, "drop", "that may be of the flows")
	return a.Doubts
}

// doubt adds a doubt about so many packets or drops, unless there are none.
func (a *Account) doubt(n uint64, noun, what string) {
	if n > 0 {
		a.Doubts = append(a.Doubts, event.Plural(n, noun)+" "+what)
	}
}

// add adds what an interface of the namespace counted.
func (a *Account) add(r *Row) {
	a.Received += r.Packets[Received]
	a.Delivered += r.Packets[Delivered]
	a.Forwarded += r.Packets[Forwarded]
	a.Own += r.Packets[SentOwn]
	a.Dropped += r.Dropped
	name := cmp.Or(event.Escape(r.IfName), fmt.Sprintf("interface %d", r.IfIndex))
	if r.Packets[Received] > 0 {
		a.By = append(a.By, name)
	}
	if n := r.Waiting(); n > 0 {
		a.Waiting, a.WaitingAt = a.Waiting+n, append(a.WaitingAt, name)
	}
	a.queuedOn += r.Packets[QueuedOn]
	a.doubt(r.Packets[Undecided], "packet", "at "+name+" that may be of the flows")
}

// unaccounted is how many of the received packets were neither delivered nor forwarded, among them those that were
// dropped before that, and those that wait in a queueing discipline. A negative number says that more were
// delivered and forwarded than received: they were received before counting began, were copied, as by a bridge that
// floods, multicast routing or a mirror of tc, or were made here and redirected to an ifb, which marks them as received.
func (a *Account) unaccounted() int64 { return int64(a.Received - a.Delivered - a.Forwarded) }

// HasSeen reports whether packets passed, waited or were dropped that are of the flows for certain.
func (a *Account) HasSeen() bool { return a.Received+a.Own+a.Waiting+a.Dropped > 0 }

// Verdict returns what the account amounts to. NoneLost needs numbers that add up.
func (a *Account) Verdict() Verdict {
	switch {
	case a.Dropped > 0:
		return Lost
	case !a.HasSeen() && len(a.Doubts) == 0:
		return NothingSeen
	case a.Received == 0, len(a.Doubts) > 0, a.unaccounted() != 0:
		return NoDropSeen
	}
	return NoneLost
}

// Text returns the account in a few words.
func (a *Account) Text() string {
	if a.Verdict() == NoneLost {
		return a.received() + ": none was lost in this host"
	}
	parts := []string{a.received(), a.made(), a.waiting(), a.dropped(), a.missing()}
	if len(a.Doubts) > 0 {
		parts = append(parts, "this may not be all: "+strings.Join(a.Doubts, ", "))
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// maxNamed is how many interfaces, or causes, are named.
const maxNamed = 3

// name returns some words, and how many more there are of a noun.
func name(all []string, noun string) string {
	shown := slices.Clone(all[:min(len(all), maxNamed)])
	if n := len(all) - len(shown); n > 0 {
		shown = append(shown, event.Plural(n, noun))
	}
	return strings.Join(shown, ", ")
}

// received says what became of what came in.
func (a *Account) received() string {
	var became []string
	if a.Delivered > 0 || !a.Blind && a.Forwarded == 0 {
		became = append(became, fmt.Sprintf("%d delivered", a.Delivered))
	}
	if a.Forwarded > 0 {
		became = append(became, fmt.Sprintf("%d forwarded", a.Forwarded))
	}
	packets := event.Plural(a.Received, "packet") + " received on " + name(a.By, "more interface")
	switch {
	case a.Received == 0:
		return ""
	case len(became) == 0:
		return packets
	}
	return "of " + packets + ", " + strings.Join(became, " and ")
}

// made says what this namespace sent itself.
func (a *Account) made() string {
	if a.Own == 0 {
		return ""
	}
	return event.Plural(a.Own, "packet") + " made here and sent"
}

// waiting says how many are still in queueing disciplines, of all.
func (a *Account) waiting() string {
	if a.Waiting == 0 {
		return ""
	}
	return fmt.Sprintf("%d still in the queue of %s", a.Waiting, name(a.WaitingAt, "more interface"))
}

// dropped says how many were dropped, and where.
func (a *Account) dropped() string {
	if a.Dropped == 0 {
		return "no drop seen"
	}
	var words []string
	for _, c := range a.Causes {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%d at %s %s", c.Packets, c.Location, event.Escape(c.Reason))))
	}
	return fmt.Sprintf("%d dropped here: %s", a.Dropped, name(words, "more cause"))
}

// missing says what is not accounted for, as far as the drops do not explain it.
func (a *Account) missing() string {
	n := a.unaccounted() - int64(a.Dropped) - int64(min(a.Waiting, a.queuedOn))
	switch {
	case a.unaccounted() < 0:
		return fmt.Sprintf("%d more delivered or forwarded than received: received before counting began, copies, or packets made here "+
			"that passed an ifb (dropwatch help follow)", -a.unaccounted())
	case n <= 0:
		return ""
	case a.Blind:
		return fmt.Sprintf("%d delivered, or lost where the kernel reports nothing: this kernel does not say which", n)
	}
	return fmt.Sprintf("%d not accounted for: waiting for a neighbour or a program, fragments that were joined, gone where no tracepoint "+
		"is, or lost where the kernel reports nothing (dropwatch help follow)", n)
}
