package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// queueDrops is the counter of the drops of a queueing discipline.
const queueDrops = "qdisc.dropped"

// whyQueued is what a qdisc counts of its drops, and the evidence that it is if it counts all.
var whyQueued = map[string]knowledge.Evidence{"qdisc.flows_plimit": knowledge.FlowLimit, "qdisc.emulated_loss": knowledge.Emulated}

// findQueue narrows a finding of packets that a queueing discipline dropped: by what it counts of
// them for one cause, if that is as many, or else by its kind and limits.
func (f *Finding) findQueue(rows []counters.Row) {
	if f.IfName == "" || !slices.Contains(f.Meaning.Counters, queueDrops) {
		return
	}
	var culprit *counters.Row
	for i := range rows {
		r := &rows[i]
		if r.IfName != f.IfName || !f.isIn(r) {
			continue
		}
		if evidence, ok := whyQueued[r.ID()]; ok && r.Delta == f.Count {
			f.Meaning = f.Meaning.With(evidence, f.event())
		}
		if r.ID() != queueDrops || r.Delta == 0 {
			continue
		}
		if !r.Part { // those below others are added as all parts are
			f.Objects = append(f.Objects, *r)
		}
		if culprit == nil || narrower(r, culprit) {
			culprit = r
		}
	}
	if culprit != nil {
		f.fixQueue(culprit)
	}
}

// isClass reports whether the counter is of a class with a rate, and not of a whole discipline.
func isClass(r *counters.Row) bool { return strings.HasPrefix(r.Object, "class ") }

// narrower reports whether a says better than b why packets were dropped: a class by its rate, which
// fills the queue below it, before the discipline below, and that before the root.
func narrower(a, b *counters.Row) bool {
	switch {
	case isClass(a) != isClass(b):
		return isClass(a)
	case a.Part != b.Part:
		return a.Part
	}
	return a.Delta > b.Delta
}

// packets matches a number of packets as tc shows it, but does not accept it.
var packets = regexp.MustCompile(`\b(\d+)p\b`)

// fixQueue gives the finding the cause and the fix for the kind of the discipline that dropped.
func (f *Finding) fixQueue(r *counters.Row) {
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.Object, "class "), " ")
	row := *r
	if kind == "tbf" {
		kind = f.shaper(&row)
	}
	q, ok := f.Meaning.QueueOf(kind)
	if !ok {
		return
	}
	f.Meaning.Cause, f.Meaning.Steady, f.Meaning.Usual = q.Cause, q.Steady, nil
	check, fix := "tc -s qdisc show", q.Fix
	var apply []string
	if knowledge.IsWord(f.IfName) {
		check = "tc -s qdisc show dev " + f.IfName
		if isClass(r) {
			check = "tc -s class show dev " + f.IfName
		}
		apply = applyTo(q.Apply, &row)
	}
	if apply != nil && strings.Contains(q.Apply, "{limits}") && kind != knowledge.SmallBurst {
		fix += " Its present limits are:"
	}
	f.Meaning = f.Meaning.WithFix(f.event(), check, fix, apply...)
}

// burst matches that of tbf among its limits, in bytes.
var burst = regexp.MustCompile(`\bburst (\d+)b`)

// shaper returns the kind of a tbf that dropped, by its burst and the lengths of the packets: the kernel takes none that is
// longer (net/sched/sch_tbf.c tbf_enqueue). If all are longer, the burst among the limits is made large enough for them.
func (f *Finding) shaper(r *counters.Row) (kind string) {
	limit := burst.FindStringSubmatch(r.About)
	if limit == nil || f.lengths.most == 0 {
		return "tbf"
	}
	bytes, err := strconv.ParseUint(limit[1], 10, 32)
	switch {
	case err != nil:
		return "tbf"
	case uint64(f.lengths.most) <= bytes:
		return knowledge.FullShaper
	}
	f.Evidence = append(f.Evidence, fmt.Sprintf("packets of %v, burst %d bytes", f.lengths, bytes))
	if uint64(f.lengths.least) <= bytes {
		return "tbf"
	}
	r.About = burst.ReplaceAllString(r.About, fmt.Sprintf("burst %db", 2*f.lengths.most))
	return knowledge.SmallBurst
}

// applyTo fills in a command for what the counter is of; it is none if it needs what is not known.
func applyTo(command string, r *counters.Row) []string {
	limits := packets.ReplaceAllString(r.About, "$1")
	for hole, value := range map[string]string{"{tc}": tcOf(r), "{limits}": limits, "{ifname}": r.IfName} {
		if value == "" && strings.Contains(command, hole) {
			return nil
		}
		command = strings.ReplaceAll(command, hole, value)
	}
	if command == "" {
		return nil
	}
	return []string{command}
}

// tcOf names a discipline for tc qdisc change, or a class for tc class change: "dev eth0 root handle
// 1: tbf". It is empty for a discipline of the kernel's, which has no handle and cannot be changed.
func tcOf(r *counters.Row) string {
	words := strings.Fields(r.Object) // pfifo 2: parent 1:0, class htb 1:2 parent 1:1
	switch {
	case isClass(r) && len(words) == 5:
		return fmt.Sprintf("dev %s parent %s classid %s %s", r.IfName, words[4], words[2], words[1])
	case len(words) < 2 || words[1] == "0:" || len(words) == 4 && strings.HasPrefix(words[3], "0:"):
		return ""
	case len(words) == 4:
		return fmt.Sprintf("dev %s parent %s handle %s %s", r.IfName, words[3], words[1], words[0])
	}
	return fmt.Sprintf("dev %s root handle %s %s", r.IfName, words[1], words[0])
}

// queueText is a queueing discipline with its drops and its limits: "qdisc tbf 8001: root of eth0:
// drops +1234, rate 1Mbit burst 3000b limit 6000b".
func queueText(r *counters.Row) string {
	text := event.Escape(r.Object)
	if !isClass(r) {
		text = "qdisc " + text
	}
	if !r.Part {
		text += " root"
	}
	text += fmt.Sprintf(" of %s: drops +%d", event.Quote(r.IfName), r.Delta)
	if r.About != "" {
		text += ", " + event.Escape(r.About)
	}
	return text
}
