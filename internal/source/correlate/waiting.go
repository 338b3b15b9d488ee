package correlate

import "dropwatch/internal/event"

// maxWaiting is how many events wait at most. Each takes some 1.4 kB.
const maxWaiting = 1 << 14

// A queue has copies of events, in the order in which they came. It uses the memory of those that were removed
// again and again.
type queue struct {
	ring  []event.Event // a power of 2
	first int           // of those that are there; it only grows
	n     int
}

// at returns the event that came i-th of those that are there.
func (q *queue) at(i int) *event.Event { return &q.ring[(q.first+i)&(len(q.ring)-1)] }

// push adds a copy of an event.
func (q *queue) push(e *event.Event) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.n++
	e.CloneInto(q.at(q.n - 1))
}

// grow doubles the room.
func (q *queue) grow() {
	wider := make([]event.Event, max(64, 2*len(q.ring)))
	for i := range q.n {
		wider[i] = *q.at(i)
	}
	q.ring, q.first = wider, 0
}

// pop removes the first event and copies it to e. What it has belongs to the queue, and is valid until the next push.
func (q *queue) pop(e *event.Event) {
	*e = *q.at(0)
	q.first, q.n = q.first+1, q.n-1
}
