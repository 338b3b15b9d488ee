package event

import "strings"

// NotSpecified is the reason of drops for which the kernel, since Linux 5.17, has none.
const NotSpecified = "NOT_SPECIFIED"

// HasReason reports whether the kernel gave a reason for a drop that says why.
func (e *Event) HasReason() bool { return e.Reason != "" && e.Reason != NotSpecified }

// reasonFamilies are the reasons that have finer ones.
var reasonFamilies = [...]string{"QDISC_DROP", "XDP"}

// ReasonFamily returns the reason that skb:kfree_skb gives for drops of which other tracepoints
// give a finer one: QDISC_DROP for QDISC_DROP_OVERLIMIT (enum qdisc_drop_reason), XDP for
// XDP_EXCEPTION. It is empty for all other reasons, and for those two themselves.
func ReasonFamily(reason string) string {
	for _, family := range reasonFamilies {
		finer, ok := strings.CutPrefix(reason, family)
		if ok && len(finer) > 1 && finer[0] == '_' {
			return family
		}
	}
	return ""
}
