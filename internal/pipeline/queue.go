package pipeline

import (
	"errors"
	"sync"
	"time"

	"dropwatch/internal/event"
)

// maxQueued bounds the memory of the events in a [Queue], in bytes.
const maxQueued = 32 << 20

// enough is how many bytes are queued before the sink is woken without a flush: more than most sources read at once, ten
// times a second, as each time costs.
const enough = 4 << 20

// ErrBlocked is returned by [Queue.Flush] for an output that blocks and had not written its last events
// when it had to end.
var ErrBlocked = errors.New("the output blocks: its last events were not written")

// A Queue is a [Sink] in front of one that may block, such as a pipe with a slow
// reader. Write never waits: when the queue is full, drops are lost at [event.InSink]. The
// sink gets a Loss with their number as soon as it writes again, and the ledger of the End
// has them. Flush after the End waits for the sink.
//
// A queue is for live events. A source that can wait, such as a recording, needs none.
type Queue struct {
	to    Sink
	lossy Lossy           // to, if it accounts for what it has got; else nil
	abort <-chan struct{} // closed when the end does not wait for the sink any more

	mu      sync.Mutex
	batch   []event.Event // to be written next
	spare   []event.Event // an old batch, whose memory the batch after that uses
	size    int           // of the batch, in bytes
	skipped event.Ledger  // events that found the queue full and are not reported yet
	lost    event.Ledger  // all events that found the queue full
	queued  event.Ledger  // events that were not flushed yet, or that a Lossy has not got yet
	flush   bool          // the sink after the batch
	ended   time.Time     // when the End was queued, which is the last event of the batch then
	err     error         // of the sink
	started bool

	wakeup chan struct{} // has room for one
	done   chan struct{} // closed when the sink is not used any more

	written event.Ledger // events that the sink got since it was flushed; only run uses it
}

// NewQueue returns a queue in front of a sink, which must not be used otherwise. When abort is
// closed, Flush after the End does not wait for the sink any more and returns [ErrBlocked], unless the
// End has only just come: a source that takes long to stop does not make an output one that blocks. Abort may be nil.
func NewQueue(to Sink, abort <-chan struct{}) *Queue {
	lossy, _ := AsLossy(to)
	return &Queue{to: to, lossy: lossy, abort: abort, wakeup: make(chan struct{}, 1), done: make(chan struct{})}
}

// Write queues a copy of the event. It returns the error that the sink returned for an
// earlier one.
func (q *Queue) Write(e *event.Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.started {
		q.started = true
		go q.run()
	}
	if q.err != nil {
		return q.err
	}
	if e.Kind == event.End {
		q.end(e)
		return nil
	}
	if q.size > maxQueued {
		q.skip(e)
		return nil
	}
	if q.add(e); q.size > enough {
		q.wake()
	}
	return nil
}

// end queues the End, even if the queue is full, and enters in its ledger what the queue lost.
func (q *Queue) end(e *event.Event) {
	q.ended = time.Now()
	e.Ledger.Lose(&q.lost)
	ledger := *e.Ledger
	q.add(e).Ledger = &ledger
	q.wake()
}

