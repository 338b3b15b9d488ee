package pair

import "dropwatch/internal/event"

// A twin is what a packet and its drop have in common.
type twin struct {
	pc    uint64
	at    int64  // nanoseconds since 1970
	proto uint16 // 0 if it is not known
}

// twinOf makes the twin of an event. NET_DM names no protocol of a packet of no
// bytes, and the kernel's 0 is none.
func twinOf(e *event.Event) twin {
	t := twin{pc: e.Where.PC, at: e.Time.UnixNano()}
	if e.Packet.HasProto {
		t.proto = e.Packet.Proto
	}
	return t
}

// The precisions of a search, as powers of two nanoseconds. The two sources have
// the time of a drop from two clocks, of which one is converted: they mostly
// agree to a microsecond, and differ by more when the conversion was
// interrupted or the clock is being adjusted.
const (
	fine   = iota // 65 µs
	coarse        // 134 ms
	precisions
)

var shifts = [precisions]uint{fine: 16, coarse: 27}

// An entry of a book. The chains are of entries of about one place and time,
// the last one first, of which those before the book's first are no more.
type entry[T any] struct {
	twin
	taken bool
	next  [precisions]uint64
	value T
}

// A book holds entries in the order in which they were added, under numbers
// that begin with 1. They are found by place and time. It makes room in itself
// as it needs it, and does not give that back.
type book[T any] struct {
	ring        []entry[T] // by number, modulo its length, a power of two
	first, last uint64     // numbers of the first that is held, and of the next to come
	heads       [precisions][]uint64
}

const firstRoom = 1 << 8 // entries

func newBook[T any]() *book[T] {
	b := &book[T]{first: 1, last: 1}
	b.resize(firstRoom)
	return b
}

// held is the number of entries, also of those that were taken.
func (b *book[T]) held() uint64 { return b.last - b.first }

func (b *book[T]) entry(n uint64) *entry[T] { return &b.ring[n&uint64(len(b.ring)-1)] }

// add adds an entry, whose value is that of an entry long forgotten.
func (b *book[T]) add(t twin) *entry[T] {
	if b.held() == uint64(len(b.ring)) {
		b.resize(2 * len(b.ring))
	}
	e := b.entry(b.last)
	e.twin, e.taken = t, false
	b.link(b.last)
	b.last++
	return e
}

// link puts an entry at the head of its chains.
func (b *book[T]) link(n uint64) {
	e := b.entry(n)
	for p := range shifts {
		head := b.head(p, e.pc, e.at>>shifts[p])
		e.next[p], *head = *head, n
	}
}

func (b *book[T]) head(precision int, pc uint64, slot int64) *uint64 {
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	heads := b.heads[precision]
	hash := (pc*odd1 ^ uint64(slot)) * odd2 >> 32
	return &heads[hash&uint64(len(heads)-1)]
}

func (b *book[T]) resize(n int) {
	old := *b
	b.ring = make([]entry[T], n)
	for p := range b.heads {
		b.heads[p] = make([]uint64, n)
	}
	for i := b.first; i < b.last; i++ {
		*b.entry(i) = *old.entry(i)
		b.link(i)
	}
}

// forget lets go of the entries before a number that were taken, or are older
// than a time, or leave too little room for most of them.
func (b *book[T]) forget(before uint64, older int64, most uint64) {
	for b.first < before {
		if e := b.entry(b.first); !e.taken && e.at >= older && b.held() < most {
			return
		}
		b.first++
	}
}

// mostLooked bounds the search in a chain: within 65 µs, no kernel frees more
// packets at one place. Within 134 ms there are many while a CPU's drops wait to
// be read, but few ask for them.
var mostLooked = [precisions]int{fine: 256, coarse: 1 << 14}

// nearest finds the entry nearest in time that was not taken, at the same place
// and within the precision. Nil if there is none.
func (b *book[T]) nearest(precision int, t twin) (best *entry[T]) {
	within := int64(1) << shifts[precision]
	slot := t.at >> shifts[precision]
	for s := slot - 1; s <= slot+1; s++ {
		link := b.head(precision, t.pc, s)
		for looked := 0; *link >= b.first && looked < mostLooked[precision]; {
			e := b.entry(*link)
			if e.taken {
				*link = e.next[precision]
				continue
			}
			if d := e.distance(t); d < within {
				best, within = e, d
			}
			link = &e.next[precision]
			looked++
		}
	}
	return best
}

// distance is how far two are apart in time, more than any precision if they
// cannot be twins.
func (t *twin) distance(u twin) int64 {
	const far = 1 << 62
	d := t.at - u.at
	if t.pc != u.pc || t.proto != u.proto && t.proto != 0 && u.proto != 0 {
		return far
	}
	return max(d, -d)
}
