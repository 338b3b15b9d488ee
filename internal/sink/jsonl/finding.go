package jsonl

import "dropwatch/internal/event"

// appendFinding appends the line of a finding: an object with the incident, beside what is known of its first cause.
func (s *Sink) appendFinding(b []byte, e *event.Event) []byte {
	b = s.begin(b, e.Kind.String(), e.Time)
	b = s.appendIncident(begin(b, "finding", '{'), e.Incident)
	b = appendIfAny(end(b, '}'), "reason", e.Reason)
	b = appendIfAny(b, "ifname", e.Port.IfName)
	b = appendNetns(b, &e.Netns)
	return finish(appendOwner(b, &e.Owner))
}

// appendIncident appends the members of the object.
func (s *Sink) appendIncident(b []byte, i *event.Incident) []byte {
	if !i.IsDiagnosis() {
		b = appendText(b, "alert", i.Alert)
		b = appendWord(b, "state", i.State())
		b = appendIfAny(b, "expression", i.Expression)
	}
	b = s.clock.appendTo(b, "begun", i.Begun)
	if i.Over {
		b = appendNumber(b, "lasted_ms", uint64(i.Lasted.Milliseconds()))
	}
	b = appendNumber(b, "count", i.Events)
	b = appendText(b, "of", i.Noun)
	if !i.IsDiagnosis() {
		b = appendNumber(b, "threshold", i.Threshold)
		b = appendNumber(b, "window_ms", uint64(i.Window.Milliseconds()))
	}
	b = appendNonzero(b, "unreported", i.Unreported)
	b = appendIfAny(b, "id", i.ID)
	b = appendIfAny(b, "location", i.Location)
	b = appendIfAny(b, "severity", i.Severity)
	b = appendIfAny(b, "cause", i.Cause)
	b = appendIfAny(b, "fix", i.Fix)
	if i.Detail != nil {
		b = appendDetail(b, i.Detail)
	}
	return b
}

// appendDetail appends what else is known of the cause.
func appendDetail(b []byte, d *event.Detail) []byte {
	b = appendNonzero(b, "rank", d.Rank)
	b = appendIfAny(b, "layer", d.Layer)
	b = appendIfAny(b, "module", d.Module)
	b = appendIfAny(b, "class", d.Class)
	b = appendIfAny(b, "rule", d.Rule)
	b = appendIfAny(b, "rule_confidence", d.RuleConfidence)
	b = begin(b, "facts", '[')
	for i := range d.Facts {
		b = appendText(append(b, '{'), "name", d.Facts[i].Name)
		b = end(appendText(b, "text", d.Facts[i].Text), '}')
	}
	b = appendTexts(end(b, ']'), "check", d.Check)
	return appendTexts(b, "fix_commands", d.Apply)
}

// appendTexts appends an array of texts that dropwatch did not choose.
func appendTexts(b []byte, key string, texts []string) []byte {
	b = begin(b, key, '[')
	for _, text := range texts {
		b = append(appendString(b, text), ',')
	}
	return end(b, ']')
}
