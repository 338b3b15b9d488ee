package live

// Seconds is the length of a History.
const Seconds = 60

// A History is the count of each of the last Seconds that have ended, the
// latest last.
type History [Seconds]uint64

// Rate returns the count of the last full second.
func (h *History) Rate() uint64 { return h[Seconds-1] }

// A clock counts by the second and keeps the last minute, in a ring by second
// modulo its length.
type clock struct {
	second int64 // the current second
	counts [Seconds + 1]uint64
}

// add counts n in a second, which must not be before the current one.
func (c *clock) add(second int64, n uint64) {
	c.turn(second)
	c.counts[second%int64(len(c.counts))] += n
}

// turn begins a second. It clears the slots of the seconds between, for which
// nothing was counted.
func (c *clock) turn(second int64) {
	for s := max(c.second, second-Seconds-1) + 1; s <= second; s++ {
		c.counts[s%int64(len(c.counts))] = 0
	}
	c.second = second
}

// merge adds the counts of another clock. Second is the current one for both.
func (c *clock) merge(from *clock, second int64) {
	c.turn(second)
	from.turn(second)
	for i, n := range from.counts {
		c.counts[i] += n
	}
}

// addTo adds the seconds before second to a History.
func (c *clock) addTo(h *History, second int64) {
	c.turn(second)
	for i := range h {
		if s := second - Seconds + int64(i); s >= 0 {
			h[i] += c.counts[s%int64(len(c.counts))]
		}
	}
}
