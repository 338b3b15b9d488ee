package live

// Seconds is how far a History reaches back.
const Seconds = 60

// A History is a number of drops for each of the last seconds that are over, the
// latest last.
type History [Seconds]uint64

// Rate is the number of the latest second.
func (h *History) Rate() uint64 { return h[Seconds-1] }

// A clock counts by the second, and knows the last minute of it.
type clock struct {
	second int64 // that is under way
	counts [Seconds + 1]uint64
}

func (c *clock) add(second int64, n uint64) {
	c.turn(second)
	c.counts[second%int64(len(c.counts))] += n
}

// turn begins a second, and forgets what is too long ago.
func (c *clock) turn(second int64) {
	for s := max(c.second, second-Seconds-1) + 1; s <= second; s++ {
		c.counts[s%int64(len(c.counts))] = 0
	}
	c.second = second
}

// addTo adds the seconds before the given one.
func (c *clock) addTo(h *History, second int64) {
	c.turn(second)
	for i := range h {
		if s := second - Seconds + int64(i); s >= 0 {
			h[i] += c.counts[s%int64(len(c.counts))]
		}
	}
}
