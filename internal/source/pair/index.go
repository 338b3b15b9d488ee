package pair

import "dropwatch/internal/event"

// A key is what a packet and its drop have in common.
type key struct {
	pc    uint64
	at    int64  // nanoseconds since 1970
	proto uint16 // 0 if it is not known
}

// keyOf returns the key of an event. Its protocol may not be known: NET_DM reports none for a
// packet without bytes, and the trace event reports 0.
func keyOf(e *event.Event) key {
	k := key{pc: e.Where.PC, at: e.Time.UnixNano()}
	if e.Packet.HasProto {
		k.proto = e.Packet.Proto
	}
	return k
}

// Precisions of a search, as powers of 2 in nanoseconds. The two sources take the time of a
// drop from different clocks, of which one is converted. Mostly they differ by less than a
// microsecond, but by more if the conversion was interrupted or the clock is being adjusted.
const (
	fine   = iota // 65 µs
	coarse        // 134 ms
	precisions
)

// shifts are the precisions: two times match if they are less than 1<<shift nanoseconds
// apart.
var shifts = [precisions]uint{fine: 16, coarse: 27}

// An entry of an index is in one chain for each precision, with entries of about the same
// location and time, the newest first. A chain may end with numbers that are not held any
// more.
type entry[T any] struct {
	key
	matched bool
	next    [precisions]uint64
	value   T
}

// An index holds entries, numbered from 1 in the order in which they were added, and finds
// them by location and time. It grows as needed and does not shrink.
type index[T any] struct {
	ring        []entry[T]           // by number, modulo its length, a power of two
	first, last uint64               // number of the oldest entry that is held, and of the next to be added
	heads       [precisions][]uint64 // number of the newest entry of each chain, by hash
}

// firstRoom is how many entries a new index has room for.
const firstRoom = 1 << 8

func newIndex[T any]() *index[T] {
	x := &index[T]{first: 1, last: 1}
	x.resize(firstRoom)
	return x
}

// len is the number of entries that are held, matched or not.
func (x *index[T]) len() uint64 { return x.last - x.first }

// entry returns the entry of a number, which must be held.
func (x *index[T]) entry(n uint64) *entry[T] { return &x.ring[n&uint64(len(x.ring)-1)] }

// add adds an entry. Its value is an old one, whose memory the caller may reuse.
func (x *index[T]) add(k key) *entry[T] {
	if x.len() == uint64(len(x.ring)) {
		x.resize(2 * len(x.ring))
	}
	e := x.entry(x.last)
	e.key, e.matched = k, false
	x.link(x.last)
	x.last++
	return e
}

// link puts an entry at the head of its chains.
func (x *index[T]) link(n uint64) {
	e := x.entry(n)
	for p := range shifts {
		head := x.head(p, e.pc, e.at>>shifts[p])
		e.next[p], *head = *head, n
	}
}

// head returns the head of the chain for a location and a slot of time.
func (x *index[T]) head(precision int, pc uint64, slot int64) *uint64 {
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	heads := x.heads[precision]
	hash := (pc*odd1 ^ uint64(slot)) * odd2 >> 32
	return &heads[hash&uint64(len(heads)-1)]
}

// resize makes room for n entries, a power of 2, and builds the chains again.
func (x *index[T]) resize(n int) {
	old := *x
	x.ring = make([]entry[T], n)
	for p := range x.heads {
		x.heads[p] = make([]uint64, n)
	}
	for i := x.first; i < x.last; i++ {
		*x.entry(i) = *old.entry(i)
		x.link(i)
	}
}

// forget removes entries, oldest first and before a number only: those that are matched, that
// are older than a time, or that are more than max.
func (x *index[T]) forget(before uint64, older int64, max uint64) {
	for x.first < before {
		if e := x.entry(x.first); !e.matched && e.at >= older && x.len() < max {
			return
		}
		x.first++
	}
}

// maxSearched is how many entries of a chain are searched. Within 65 µs no kernel frees more
// packets at one location. Within 134 ms there may be many, while the drops of a CPU wait to
// be read, but such searches are rare.
var maxSearched = [precisions]int{fine: 256, coarse: 1 << 14}

// nearest returns the entry that is nearest in time, not matched, at the same location and
// within the precision, or nil. On the way it removes matched entries from the chains.
func (x *index[T]) nearest(precision int, k key) (best *entry[T]) {
	within := int64(1) << shifts[precision]
	slot := k.at >> shifts[precision]
	for s := slot - 1; s <= slot+1; s++ {
		link := x.head(precision, k.pc, s)
		for searched := 0; *link >= x.first && searched < maxSearched[precision]; {
			e := x.entry(*link)
			if e.matched {
				*link = e.next[precision]
				continue
			}
			if d := e.distance(k); d < within {
				best, within = e, d
			}
			link = &e.next[precision]
			searched++
		}
	}
	return best
}

// distance returns how far two keys are apart, in nanoseconds: more than any precision if they
// cannot match.
func (k *key) distance(other key) int64 {
	const far = 1 << 62
	d := k.at - other.at
	if k.pc != other.pc || k.proto != other.proto && k.proto != 0 && other.proto != 0 {
		return far
	}
	return max(d, -d)
}
