package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A rhythm is in how many seconds drops came, and how many in the second with the most.
type rhythm struct {
	seconds, most uint64
	last          int64 // second, since 1970
	inLast        uint64
}

// add counts drops at a time. Those that come out of order are of the last second.
func (r *rhythm) add(at time.Time, n uint64) {
	if at.IsZero() {
		return
	}
	if s := at.Unix(); s > r.last || r.seconds == 0 {
		r.last, r.inLast = s, 0
		r.seconds++
	}
	r.inLast += n
	r.most = max(r.most, r.inLast)
}

// isSteady reports whether so many drops went on during an interval, and at about the same rate: in nearly each second
// of it, and in none much more than in others.
func (r *rhythm) isSteady(drops uint64, interval time.Duration) bool {
	const (
		longEnough = 5 * time.Second
		uneven     = 2 // times the average
	)
	whole := uint64(interval / time.Second)
	return interval >= longEnough && 10*r.seconds >= 9*whole && r.most*r.seconds <= uneven*drops
}

// findSteady gives the finding the fix for a loss that goes on at the same rate, if more room would not help. Commands
// are kept that may change a rate.
func (f *Finding) findSteady(interval time.Duration) {
	if f.Meaning.Steady == "" || f.shared || !f.rhythm.isSteady(f.Count, interval) {
		return
	}
	f.Steady, f.Meaning.Fix = true, f.Meaning.Steady
	f.Meaning.Apply = slices.DeleteFunc(slices.Clone(f.Meaning.Apply), func(c string) bool { return !strings.Contains(c, " rate ") })
}

// pattern says that the loss is steady.
func (f *Finding) pattern() string {
	if !f.Steady {
		return ""
	}
	return fmt.Sprintf("steady, at most %d in a second", f.rhythm.most)
}
