package trace

import "dropwatch/internal/event"

// Lacks are the facts that a Source reports of no drop. Seldom are those that it reports, with
// [Options.Others], only of what XDP and, since Linux 7.2, queueing disciplines drop.
const (
	Lacks = event.FactPacket | event.FactLength | event.FactTrap | event.FactCookie | event.FactOwner | event.FactNamespace

	Seldom = event.FactInterface | event.FactSegments
)
