package owner

import "time"

// The costs of reading the host. A reading goes on beside the pipeline, which
// waits for it no longer than patience, and for the first one no longer than
// firstPatience; what it finds later, a later event takes. Readings of one kind
// take one part in share of the time at most, and so does the waiting for them but
// for the first.
const (
	patience      = 20 * time.Millisecond
	firstPatience = 300 * time.Millisecond
	share         = 50
	pause         = 100 * time.Millisecond
)

// The ages of what was read. What has been there is believed to be so, and what
// was not there not to be, until it is older.
const (
	rowAge  = 10 * time.Second
	missAge = 5 * time.Second
)

// most is how many answers of one kind are kept before all are forgotten.
const most = 4096

// keep puts something into a map that forgets all before it grows too large.
func keep[K comparable, V any](m map[K]V, k K, v V) {
	if _, known := m[k]; !known && len(m) >= most {
		clear(m)
	}
	m[k] = v
}

// A pace limits how often something is read.
type pace struct {
	pause time.Duration // between two readings at least
	next  time.Time
	met   bool // a reading has ended
}

// patience is how long a reading is waited for.
func (p *pace) patience() time.Duration {
	if p.met {
		return patience
	}
	return firstPatience
}

// spend puts off the next reading for one that has taken so long until now.
func (p *pace) spend(took time.Duration, now time.Time) {
	p.next = now.Add(max(p.pause, share*took))
}

// A reading is something of the host that takes long to read.
type reading[T any] struct {
	pace  *pace
	value T
	asOf  time.Time // when the reading of value began

	running bool
	begun   time.Time // when it began to run
	done    chan result[T]
}

type result[T any] struct {
	value        T
	began, ended time.Time
}

// renew reads anew, unless the pace does not allow it yet, and waits a little.
func (r *reading[T]) renew(read func() T) {
	switch r.poll(); {
	case !r.running && time.Now().Before(r.pace.next), r.running && r.pace.met:
		return
	case !r.running:
		r.start(read)
	}
	wait := time.NewTimer(r.pace.patience() - time.Since(r.begun))
	defer wait.Stop()
	select {
	case d := <-r.done:
		r.take(d)
	case <-wait.C:
	}
}

// start begins to read.
func (r *reading[T]) start(read func() T) {
	began := time.Now()
	if r.done == nil {
		r.done = make(chan result[T], 1)
	}
	r.running, r.begun = true, began
	r.pace.spend(patience, began) // until it is known better
	go func() {
		value := read()
		r.done <- result[T]{value, began, time.Now()}
	}()
}

// poll takes what a reading has found meanwhile.
func (r *reading[T]) poll() {
	select {
	case d := <-r.done:
		r.take(d)
	default:
	}
}

func (r *reading[T]) take(d result[T]) {
	r.value, r.asOf, r.running = d.value, d.began, false
	r.pace.met = true
	r.pace.spend(d.ended.Sub(d.began), d.ended)
}

// An index is a table of the host by number, that is read as a whole.
type index[K comparable, V any] struct {
	reading[map[K]V]
	read   func() map[K]V
	wanted map[K]time.Time // since when, of what was not there or too old
}

func newIndex[K comparable, V any](read func() map[K]V) index[K, V] {
	return index[K, V]{
		reading: reading[map[K]V]{pace: &pace{pause: pause}},
		read:    read, wanted: make(map[K]time.Time),
	}
}

// find gives the row of k, as it was within rowAge if it can.
func (x *index[K, V]) find(k K, now time.Time) (V, bool) {
	x.poll()
	if v, ok := x.value[k]; ok && now.Sub(x.asOf) < rowAge {
		return v, true
	}
	since, ok := x.wanted[k]
	if !ok || now.Sub(since) >= missAge {
		since = now
		keep(x.wanted, k, since)
	}
	if x.asOf.Before(since) {
		x.renew(x.read)
	}
	v, ok := x.value[k]
	return v, ok
}

// A memory keeps what was looked up for a while.
type memory[K comparable, V any] struct {
	look  func(K, time.Time) V
	age   time.Duration
	known map[K]remembered[V]
}

type remembered[V any] struct {
	value V
	at    time.Time
}

func newMemory[K comparable, V any](age time.Duration, look func(K, time.Time) V) memory[K, V] {
	return memory[K, V]{look, age, make(map[K]remembered[V])}
}

func (m *memory[K, V]) get(k K, now time.Time) V {
	r, ok := m.known[k]
	if !ok || now.Sub(r.at) >= m.age {
		r = remembered[V]{m.look(k, now), now}
		keep(m.known, k, r)
	}
	return r.value
}
