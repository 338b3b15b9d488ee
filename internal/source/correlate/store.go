package correlate

import (
	"time"
	"unsafe"
)

// maxPerKey is how many values of one key are remembered, as they are searched one after the other.
const maxPerKey = 1 << 11

// A store remembers values by key, in bounded memory: of too many, it forgets the oldest. Its zero value is empty.
type store[K comparable, V any] struct {
	histories map[K]*history[K, V]
	order     []entry[K, V] // from oldest on, in the order in which they came
	oldest    int           // index of the entry that is forgotten next
	added     uint64        // values, so far
	size      int           // bytes of those in order
	forgot    time.Time     // the time of the last value for which there was no room
}

// A history has the values of a key that are remembered, in the order in which they came.
type history[K comparable, V any] struct {
	key    K
	values []value[V]
	forgot time.Time // the time of the last one for which there was no room among these
}

// A value is one that is remembered.
type value[V any] struct {
	time   time.Time
	number uint64 // of all values of the store
	of     V
}

// An entry is where the value of a number is.
type entry[K comparable, V any] struct {
	of     *history[K, V]
	number uint64
	size   int
}

// add remembers a value of a time, which refers to size bytes elsewhere. All values take limit bytes at most, about.
func (x *store[K, V]) add(k K, at time.Time, v V, size, limit int) {
	if x.histories == nil {
		x.histories = make(map[K]*history[K, V])
	}
	h, known := x.histories[k]
	if !known {
		h = &history[K, V]{key: k}
		x.histories[k] = h
	}
	size += int(unsafe.Sizeof(value[V]{}) + unsafe.Sizeof(entry[K, V]{}) + unsafe.Sizeof(*h) + unsafe.Sizeof(k))
	x.added++
	if len(h.values) >= maxPerKey {
		h.forgot = h.values[0].time
		h.removeFirst()
	}
	h.values = append(h.values, value[V]{at, x.added, v})
	x.order = append(x.order, entry[K, V]{h, x.added, size})
	for x.size += size; x.size > limit; {
		x.forget()
	}
}

// forget forgets the oldest value.
func (x *store[K, V]) forget() {
	e := x.order[x.oldest]
	x.size -= e.size
	if h := e.of; len(h.values) > 0 && h.values[0].number == e.number { // else it was one too many of its key
		x.forgot = h.values[0].time
		if h.removeFirst(); len(h.values) == 0 {
			delete(x.histories, h.key)
		}
	}
	x.order[x.oldest] = entry[K, V]{}
	if x.oldest++; x.oldest > len(x.order)/2 { // so that each is moved once at most
		x.order, x.oldest = append(x.order[:0], x.order[x.oldest:]...), 0
	}
}

// removeFirst removes the oldest value.
func (h *history[K, V]) removeFirst() {
	h.values[0] = value[V]{}
	h.values = h.values[1:]
}

// last returns the last value of a key for which is returns true, nil if there is none. It is valid until a value is added.
func (x *store[K, V]) last(k K, is func(at time.Time, v *V) bool) *V {
	h := x.histories[k]
	if h == nil {
		return nil
	}
	for i := len(h.values) - 1; i >= 0; i-- {
		if v := &h.values[i]; is(v.time, &v.of) {
			return &v.of
		}
	}
	return nil
}

// forgotten returns the time of the last value that is not remembered and may be of a key.
func (x *store[K, V]) forgotten(k K) time.Time {
	if h := x.histories[k]; h != nil && h.forgot.After(x.forgot) {
		return h.forgot
	}
	return x.forgot
}
