package trace

import "dropwatch/internal/event"

// Lacks are the facts that a Source reports of no drop.
const Lacks = event.FactPacket | event.FactLength | event.FactInterface | event.FactTrap | event.FactCookie | event.FactOwner |
	event.FactNamespace
