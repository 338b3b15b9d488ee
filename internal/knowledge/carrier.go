package knowledge

import "dropwatch/internal/event"

// withoutCarrier is the case of packets that could not leave, because their interface has
// no carrier: its queueing discipline is noop then, which drops all, and no neighbour answers.
var withoutCarrier = Case{
	If: NoCarrier, Class: Error,
	Cause: "Interface {ifname} has no carrier: its link or its peer is down, or no program serves it.",
	Check: []string{"ip -d link show dev {ifname}  # NO-CARRIER; its peer stands after @"},
	Fix: "Connect the cable, bring the peer up (of a veth pair, in its network namespace), or start the program that serves the " +
		"interface.",
}

// With returns the explanation of the same drops if evidence holds that no drop carries,
// as its comment says: the same one if that does not matter. Of the event the interface, the
// network namespace and the owner count.
func (x *Explanation) With(evidence Evidence, e *event.Event) Explanation {
	if x.Entry == nil {
		return *x
	}
	for i := range x.Entry.Cases {
		if c := &x.Entry.Cases[i]; c.If == evidence {
			narrow := x.Entry.withCase(c)
			narrow.Case = c
			narrow.useFamily(e)
			narrow.fill(e)
			return narrow
		}
	}
	return *x
}
