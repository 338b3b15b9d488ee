package knowledge

import (
	"cmp"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// An Explanation is what to say about one drop. Its texts have no holes left.
type Explanation struct {
	Entry    *Entry // never nil
	Case     *Case  // that applies; nil: the Entry's own texts
	Class    Class  // of the Case if it has one, else of the Entry; likewise what follows
	Severity Severity
	Cause    string
	Check    []string // shell commands, ready to run where everything in them is known
	Fix      string   // in a sentence or two
	Apply    []string // shell commands that do what Fix says, as Check
	Counters []string // kernel counters that rise with the drop; of IPv4 and IPv6 only one does
	Usual    []string // usual causes of Cause, the most likely first
	Settings []string // that decide the drop; {ifname} stands for an interface
	PartOf   []string // as that of the Entry
	Steady   string   // the same
}

// Of explains a drop by the evidence that it carries. It returns false if nothing
// is known about its reason or, where the kernel gave none, about its location. The
// event is not kept.
func Of(e *event.Event) (Explanation, bool) {
	en := Find(e)
	if en == nil {
		return Explanation{}, false
	}
	return en.Explain(e), true
}

// ByRule returns the explanation of a drop that a rule, or the policy of a chain, of a firewall made for certain. Without it a
// drop at a hook may be that of connection tracking.
func (x Explanation) ByRule() Explanation {
	if x.Case != nil && x.Case.Ruled != "" {
		x.Cause = x.Case.Ruled
	}
	return x
}

// LayerOf returns the layer at which a drop happened; AnyLayer if that is not
// known.
func LayerOf(e *event.Event) Layer {
	if en := Find(e); en != nil {
		return en.Layer
	}
	return AnyLayer
}

// Explain returns the texts for a drop that the Entry is about. With nil they are
// those of the Entry, with words in capitals for what only a drop has.
func (en *Entry) Explain(e *event.Event) Explanation {
	x := en.withCase(new(Case))
	if e != nil {
		if c := en.caseOf(e); c != nil {
			x = en.withCase(c)
			x.Case = c
			if symbol, _, _, _ := e.Where.Name(); event.FunctionOf(symbol) == "nft_do_chain" {
				x = x.ByRule()
			}
		}
		if e.Harmless != "" {
			x.Severity = Noise
		}
	}
	x.useFamily(e)
	x.fill(e)
	return x
}

// CaseExplanations returns the narrower causes of the Entry, as Explain returns them
// for drops that show which, with words in capitals for what only a drop has.
func (en *Entry) CaseExplanations() []Explanation {
	var all []Explanation
	for i := range en.Cases {
		if en.Cases[i].Cause == "" { // other commands for the same cause
			continue
		}
		x := en.withCase(&en.Cases[i])
		x.fill(nil)
		all = append(all, x)
	}
	return all
}

// DecidedBy reports whether a setting, by its name in package settings, decides the drops
// of the Entry, or those of one of its cases.
func (en *Entry) DecidedBy(setting string) bool {
	return slices.Contains(en.Settings, setting) ||
		slices.ContainsFunc(en.Cases, func(c Case) bool { return slices.Contains(c.Settings, setting) })
}

// withCase returns the texts of a case, whose unset fields are the Entry's.
func (en *Entry) withCase(c *Case) Explanation {
	x := Explanation{
		Entry: en, Class: cmp.Or(c.Class, en.Class), Severity: cmp.Or(c.Severity, en.Severity), Cause: cmp.Or(c.Cause, en.Cause),
		Check: en.Check, Fix: cmp.Or(c.Fix, en.Fix), Apply: en.Apply, Counters: en.Counters,
		Usual: en.Usual, Settings: en.Settings, PartOf: en.PartOf, Steady: en.Steady,
	}
	if c.Cause != "" || len(c.Usual) > 0 { // one of them
		x.Usual = c.Usual
	}
	if c.Settings != nil {
		x.Settings = c.Settings
	}
	if len(c.Check) > 0 {
		x.Check = c.Check
	}
	if c.Fix != "" { // the commands are those of another fix
		x.Apply, x.Steady = c.Apply, ""
	}
	if len(c.Counters) > 0 {
		x.Counters = c.Counters
	}
	if len(c.PartOf) > 0 {
		x.PartOf = c.PartOf
	}
	return x
}

// caseOf returns the first case that the evidence supports, nil if none.
func (en *Entry) caseOf(e *event.Event) *Case {
	if len(en.Cases) == 0 {
		return nil
	}
	found := evidenceOf(e)
	for i := range en.Cases {
		c := &en.Cases[i]
		if c.If&^found == 0 && (len(c.Via) == 0 || c.via(e, en)) {
			return c
		}
	}
	return nil
}

// String returns the explanation for a terminal: the cause, then "check:" and
// "fix:" where there is something to say.
func (x Explanation) String() string {
	var b strings.Builder
	b.WriteString(x.Cause)
	for i, command := range x.Check {
		label := "\n       "
		if i == 0 {
			label = "\ncheck: "
		}
		b.WriteString(label + command)
	}
	if x.Fix != "" {
		b.WriteString("\nfix:   " + x.Fix)
	}
	return b.String()
}
