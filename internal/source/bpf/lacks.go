package bpf

import "dropwatch/internal/event"

// Lacks are the facts that a Source reports of no drop. Counted are those that it reports of
// drops in an Aggregate event; FactInterface is not among them, as the name of the interface may
// not be known.
const (
	Lacks   = event.FactTrap | event.FactCookie
	Counted = event.FactReason | event.FactNamespace | event.FactProtocol | event.FactOwner | event.FactTrap | event.FactCookie
)
