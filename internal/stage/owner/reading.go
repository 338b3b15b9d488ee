package owner

import "time"

// Limits of the cost of reading the host. A reading runs in a goroutine. The pipeline waits for it for at
// most maxWait, and for the first one firstMaxWait; what is found later is for later events. Readings of
// one kind take at most one part in share of the time, and so does waiting for them, except for the first.
const (
	maxWait      = 20 * time.Millisecond
	firstMaxWait = 300 * time.Millisecond
	share        = 50
	pause        = 100 * time.Millisecond // between two readings of a table, at least
)

// rowTTL is how long a row of a table is used, up to maxRowTTL if the table takes long to read: what is known is read again
// for one part in rowShare of the time. MissTTL is how long a key that was not there is not looked for again.
const (
	rowTTL    = 10 * time.Second
	maxRowTTL = time.Minute
	rowShare  = 400
	missTTL   = 5 * time.Second
)

// maxKept is how many entries most maps have before they are emptied.
const maxKept = 4096

// keep sets m[k], and empties m first if it has limit entries.
func keep[K comparable, V any](m map[K]V, k K, v V, limit int) {
	if _, known := m[k]; !known && len(m) >= limit {
		clear(m)
	}
	m[k] = v
}

// A pace limits how often something is read.
type pace struct {
	pause time.Duration // between two readings, at least
	next  time.Time     // before which nothing is read
	known bool          // a reading has ended
}

// maxWait returns how long to wait for a reading.
func (p *pace) maxWait() time.Duration {
	if p.known {
		return maxWait
	}
	return firstMaxWait
}

// spend sets when the next reading may begin, after one that took so long and ended now.
func (p *pace) spend(took time.Duration, now time.Time) {
	p.next = now.Add(max(p.pause, share*took))
}

// A reading is a part of the host that takes long to read, and is therefore read in a goroutine.
type reading[T any] struct {
	pace  *pace
	value T             // of the last reading that ended
	asOf  time.Time     // when the reading of value began
	took  time.Duration // for that reading

	number  uint32         // of readings that have ended
	running bool           // a goroutine reads now
	begun   time.Time      // when the goroutine began
	done    chan result[T] // from the goroutine; has room for one
}

// A result is what the goroutine has read, and when.
type result[T any] struct {
	value        T
	began, ended time.Time
}

// renew reads again, if the pace allows it, and waits for the result for at most pace.maxWait. If a
// reading is in progress, it waits only for the first one.
func (r *reading[T]) renew(read func() T) {
	switch r.poll(); {
	case !r.running && time.Now().Before(r.pace.next), r.running && r.pace.known:
		return
	case !r.running:
		r.start(read)
	}
	wait := time.NewTimer(r.pace.maxWait() - time.Since(r.begun))
	defer wait.Stop()
	select {
	case d := <-r.done:
		r.store(d)
	case <-wait.C:
	}
}

// start begins to read. There must be no reading in progress.
func (r *reading[T]) start(read func() T) {
	began := time.Now()
	if r.done == nil {
		r.done = make(chan result[T], 1)
	}
	r.running, r.begun = true, began
	r.pace.spend(maxWait, began) // until it is known better
	go func() {
		value := read()
		r.done <- result[T]{value, began, time.Now()}
	}()
}

// poll stores the result of a reading that has ended.
func (r *reading[T]) poll() {
	select {
	case d := <-r.done:
		r.store(d)
	default:
	}
}

// store stores a result and sets when the next reading may begin.
func (r *reading[T]) store(d result[T]) {
	r.value, r.asOf, r.took, r.running = d.value, d.began, d.ended.Sub(d.began), false
	r.number++
	r.pace.known = true
	r.pace.spend(r.took, d.ended)
}

// An index is a table of the host, such as the sockets of all processes, that is read as a whole.
type index[K comparable, V any] struct {
	reading[map[K]V]
	read   func() map[K]V
	wanted map[K]miss // the keys that were not there or too old
}

// A miss is when a key was first not found, and when a reading was last started because of it.
type miss struct{ first, last time.Time }

// newIndex returns an index that is read by read.
func newIndex[K comparable, V any](read func() map[K]V) index[K, V] {
	return index[K, V]{
		reading: reading[map[K]V]{pace: &pace{pause: pause}},
		read:    read, wanted: make(map[K]miss),
	}
}

// lifetime returns how long a row of the last reading is used.
func (x *index[K, V]) lifetime() time.Duration { return min(max(rowTTL, rowShare*x.took), maxRowTTL) }

// remaining returns how long a row that was found now is used if there is no other reading: for the time ttl at least, also
// if it is too old.
func (x *index[K, V]) remaining(now time.Time) time.Duration {
	return max(ttl, x.lifetime()-now.Sub(x.asOf))
}

// find returns the row of k, if possible one that was read in the last rowTTL. Pending reports that it is
// not there, but no reading has begun since it was first looked up.
func (x *index[K, V]) find(k K, now time.Time) (v V, ok, pending bool) {
	x.poll()
	if v, ok := x.value[k]; ok && now.Sub(x.asOf) < x.lifetime() {
		return v, true, false
	}
	w, known := x.wanted[k]
	if !known || now.Sub(w.last) >= missTTL {
		if w.last = now; !known {
			w.first = now
		}
		keep(x.wanted, k, w, maxKept)
	}
	if x.asOf.Before(w.last) {
		x.renew(x.read)
	}
	v, ok = x.value[k]
	return v, ok, !ok && x.asOf.Before(w.first)
}

// A cache keeps what was looked up for the time ttl.
type cache[K comparable, V any] struct {
	lookup func(K, time.Time) V
	ttl    time.Duration
	known  map[K]cached[V]
}

// A cached is a value and when it was looked up.
type cached[V any] struct {
	value V
	at    time.Time
}

// newCache returns an empty cache.
func newCache[K comparable, V any](ttl time.Duration, lookup func(K, time.Time) V) cache[K, V] {
	return cache[K, V]{lookup, ttl, make(map[K]cached[V])}
}

// get returns the value of k, and looks it up if it is not there or too old.
func (c *cache[K, V]) get(k K, now time.Time) V {
	r, ok := c.known[k]
	if !ok || now.Sub(r.at) >= c.ttl {
		r = cached[V]{c.lookup(k, now), now}
		keep(c.known, k, r, maxKept)
	}
	return r.value
}
