package line

import "time"

// A clock formats times. Most lines are of the same second as the line before, whose text it keeps.
type clock struct {
	dayBegin, dayEnd time.Time // of the current day in local time, as of the last second
	second           int64     // since 1970
	text             []byte    // of the second; empty: of none
}

// appendTime appends the local time with so many digits behind the second, after the date unless it is of
// today, and a space. An unknown time has no date. Without digits it appends nothing.
func (c *clock) appendTime(b []byte, t time.Time, digits int) []byte {
	if digits == 0 {
		return b
	}
	if second := t.Unix(); second != c.second || len(c.text) == 0 {
		c.second, c.text = second, c.appendSecond(c.text[:0], t.Local())
	}
	b = append(append(b, c.text...), '.')
	for n, unit := t.Nanosecond(), 100_000_000; digits > 0; digits, unit = digits-1, unit/10 {
		b = append(b, '0'+byte(n/unit%10))
	}
	return append(b, ' ')
}

// appendSecond appends a time without what is behind the second.
func (c *clock) appendSecond(b []byte, t time.Time) []byte {
	if !t.Before(c.dayEnd) || c.dayEnd.IsZero() {
		y, m, n := time.Now().Date()
		c.dayBegin = time.Date(y, m, n, 0, 0, 0, 0, time.Local)
		c.dayEnd = c.dayBegin.AddDate(0, 0, 1)
	}
	if !t.IsZero() && (t.Before(c.dayBegin) || !t.Before(c.dayEnd)) {
		b = t.AppendFormat(b, "2006-01-02 ")
	}
	return t.AppendFormat(b, time.TimeOnly)
}
