package retrans

import "time"

// timed measures the time from a segment of one direction to its acknowledgment, of one segment at a time.
type timed struct {
	At      int64  // when that was seen
	Least   int64  // the shortest time so far, in nanoseconds; 0 if none was measured
	End     uint32 // behind it
	Running bool
}

// begin starts with a segment, unless the acknowledgment of another is awaited.
func (t *timed) begin(end uint32, at int64) {
	if !t.Running {
		t.At, t.End, t.Running = at, end, true
	}
}

// answer enters that what is below a number was acknowledged.
func (t *timed) answer(ack uint32, at int64) {
	if !t.Running || before(ack, t.End) {
		return
	}
	t.Running = false
	if took := at - t.At; took > 0 && (t.Least == 0 || took < t.Least) {
		t.Least = took
	}
}

// A clock is that of the timestamps (RFC 7323) of one direction.
type clock struct {
	At    int64  // when the first one was seen
	First uint32 // its value
	Known bool
}

// note enters the timestamp of a segment.
func (c *clock) note(m *mark) {
	if !c.Known && m.HasTSVal {
		*c = clock{m.At, m.TSVal, true}
	}
}

// tick returns for how many nanoseconds the clock has the same value, by the time from the first segment to
// the last; an hour if it was seen to tick too few times.
func (c *clock) tick(last *mark) int64 {
	const enough = 8
	ticks := last.TSVal - c.First
	if !c.Known || !last.HasTSVal || ticks < enough || last.At <= c.At {
		return int64(time.Hour)
	}
	return (last.At - c.At) / int64(ticks)
}
