package syslog

import (
	"strconv"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A field is a name and what is known of an event. The name has small letters, digits and underscores.
type field struct{ name, value string }

// fields returns what is known of an event of a host, in the names of --json. What others chose is as they chose it.
func fields(e *event.Event, host string) []field {
	f := list{{"kind", e.Kind.String()}}
	f.text("host", host)
	switch e.Kind {
	case event.Drop, event.Retransmit, event.Reset, event.TCPEvent, event.Point:
		f.number("count", e.Count)
		f.addCause(e)
		f.addPacket(&e.Packet)
		f.addOwner(e)
	case event.Finding:
		f.addIncident(e.Incident)
		f.text("reason", e.Reason)
		f.addOwner(e)
	case event.Loss:
		f.number("count", e.Count)
		f.text("place", e.Place.Key())
	case event.End:
		f.addLedger(e.Ledger)
	case event.Rejected:
		f.number("count", e.Count)
	}
	return f
}

// A list is fields that are being collected.
type list []field

// text adds a field unless it is empty.
func (f *list) text(name, value string) {
	if value != "" {
		*f = append(*f, field{name, value})
	}
}

func (f *list) number(name string, n uint64) { f.text(name, strconv.FormatUint(n, 10)) }

// addCause adds where and why.
func (f *list) addCause(e *event.Event) {
	if symbol, _, module, ok := e.Where.Name(); ok {
		f.text("symbol", symbol)
		f.text("module", module)
	}
	f.text("trap", e.Where.Trap)
	f.text("reason", e.Reason)
	f.text("harmless", e.Harmless)
	if s := e.Segment; s != nil {
		f.text("type", s.Type.String())
		if s.Direction != event.DirectionUnknown {
			f.text("direction", s.Direction.String())
		}
	}
}

// addIncident adds what a finding is about.
func (f *list) addIncident(i *event.Incident) {
	if !i.IsDiagnosis() {
		f.text("alert", i.Alert)
		f.text("state", i.State())
		f.text("expression", i.Expression)
	}
	f.number("count", i.Events)
	f.text("of", i.Noun)
	if !i.IsDiagnosis() {
		f.number("threshold", i.Threshold)
		f.number("window_ms", uint64(i.Window.Milliseconds()))
	}
	f.text("id", i.ID)
	f.text("location", i.Location)
	f.text("severity", i.Severity)
	f.text("cause", i.Cause)
	f.text("fix", i.Fix)
	if d := i.Detail; d != nil {
		f.text("layer", d.Layer)
		f.text("module", d.Module)
		f.text("class", d.Class)
		f.text("rule", d.Rule)
		f.text("rule_confidence", d.RuleConfidence)
		f.text("check", strings.Join(d.Check, "; "))
	}
}

// addPacket adds the length and the outermost headers.
func (f *list) addPacket(p *event.Packet) {
	if p.HasLen {
		f.number("length", uint64(p.Len))
	}
	if p.Flow == nil {
		return
	}
	h := &p.Flow.Headers
	f.text("network", h.Network.String())
	f.text("transport", h.Transport.String())
	if h.Has(event.FieldSrc | event.FieldDst) {
		f.text("src", h.Src.String())
		f.text("dst", h.Dst.String())
	}
	if h.Has(event.FieldSrcPort | event.FieldDstPort) {
		f.number("src_port", uint64(h.SrcPort))
		f.number("dst_port", uint64(h.DstPort))
	}
}

// addOwner adds interface, network namespace and owner.
func (f *list) addOwner(e *event.Event) {
	f.text("ifname", e.Port.IfName)
	f.text("netns", e.Netns.Name)
	o := &e.Owner
	if o.Process.PID != 0 {
		f.number("pid", uint64(o.Process.PID))
		f.text("comm", o.Process.Comm)
	}
	f.text("unit", o.Unit)
	f.text("container", o.Container.ID)
	f.text("container_name", o.Container.Name)
	f.text("pod", o.Pod.Name)
	f.text("pod_namespace", o.Pod.Namespace)
}

// addLedger adds the sums of a run.
func (f *list) addLedger(l *event.Ledger) {
	f.number("shown", l.Shown)
	f.number("harmless", l.Harmless)
	f.number("filtered", l.Rejected)
	f.number("lost", l.TotalLost())
	f.number("total", l.Total())
}

// A severity is one of syslog (RFC 5424, section 6.2.1), which the journal has as PRIORITY.
type severity uint8

const (
	warning       severity = 4
	notice        severity = 5
	informational severity = 6
)

// severityOf returns how much an event matters: the beginning of an incident and harm more than its end and what else a
// diagnosis found, what dropwatch did not see more than a drop, and a drop more than what lost nothing.
func severityOf(e *event.Event) severity {
	if e.Harmless != "" {
		return informational
	}
	switch e.Kind {
	case event.Finding:
		if !e.Incident.Over || e.Incident.IsDiagnosis() && e.Incident.Severity == knowledge.Harm.String() {
			return warning
		}
		return notice
	case event.Loss:
		return warning
	case event.Drop:
		return notice
	case event.Retransmit, event.Reset, event.TCPEvent, event.Point, event.Rejected, event.End:
	}
	return informational
}
