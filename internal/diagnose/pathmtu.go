package diagnose

import (
	"slices"

	"dropwatch/internal/knowledge"
)

// findErrorsLost narrows the findings of packets that were too big, if the ICMP errors that
// answer them were dropped as well.
func findErrorsLost(all []Finding) {
	for i := range all {
		if f := &all[i]; f.is(knowledge.TooBig) && f.answers(all) != nil {
			f.Meaning = f.Meaning.With(knowledge.ErrorLost, f.event())
		}
	}
}

// nameErrorsLost gives those findings the rule that dropped the errors, once it is known.
func (d *Diagnosis) nameErrorsLost() {
	for i := range d.Findings {
		if f := &d.Findings[i]; f.is(knowledge.ErrorLost) {
			if lost := f.answers(d.Findings); lost != nil {
				f.AnswerLost = lost.Rule
			}
		}
	}
}

// answers returns the finding of ICMP errors "too big" that were dropped on their way to a
// sender of the packets, in the same network namespace; nil if there is none.
func (f *Finding) answers(all []Finding) *Finding {
	for i := range all {
		o := &all[i]
		if o.is(knowledge.TooBigError) && o.Netns.Inode == f.Netns.Inode && slices.ContainsFunc(o.Flows, f.isAnsweredBy) {
			return o
		}
	}
	return nil
}

func (f *Finding) isAnsweredBy(answer FlowCount) bool {
	to := answer.Flow.Dst.Addr()
	return to.IsValid() && slices.ContainsFunc(f.Flows, func(c FlowCount) bool { return c.Flow.Src.Addr() == to })
}

// is reports whether the finding has the narrower meaning for which there is some evidence.
func (f *Finding) is(evidence knowledge.Evidence) bool {
	return f.Meaning.Case != nil && f.Meaning.Case.If == evidence
}
