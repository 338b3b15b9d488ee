package live

import (
	"slices"
	"strconv"

	"dropwatch/internal/event"
)

// Points are events at points: [Location] is the name of the point, and [Reason] the object there, such as a port or
// a table, by its values that name one.
var Points = &Subject{
	Keys:   Drops.Keys,
	kinds:  []event.Kind{event.Point},
	weight: func(e *event.Event) uint64 { return e.Count },
}

// naming are the values that name an object. Others, such as the length of a queue, differ from event to event.
var naming = []string{
	"port", "dev", "in", "out", "bridge", "vid", "kind", "index", "table", "chain", "rule", "handle", "hook", "major", "protocol",
}

// A pointKey has what distinguishes kinds of events at points; the zero value is of other events.
type pointKey struct{ name, object string }

// pointKeyOf makes the key of an event, with a copy of the object's text.
func pointKeyOf(e *event.Event) pointKey {
	if e.Kind != event.Point {
		return pointKey{}
	}
	return pointKey{e.Point, string(appendObject(nil, e))}
}

// appendObject appends the values that name an object, as lines show them: "table filter hook 1".
func appendObject(b []byte, e *event.Event) []byte {
	for i := range e.Args {
		a := &e.Args[i]
		if !slices.Contains(naming, a.Name) {
			continue
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, a.Name...), ' ')
		if a.Text != "" {
			b = append(b, a.Text...)
		} else {
			b = strconv.AppendUint(b, a.Number, 10)
		}
	}
	return b
}

// appendLocation appends the name of a point, or else a location.
func appendLocation(b []byte, e *event.Event) []byte {
	if e.Kind == event.Point {
		return appendName(b, e.Point)
	}
	return e.Where.AppendTo(b)
}

// appendReason appends the object of an event at a point, or else a reason.
func appendReason(b []byte, e *event.Event) []byte {
	if e.Kind == event.Point {
		return appendName(b, string(appendObject(nil, e)))
	}
	return appendName(b, e.Reason)
}
