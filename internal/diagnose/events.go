package diagnose

import (
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// Events returns the findings, with those of noise at the end, as events for outputs.
func (d *Diagnosis) Events() (all []event.Event) {
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		for i := range findings {
			all = append(all, d.event(&findings[i]))
		}
	}
	return all
}

// event returns a finding for outputs.
func (d *Diagnosis) event(f *Finding) event.Event {
	e := event.Event{Kind: event.Finding, Time: d.Time, Count: 1, Incident: &event.Incident{
		Over: true, Begun: d.Time.Add(-d.Interval), Lasted: d.Interval, Events: f.Count, Noun: f.noun(),
	}}
	f.Describe(&e)
	return e
}

// Describe enters in an event of kind Finding what the finding knows of its cause. Which of several sockets it is about is
// left out.
func (f *Finding) Describe(e *event.Event) {
	i := e.Incident
	i.ID, i.Location, i.Severity, i.Cause = f.ID, f.Location, f.Severity().String(), f.Meaning.Cause
	i.Fix = strings.TrimSpace(f.Meaning.Fix + " " + strings.Join(f.Meaning.Apply, "; "))
	i.Detail = f.detail()
	e.Reason, e.Port.IfName, e.Netns, e.Owner = f.Reason, f.IfName, f.Netns, f.Owner
	e.Owner.Socket = nil
}

// maxFacts is how many lines of a report an event has.
const maxFacts = 100

// detail returns what else is known, as the report has it.
func (f *Finding) detail() *event.Detail {
	p := new(paragraph)
	p.prose("amount", f.extent())
	f.appendEvidence(p)
	facts := p.facts()
	d := &event.Detail{
		Rank: uint64(f.Rank), Rule: f.Rule.Text, RuleConfidence: string(f.Rule.Confidence), Facts: facts[:min(len(facts), maxFacts)],
		Check: slices.Clone(f.Meaning.Check), Apply: slices.Clone(f.Meaning.Apply),
	}
	if e := f.Meaning.Entry; e != nil {
		d.Layer, d.Module, d.Class = e.Layer.String(), e.Module, f.Meaning.Class.String()
	}
	return d
}

// noun is what its Count is of, for [event.Plural].
func (f *Finding) noun() string {
	switch {
	case f.Resent != nil:
		return "retransmitted segment"
	case f.ByCounter() && f.Meaning.Entry.Unit == knowledge.Calls:
		return "counted failure"
	case f.ByCounter():
		return "counted packet"
	}
	return "drop"
}
