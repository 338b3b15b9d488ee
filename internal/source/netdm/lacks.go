package netdm

import "dropwatch/internal/event"

// Lacks are the facts that the drop monitor reports of no drop.
const Lacks = event.FactOwner | event.FactNamespace
