// Package tally counts by key in bounded memory, whatever number of keys a kernel or a file
// comes up with. Tables, screens, samples and reports use it.
package tally

// An Entry is a key with its count, and what the user of the Tally keeps there.
type Entry[K comparable, V any] struct {
	Key   K      // as it was added
	Count uint64 // the sum of what was added
	Value V      // the zero value until the user sets it

	overflow bool // it counts keys that had no room
}

// A Tally counts by key, for a limited number of keys. Counting a known key
// takes constant time and allocates nothing. It is not safe for concurrent use.
type Tally[K comparable, V any] struct {
	limit    int
	overflow func(K) K
	entries  map[K]*Entry[K, V]
	order    []*Entry[K, V] // all, oldest first
	keys     int            // entries that are not overflow entries
	excess   uint64         // what was added for keys without an entry of their own
}

// New returns an empty Tally for at most limit keys. Further keys share entries: each is
// counted under the key that overflow returns for it, of which there must be few. If
// overflow is nil they have no entry, and only [Tally.Overflow] counts them.
func New[K comparable, V any](limit int, overflow func(K) K) *Tally[K, V] {
	return &Tally[K, V]{limit: limit, overflow: overflow, entries: make(map[K]*Entry[K, V])}
}

// Add adds n to the count of a key and returns the entry that counts it: nil if
// there is no room and no overflow function. isNew reports that the entry was
// made by this call, so that its Value is still zero.
func (t *Tally[K, V]) Add(k K, n uint64) (e *Entry[K, V], isNew bool) {
	e, known := t.entries[k]
	if !known {
		if e, isNew = t.open(k, n); e == nil {
			return nil, false
		}
	}
	e.Count += n
	return e, isNew
}

// open makes the entry of a key that has none, or finds its overflow entry.
func (t *Tally[K, V]) open(k K, n uint64) (e *Entry[K, V], isNew bool) {
	if !t.Full() {
		t.keys++
		return t.insert(&Entry[K, V]{Key: k}), true
	}
	t.excess += n
	if t.overflow == nil {
		return nil, false
	}
	return t.other(k)
}

// other finds the overflow entry of a key, or makes it.
func (t *Tally[K, V]) other(k K) (e *Entry[K, V], isNew bool) {
	k = t.overflow(k)
	if e, known := t.entries[k]; known {
		return e, false
	}
	return t.insert(&Entry[K, V]{Key: k, overflow: true}), true
}

// insert adds an entry that is not there.
func (t *Tally[K, V]) insert(e *Entry[K, V]) *Entry[K, V] {
	t.entries[e.Key] = e
	t.order = append(t.order, e)
	return e
}

// Find returns the entry of a key, nil if it has none.
func (t *Tally[K, V]) Find(k K) *Entry[K, V] { return t.entries[k] }

// Len returns the number of entries, overflow entries included.
func (t *Tally[K, V]) Len() int { return len(t.order) }

// Full reports that a further key will have no entry of its own.
func (t *Tally[K, V]) Full() bool { return t.keys >= t.limit }

// Overflow returns the sum of what was added for keys that had no room.
func (t *Tally[K, V]) Overflow() uint64 { return t.excess }

// All iterates over the entries, oldest first. It may or may not visit entries that the
// loop adds.
func (t *Tally[K, V]) All(yield func(*Entry[K, V]) bool) {
	for _, e := range t.order {
		if !yield(e) {
			return
		}
	}
}

// Reset removes all entries. It keeps the memory of their index, for the next ones.
func (t *Tally[K, V]) Reset() {
	clear(t.entries)
	clear(t.order)
	t.order, t.keys, t.excess = t.order[:0], 0, 0
}

// Fold makes room: it moves each entry for which expired returns true to the overflow entry
// of its key. Counts are added; merge adds the value of from to that of to. The Tally must
// have an overflow function.
func (t *Tally[K, V]) Fold(expired func(*Entry[K, V]) bool, merge func(to, from *V)) {
	all := t.order
	t.order = nil
	for _, e := range all {
		if e.overflow || !expired(e) {
			t.order = append(t.order, e)
			continue
		}
		delete(t.entries, e.Key)
		t.keys--
		t.excess += e.Count
		to, _ := t.other(e.Key)
		to.Count += e.Count
		merge(&to.Value, &e.Value)
	}
}

// Clone returns an independent copy. Clone copies a value, so that the copies share nothing.
func (t *Tally[K, V]) Clone(clone func(V) V) *Tally[K, V] {
	d := *t
	d.entries = make(map[K]*Entry[K, V], len(t.entries))
	d.order = make([]*Entry[K, V], 0, len(t.order))
	for _, e := range t.order {
		c := *e
		c.Value = clone(e.Value)
		d.insert(&c)
	}
	return &d
}
