package filter

import (
	"slices"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A values function reports whether a drop has a field, and whether is returns true for one of its values.
// H are the headers of the packet to look at.
type values[T any] func(e *event.Event, h *event.Headers, is func(T) bool) (has, found bool)

// one returns the function of a field with at most one value.
func one[T any](get func(*event.Event) (T, bool)) values[T] {
	return func(e *event.Event, _ *event.Headers, is func(T) bool) (bool, bool) {
		v, ok := get(e)
		return ok, ok && is(v)
	}
}

// text returns the function of a text, which a drop does not have if it is empty.
func text(get func(*event.Event) string) values[string] {
	return func(e *event.Event, _ *event.Headers, is func(string) bool) (bool, bool) {
		v := get(e)
		return v != "", v != "" && is(v)
	}
}

// number32 returns the function of a number, which a drop does not have if it is 0.
func number32(get func(*event.Event) uint32) values[uint64] {
	return one(func(e *event.Event) (uint64, bool) {
		n := get(e)
		return uint64(n), n != 0
	})
}

// nameOf returns the function of the name of something with a number. A drop that has the number has the
// field, even if the name is not known.
func nameOf(number values[uint64], get func(*event.Event) string) values[string] {
	name := text(get)
	return func(e *event.Event, h *event.Headers, is func(string) bool) (bool, bool) {
		there, _ := number(e, h, func(uint64) bool { return true })
		has, found := name(e, h, is)
		return there || has, found
	}
}

// ofSocket returns the function of a number of the socket. A drop with a socket has it, even if it is 0.
func ofSocket(get func(*event.Socket) uint64) values[uint64] {
	return func(e *event.Event, _ *event.Headers, is func(uint64) bool) (has, found bool) {
		s := e.Owner.Socket
		return s != nil, s != nil && is(get(s))
	}
}

// header returns the function of a field of headers.
func header[T any](f event.Fields, get func(*event.Headers) T) values[T] {
	return func(_ *event.Event, h *event.Headers, is func(T) bool) (bool, bool) {
		if !h.Has(f) {
			return false, false
		}
		return true, is(get(h))
	}
}

// number returns the function of a field of headers that is an integer.
func number[T uint8 | uint16 | uint32 | event.TCPFlags](f event.Fields, get func(*event.Headers) T) values[uint64] {
	return header(f, func(h *event.Headers) uint64 { return uint64(get(h)) })
}

// either returns the function of a field with the values of both.
func either[T any](a, b values[T]) values[T] {
	return func(e *event.Event, h *event.Headers, is func(T) bool) (bool, bool) {
		has, found := a(e, h, is)
		hasToo, foundToo := b(e, h, is)
		return has || hasToo, found || foundToo
	}
}

// pair returns the function of a field with two values, such as port. If one of them was cut off and the
// other does not match, the drop does not have the field: it is not known whether it matches.
func pair[T any](a, b values[T]) values[T] {
	return func(e *event.Event, h *event.Headers, is func(T) bool) (bool, bool) {
		has, found := a(e, h, is)
		hasToo, foundToo := b(e, h, is)
		found = found || foundToo
		return found || has && hasToo, found
	}
}

// of restricts a field to packets with a header of that layer.
func of[T any](l event.Layer, get values[T]) values[T] {
	return func(e *event.Event, h *event.Headers, is func(T) bool) (bool, bool) {
		if h.Network != l && h.Transport != l {
			return false, false
		}
		return get(e, h, is)
	}
}

// test returns the test of a leaf for a field: whether is returns true for one of its values or, for
// negative operators, for none.
func test[T any](l *leaf, get values[T], is func(T) bool) func(*event.Event, *event.Headers) condition.Truth {
	negative := l.op.negative()
	if l.op == exists {
		is = func(T) bool { return true }
	}
	return func(e *event.Event, h *event.Headers) condition.Truth {
		has, found := get(e, h, is)
		switch {
		case !has:
			return l.absent(e)
		case l.op == exists:
			return condition.True
		}
		return truth(found != negative)
	}
}

// truth is for a comparison that could be made.
func truth(b bool) condition.Truth {
	if b {
		return condition.True
	}
	return condition.False
}

// frames is the values function of stack: the functions of the stack trace.
func frames(e *event.Event, _ *event.Headers, is func(string) bool) (has, found bool) {
	for i := range e.Stack {
		if f := &e.Stack[i]; f.Lookup == event.Found {
			if has = true; is(f.Symbol) {
				return true, true
			}
		}
	}
	return has, false
}

// ethertype returns the ethertype of what the packet carries: the kernel's or, if that is not known or is
// that of a VLAN tag, the one in the headers.
func ethertype(e *event.Event) (uint64, bool) {
	if p := &e.Packet; p.HasProto && p.Proto != 0 {
		if isTag(p.Proto) && p.Flow != nil && p.Flow.Has(event.FieldEtherType) {
			return uint64(p.Flow.EtherType), true
		}
		return uint64(p.Proto), true
	}
	if f := e.Packet.Flow; f != nil {
		return uint64(f.EtherType), f.Has(event.FieldEtherType)
	}
	return 0, false
}

// isTag reports whether an ethertype is that of a VLAN tag.
func isTag(t uint16) bool { return slices.Contains(condition.Tags[:], t) }

// length returns the length of the packet, or if that is not known of its bytes that were reported.
func length(e *event.Event) (uint64, bool) {
	p := &e.Packet
	if p.HasLen {
		return uint64(p.Len), true
	}
	return uint64(len(p.Data)), p.HasData
}
