package diagnose

import (
	"fmt"
	"regexp"
	"slices"
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
		if culprit == nil || r.Part && !culprit.Part || r.Part == culprit.Part && r.Delta > culprit.Delta {
			culprit = r
		}
	}
	if culprit != nil {
		f.fixQueue(culprit)
	}
}

// packets matches a number of packets as tc shows it, but does not accept it.
var packets = regexp.MustCompile(`\b(\d+)p\b`)

// fixQueue gives the finding the cause and the fix for the kind of the discipline that dropped.
func (f *Finding) fixQueue(r *counters.Row) {
	words := strings.Fields(r.Object) // pfifo 2: parent 1:0
	if len(words) < 2 {
		return
	}
	q, ok := f.Meaning.QueueOf(words[0])
	if !ok {
		return
	}
	f.Meaning.Cause, f.Meaning.Usual = q.Cause, nil
	var apply []string
	tc := tcOf(f.IfName, words)
	changes := strings.Contains(q.Apply, "{tc}")
	if q.Apply != "" && knowledge.IsWord(f.IfName) && (!changes || tc != "" && (r.About != "" || !strings.Contains(q.Apply, "{limits}"))) {
		limits := packets.ReplaceAllString(r.About, "$1")
		apply = []string{strings.NewReplacer("{tc}", tc, "{limits}", limits, "{ifname}", f.IfName).Replace(q.Apply)}
	}
	check := "tc -s qdisc show dev " + f.IfName
	if !knowledge.IsWord(f.IfName) {
		check = "tc -s qdisc show"
	}
	f.Meaning = f.Meaning.WithFix(f.event(), check, q.Fix, apply...)
}

// tcOf names a discipline for tc qdisc change, by the words of its object: "dev eth0 root handle 1:
// tbf". It is empty for one of the kernel's, which has no handle and cannot be changed.
func tcOf(ifname string, words []string) string {
	kind, handle, parent := words[0], words[1], "root"
	if len(words) == 4 {
		parent = "parent " + words[3]
	}
	if handle == "0:" || strings.HasPrefix(parent, "parent 0:") {
		return ""
	}
	return fmt.Sprintf("dev %s %s handle %s %s", ifname, parent, handle, kind)
}

// queueText is a queueing discipline with its drops and its limits: "qdisc tbf 8001: root of eth0:
// drops +1234, rate 1Mbit burst 3000b limit 6000b".
func queueText(r *counters.Row) string {
	text := "qdisc " + event.Escape(r.Object)
	if !r.Part {
		text += " root"
	}
	text += fmt.Sprintf(" of %s: drops +%d", event.Quote(r.IfName), r.Delta)
	if r.About != "" {
		text += ", " + event.Escape(r.About)
	}
	return text
}
