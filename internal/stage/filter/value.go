package filter

import (
	"slices"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// values tells whether a drop has a field, and whether is holds of one of its
// values.
type values[T any] func(e *event.Event, h *event.Headers, is func(T) bool) (has, found bool)

// one is a field of at most one value.
func one[T any](get func(*event.Event) (T, bool)) values[T] {
	return func(e *event.Event, _ *event.Headers, is func(T) bool) (bool, bool) {
		v, ok := get(e)
		return ok, ok && is(v)
	}
}

// text is an attribute that is not there if it is empty.
func text(get func(*event.Event) string) values[string] {
	return func(e *event.Event, _ *event.Headers, is func(string) bool) (bool, bool) {
		v := get(e)
		return v != "", v != "" && is(v)
	}
}

// number32 is an attribute that is not there if it is 0.
func number32(get func(*event.Event) uint32) values[uint64] {
	return one(func(e *event.Event) (uint64, bool) {
		n := get(e)
		return uint64(n), n != 0
	})
}

// nameOf is the name of what has a number, and is there also without a name.
func nameOf(number values[uint64], get func(*event.Event) string) values[string] {
	name := text(get)
	return func(e *event.Event, h *event.Headers, is func(string) bool) (bool, bool) {
		there, _ := number(e, h, func(uint64) bool { return true })
		has, found := name(e, h, is)
		return there || has, found
	}
}

// ofSocket is a number of a socket, which is there also if that is 0, not known.
func ofSocket(get func(*event.Socket) uint64) values[uint64] {
	return func(e *event.Event, _ *event.Headers, is func(uint64) bool) (has, found bool) {
		s := e.Owner.Socket
		return s != nil, s != nil && is(get(s))
	}
}

// header is a field of the headers.
func header[T any](f event.Fields, get func(*event.Headers) T) values[T] {
	return func(_ *event.Event, h *event.Headers, is func(T) bool) (bool, bool) {
		if !h.Has(f) {
			return false, false
		}
		return true, is(get(h))
	}
}

// number is a field of the headers that is an integer.
func number[T uint8 | uint16 | uint32 | event.TCPFlags](f event.Fields, get func(*event.Headers) T) values[uint64] {
	return header(f, func(h *event.Headers) uint64 { return uint64(get(h)) })
}

// either is a field that has the values of both.
func either[T any](a, b values[T]) values[T] {
	return func(e *event.Event, h *event.Headers, is func(T) bool) (bool, bool) {
		has, found := a(e, h, is)
		hasToo, foundToo := b(e, h, is)
		return has || hasToo, found || foundToo
	}
}

// of is a field that only packets with a header of that layer have.
func of[T any](l event.Layer, get values[T]) values[T] {
	return func(e *event.Event, h *event.Headers, is func(T) bool) (bool, bool) {
		if h.Network != l && h.Transport != l {
			return false, false
		}
		return get(e, h, is)
	}
}

// test makes the test of a leaf.
func test[T any](l *leaf, get values[T], is func(T) bool) func(*event.Event, *event.Headers) bool {
	if l.op == exists {
		is = func(T) bool { return true }
		return func(e *event.Event, h *event.Headers) bool {
			has, _ := get(e, h, is)
			return has
		}
	}
	negative := l.op.negative()
	return func(e *event.Event, h *event.Headers) bool {
		has, found := get(e, h, is)
		return has && found != negative
	}
}

// frames are the functions of the stack.
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

// ethertype is that of what the packet carries: the kernel's, or that of the
// headers if the kernel gave none, or a VLAN tag's.
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

func isTag(t uint16) bool { return slices.Contains(condition.Tags[:], t) }

// length is that of the packet, or of what there is of it.
func length(e *event.Event) (uint64, bool) {
	p := &e.Packet
	if p.HasLen {
		return uint64(p.Len), true
	}
	return uint64(len(p.Data)), p.HasData
}
