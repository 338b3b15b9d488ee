package pair

import "time"

// freeze keeps all drops that are pending, until finish.
func (m *matcher) freeze() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen = true
}

// cut leaves later drops to a source that began at some moment from from to until.
func (m *matcher) cut(from, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from, m.until = from, until
}

// isOfNext reports whether a drop of a time is left to the source that goes on, though
// it may have been before that began.
func (m *matcher) isOfNext(at int64) bool {
	if m.from.IsZero() || at <= m.from.UnixNano() {
		return false
	}
	m.disputed = m.disputed || at <= m.until.UnixNano()
	return true
}

// gap returns the time in which drops may have been reported by no source, which begins
// at covered if none goes on yet.
func (m *matcher) gap(covered time.Time) (since, until time.Time) {
	switch {
	case m.from.IsZero():
		return covered, time.Time{}
	case m.disputed:
		return m.from, m.until
	}
	return m.until, m.until
}
