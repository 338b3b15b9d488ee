package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// shortest is how long drops and counters must be watched for a rate, or for nothing to say something.
const shortest = time.Second

// Verdict says in a sentence whether the host loses packets.
func (d *Diagnosis) Verdict() string { return d.verdict("") }

// verdictLine is the verdict for a terminal. It names the worst finding, as far as that fits, as a long
// report scrolls away.
func (d *Diagnosis) verdictLine() string {
	line := func(name string) string { return "verdict: " + d.verdict(name) + "\n" }
	if len(d.Findings) > 0 {
		for _, name := range d.Findings[0].names() {
			if named := line(name); utf8.RuneCountInString(named) <= width+1 {
				return named
			}
		}
	}
	return line("")
}

// names are those of the finding, the longest first: "NO_SOCKET, interface eth0, blue".
func (f *Finding) names() (all []string) {
	id, ifname, netns := event.Escape(f.ID), "", ""
	if f.IfName != "" {
		ifname = ", interface " + event.Quote(f.IfName)
	}
	if f.Netns.Name != "" && len(f.Namespaces) == 0 {
		netns = ", " + event.Quote(f.Netns.Name)
	}
	return []string{id + ifname + netns, id + netns, id}
}

// verdict is Verdict with a name of the first finding, unless that is empty.
func (d *Diagnosis) verdict(name string) string {
	harm, all := d.count(knowledge.Harm), len(d.Findings)
	host := "this host"
	if d.Recording != nil {
		host = "host " + event.Escape(d.Recording.Host)
	}
	loses := host + " loses packets"
	if !slices.ContainsFunc(d.Findings[:harm], func(f Finding) bool { return !f.isOutside() }) {
		loses = "packets are lost outside the kernel of " + host
	}
	switch {
	case harm > 0 && harm < all:
		return loses + ": see " + numbers(1, harm, name) + "; perhaps also " + numbers(harm+1, all, "")
	case harm > 0:
		return loses + ": see " + numbers(1, harm, name)
	case all > 0 && !slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Resent == nil }):
		return "no drop that matters was seen, but TCP sends much again: see " + numbers(1, all, name)
	case all > 0:
		return "packets are dropped that may matter: see " + numbers(1, all, name)
	case d.mayLose():
		return "no drop that matters was seen, but counters rose that may be lost packets: see unexplained"
	case len(d.States) > 0:
		return cmp.Or(d.ofExpression(), host+" drops nothing that matters") + ", but not all is well: see state"
	case d.tooShort():
		return fmt.Sprintf("no drop that matters was seen, but %v is too short to say more", d.Interval.Round(time.Millisecond))
	}
	return cmp.Or(d.ofExpression(), host+" drops nothing that matters")
}

// ofExpression says that no drop of those that an expression selects matters, nothing without one.
func (d *Diagnosis) ofExpression() string {
	switch {
	case !d.Selected:
		return ""
	case d.Drops == 0:
		return "no drop matched the expression"
	}
	return "of what matched the expression, nothing matters"
}

// tooShort reports whether counters were watched, and not long enough for nothing to say something.
func (d *Diagnosis) tooShort() bool { return d.measured && d.Interval < shortest }

// isOutside reports whether the packets came not as far as the kernel, or were lost beyond it: in a
// device, or in the cloud.
func (f *Finding) isOutside() bool {
	e := f.Meaning.Entry
	return f.ByCounter() && (e.Module == "cloud" || e.Module == "nic")
}

// mayLose reports whether a counter rose that may mean lost packets of this host, and nothing
// explains it.
func (d *Diagnosis) mayLose() bool {
	return slices.ContainsFunc(d.Accounts, func(a Account) bool {
		return a.Rest > 0 && d.Remainder(&a) == Unexplained && !slices.Contains(retransmissions, a.ID())
	})
}

// count is how many findings have a severity; they are the first.
func (d *Diagnosis) count(s knowledge.Severity) (n int) {
	for i := range d.Findings {
		if d.Findings[i].Severity() == s {
			n++
		}
	}
	return n
}

// numbers are those of findings: "1", "1 and 2", "1 to 5", with a name of the first unless that is empty:
// "1 (NO_SOCKET)", "1 to 5 (1: NO_SOCKET)".
func numbers(first, last int, name string) string {
	text := strconv.Itoa(first)
	switch last - first {
	case 0:
		if name != "" {
			text += " (" + name + ")"
		}
		return text
	case 1:
		text += " and "
	default:
		text += " to "
	}
	text += strconv.Itoa(last)
	if name != "" {
		text += fmt.Sprintf(" (%d: %s)", first, name)
	}
	return text
}
