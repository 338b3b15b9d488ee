package filter

import (
	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A kind of fields reads the values that they are compared with, and makes the comparison.
type kind interface {
	ops() []op       // the first is used for a value without an operator
	form() string    // what a value is: "a number from 0 to 255"
	names() []string // names of values, for help

	// add adds a value to the leaf, or returns why it is invalid.
	add(l *leaf, t token) (reason string)

	// bind sets the test of a leaf, which has all its values.
	bind(l *leaf)
}

// A noValue is the part of a kind whose fields are not compared with values.
type noValue struct{}

func (noValue) ops() []op               { return nil }
func (noValue) form() string            { return "yes or no, and takes no value" }
func (noValue) names() []string         { return nil }
func (noValue) add(*leaf, token) string { return "" }

// A yesNo is a field that is true or not.
type yesNo struct {
	noValue
	is func(*event.Event, *event.Headers) bool // headers are those of the scope: the packet itself, the one in a tunnel, or the one quoted
}

// bind makes the test. What is not true may be unknown, if the bytes are not there.
func (k yesNo) bind(l *leaf) {
	l.test = func(e *event.Event, h *event.Headers) condition.Truth {
		if k.is(e, h) {
			return condition.True
		}
		return l.absent(e)
	}
}

// A carried is the field of whether the packet is of an ethertype, which the kernel may know without its
// bytes.
type carried struct {
	noValue
	proto uint16      // as in Ethernet
	layer event.Layer // that shows it in the headers
}

// bind compares the ethertype of the outermost packet, and the network layer of others.
func (k carried) bind(l *leaf) {
	if l.scope != outermost {
		yesNo{is: func(_ *event.Event, h *event.Headers) bool { return h.Network == k.layer }}.bind(l)
		return
	}
	l.numbers = spans{{uint64(k.proto), uint64(k.proto)}}
	l.test = func(e *event.Event, _ *event.Headers) condition.Truth {
		if t, ok := ethertype(e); ok {
			return truth(t == uint64(k.proto))
		}
		return l.absent(e)
	}
}
