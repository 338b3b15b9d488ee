package filter

import "dropwatch/internal/event"

// A kind of fields knows what they can be compared with.
type kind interface {
	ops() []op    // the first is that of a value without an operator
	form() string // what a value is: "a number from 0 to 255"
	names() []string

	// add gives the leaf a value, or says why not.
	add(l *leaf, t token) (reason string)

	// bind makes the test of a leaf that has all its values.
	bind(l *leaf)
}

// A yesNo is a field that is there or not.
type yesNo struct {
	is func(*event.Event, *event.Headers) bool
}

func (yesNo) ops() []op               { return nil }
func (yesNo) form() string            { return "yes or no, and takes no value" }
func (yesNo) names() []string         { return nil }
func (yesNo) add(*leaf, token) string { return "" }
func (k yesNo) bind(l *leaf)          { l.test = k.is }

// A carried is whether the packet is of an ethertype.
type carried struct {
	proto uint16
	layer event.Layer
}

func (carried) ops() []op               { return nil }
func (carried) form() string            { return yesNo{}.form() }
func (carried) names() []string         { return nil }
func (carried) add(*leaf, token) string { return "" }

func (k carried) bind(l *leaf) {
	if l.scope != outermost {
		l.test = func(_ *event.Event, h *event.Headers) bool { return h.Network == k.layer }
		return
	}
	l.numbers = spans{{uint64(k.proto), uint64(k.proto)}}
	l.test = func(e *event.Event, _ *event.Headers) bool {
		t, ok := ethertype(e)
		return ok && t == uint64(k.proto)
	}
}
