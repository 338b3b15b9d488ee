package alert

import "time"

// slots is into how many parts a window is divided: a drop counts for the window and up to one part
// less.
const slots = 20

// A window counts what happened within a time that ends now.
type window struct {
	slot   time.Duration // the length of a part
	begin  time.Time     // of all, for the number of a part
	number int64         // of the last part
	counts [slots]uint64 // by the number of the part, modulo slots
}

func newWindow(length time.Duration) window { return window{slot: length / slots, begin: time.Now()} }

// add counts n now and returns the sum.
func (w *window) add(now time.Time, n uint64) uint64 {
	w.advance(now)
	w.counts[w.number%slots] += n
	return w.sum(now)
}

// sum returns what was counted within the window.
func (w *window) sum(now time.Time) (total uint64) {
	w.advance(now)
	for _, n := range w.counts {
		total += n
	}
	return total
}

// advance empties the parts that are over.
func (w *window) advance(now time.Time) {
	number := int64(now.Sub(w.begin) / w.slot)
	if number-w.number >= slots {
		w.counts = [slots]uint64{}
		w.number = number
	}
	for w.number < number {
		w.number++
		w.counts[w.number%slots] = 0
	}
}
