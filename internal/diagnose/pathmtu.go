package diagnose

import (
	"cmp"
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
				if lost.Netns.Inode != f.Netns.Inode {
					f.answerIn = lost.Netns
				}
			}
		}
	}
}

// joinTooBig makes one finding of packets that were too big where the source read the MTU of some
// only: it reads none of those that offloading makes of many segments.
func joinTooBig(all []Finding) []Finding {
	for i := range all {
		f := &all[i]
		whole := -1
		if f.Meaning.Case == nil && f.mayBe(knowledge.ErrorLost) {
			whole = slices.IndexFunc(all, func(o Finding) bool {
				return o.is(knowledge.TooBig) && o.Reason == f.Reason && o.Location == f.Location && o.IfName == f.IfName &&
					o.Netns.Inode == f.Netns.Inode
			})
		}
		if whole >= 0 {
			all[whole].addPart(f)
		}
	}
	return slices.DeleteFunc(all, func(f Finding) bool { return f.joined })
}

// answers returns the finding of ICMP errors "too big" that were dropped on their way to a
// sender of the packets: in the same network namespace, or else in another one, as that of the
// sender; nil if there is none.
func (f *Finding) answers(all []Finding) (answer *Finding) {
	for i := range all {
		o := &all[i]
		if !o.is(knowledge.TooBigError) || !slices.ContainsFunc(o.Flows, f.isAnsweredBy) {
			continue
		}
		if o.Netns.Inode == f.Netns.Inode {
			return o
		}
		answer = cmp.Or(answer, o)
	}
	return answer
}

// isAnsweredBy reports whether a flow of ICMP errors goes to a sender of the packets.
func (f *Finding) isAnsweredBy(answer FlowCount) bool {
	to := answer.Flow.Dst.Addr()
	return to.IsValid() && slices.ContainsFunc(f.Flows, func(c FlowCount) bool { return c.Flow.Src.Addr() == to })
}

// is reports whether the finding has the narrower meaning for which there is some evidence.
func (f *Finding) is(evidence knowledge.Evidence) bool {
	return f.Meaning.Case != nil && f.Meaning.Case.If == evidence
}
