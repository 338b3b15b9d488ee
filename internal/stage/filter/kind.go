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

// A noValue is what a kind has whose fields are compared with nothing.
type noValue struct{}

func (noValue) ops() []op               { return nil }
func (noValue) form() string            { return "yes or no, and takes no value" }
func (noValue) names() []string         { return nil }
func (noValue) add(*leaf, token) string { return "" }

// A yesNo is a field that is there or not.
type yesNo struct {
	noValue
	is func(*event.Event, *event.Headers) bool
}

func (k yesNo) bind(l *leaf) { l.test = k.is }

// A carried is whether the packet is of an ethertype, which the kernel may tell
// without its bytes.
type carried struct {
	noValue
	proto uint16
	layer event.Layer
}

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