// Flush makes the sink write what is queued and flush it. It waits for that only after the
// End.
func (q *Queue) Flush() error {
	q.mu.Lock()
	q.flush = true
	ended := q.ended
	if q.started {
		q.wake()
	}
	q.mu.Unlock()
	if !ended.IsZero() && !q.finished(ended) {
		return ErrBlocked
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// leastWait is how long the sink has at least to write what is queued when the End comes.
const leastWait = 100 * time.Millisecond

// finished waits for the sink after the End, which was queued at a time, and reports whether it got all.
func (q *Queue) finished(ended time.Time) bool {
	select {
	case <-q.done:
	case <-q.abort:
		select {
		case <-q.done:
		case <-time.After(time.Until(ended.Add(leastWait))):
		}
	}
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// wake wakes run; if it is awake already, it looks again afterwards.
func (q *Queue) wake() {
	select {
	case q.wakeup <- struct{}{}:
	default:
	}
}

// add appends a copy of e to the batch, in the memory of an older event if there is one.
func (q *Queue) add(e *event.Event) *event.Event {
	if n := len(q.batch); n < cap(q.batch) {
		q.batch = q.batch[:n+1]
	} else {
		q.batch = append(q.batch, event.Event{})
	}
	queued := &q.batch[len(q.batch)-1]
	e.CloneInto(queued)
	q.queued.Add(e)
	q.size += e.Size()
	return queued
}

// skip counts an event that there is no room for.
func (q *Queue) skip(e *event.Event) {
	for _, l := range []*event.Ledger{&q.skipped, &q.lost} {
		l.Add(e)
	}
}

// Lost returns the drops that found the queue full, and those that the sink has not flushed or
// gave up.
func (q *Queue) Lost() (lost event.Ledger) {
	if q.lossy != nil {
		lost = q.lossy.Lost()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	lost.AddDrops(&q.lost)
	lost.AddDrops(&q.queued)
	return lost
}

// run writes batches until the End or an error of the sink.
func (q *Queue) run() {
	defer close(q.done)
	for ended := false; !ended; {
		<-q.wakeup
		var err error
		if ended, err = q.step(); err != nil {
			q.mu.Lock()
			q.err, q.batch, q.spare = err, nil, nil
			q.mu.Unlock()
			return
		}
	}
}

// step writes the batch, without the lock, so that Write does not wait for the sink.
func (q *Queue) step() (ended bool, err error) {
	q.mu.Lock()
	batch, skipped, flush, ended := q.batch, q.skipped, q.flush || !q.ended.IsZero(), !q.ended.IsZero()
	q.batch, q.spare, q.size, q.skipped, q.flush = q.spare[:0], nil, 0, event.Ledger{}, false
	q.mu.Unlock()
	if err := q.write(batch, &skipped); err != nil {
		return ended, err
	}
	q.mu.Lock()
	q.spare = reusable(batch)
	q.mu.Unlock()
	if flush {
		err = q.flushSink()
	}
	return ended, err
}

// flushAfter is how many events are written before the sink is flushed, however many are to be
// written: so few are not known to be written when it blocks.
const flushAfter = 256

// write writes a batch, and then a Loss for what was skipped; the End stays the last event.
func (q *Queue) write(batch []event.Event, skipped *event.Ledger) error {
	for i := range batch {
		e := &batch[i]
		if e.Kind == event.End {
			if err := q.report(skipped, e); err != nil {
				return err
			}
		}
		if err := q.to.Write(e); err != nil {
			return err
		}
		q.written.Add(e)
		if q.lossy != nil {
			q.settle()
		}
		if i%flushAfter == flushAfter-1 {
			if err := q.flushSink(); err != nil {
				return err
			}
		}
	}
	if n := len(batch); n > 0 && batch[n-1].Kind != event.End {
		return q.report(skipped, &batch[n-1])
	}
	return nil
}

// flushSink flushes the sink; what it got before is written then.
func (q *Queue) flushSink() error {
	if err := q.to.Flush(); err != nil {
		return err
	}
	q.settle()
	return nil
}

// settle takes from what is queued what the sink has written.
func (q *Queue) settle() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queued.TakeBack(&q.written)
	q.written = event.Ledger{}
}

// report writes a Loss for each place in l, with the time of an event.
func (q *Queue) report(l *event.Ledger, at *event.Event) error {
	for _, loss := range l.Losses(at.Time) {
		if err := q.to.Write(&loss); err != nil {
			return err
		}
	}
	return nil
}

// maxSpare is the largest batch, in events, whose memory is kept for the next one: those of a quarter of a second, if
// 20,000 come in a second, fit in it.
const maxSpare = 1 << 13

// reusable returns the batch without events but with their memory, unless that is too much.
func reusable(batch []event.Event) []event.Event {
	if cap(batch) > maxSpare {
		return nil
	}
	return batch[:0]
}
