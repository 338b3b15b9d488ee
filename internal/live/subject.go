package live

import (
	"slices"

	"dropwatch/internal/event"
)

// A Subject is what a Counter counts: events of some kinds, by some keys.
type Subject struct {
	Keys   []Key                     // in the order of columns; no others have names
	kinds  []event.Kind              // others are not counted
	weight func(*event.Event) uint64 // how much an event counts
}

// Drops are counted in packets, or in what a source counts.
var Drops = &Subject{
	Keys:   []Key{Location, Reason, Interface, Owner, Netns, Protocol},
	kinds:  []event.Kind{event.Drop},
	weight: func(e *event.Event) uint64 { return e.Count },
}

// Retransmits are what TCP sends again and receives again, and the RSTs, in segments on the wire.
var Retransmits = &Subject{
	Keys:   []Key{Peer, Direction, Type, Lost, Owner, Interface, Netns, Reason, Location},
	kinds:  []event.Kind{event.Retransmit, event.Reset},
	weight: func(e *event.Event) uint64 { return max(e.Segments, e.Count) },
}

// Counts reports whether an event is counted.
func (s *Subject) Counts(e *event.Event) bool { return slices.Contains(s.kinds, e.Kind) }

// Weight returns what an event of the subject adds to counts.
func (s *Subject) Weight(e *event.Event) uint64 { return s.weight(e) }

// namesOf returns the names of a kind, from one of its events.
func (s *Subject) namesOf(k *kindKey, e *event.Event) (n Names) {
	for _, key := range s.Keys {
		if k.other {
			n[key] = Other
		} else {
			n[key] = string(appendKey[key](nil, e))
		}
	}
	return n
}

// appendKey appends the name of an event by a key. What is not known is "-"; a number stands for
// what has no name.
var appendKey = [Keys]func([]byte, *event.Event) []byte{
	Location:  appendLocation,
	Reason:    appendReason,
	Interface: func(b []byte, e *event.Event) []byte { return appendPort(b, &e.Port) },
	Owner:     func(b []byte, e *event.Event) []byte { return appendOwner(b, &e.Owner) },
	Netns:     func(b []byte, e *event.Event) []byte { return appendNetns(b, &e.Netns) },
	Protocol:  func(b []byte, e *event.Event) []byte { return appendProtocol(b, &e.Packet) },
	Peer:      appendPeer,
	Direction: appendDirection,
	Type:      appendType,
	Lost:      appendLost,
}
