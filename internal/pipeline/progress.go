package pipeline

import (
	"sync/atomic"
	"time"

	"dropwatch/internal/event"
)

// Progress is the state of a run that other goroutines may read while it goes on.
type Progress struct {
	begun, done         atomic.Uint64 // events that entered the pipeline, and that left it
	rejected, undecided atomic.Uint64 // drops
	rejectedTCP         atomic.Uint64 // segments of retransmissions, and what else TCP did

	last  uint64    // begun at the last call of Busy
	since time.Time // since when begun is that
}

// Rejected returns how many drops a filter has rejected, and of how many it could not
// decide.
func (p *Progress) Rejected() (rejected, undecided uint64) {
	return p.rejected.Load(), p.undecided.Load()
}

// RejectedTCP returns how much of what TCP did a filter has rejected or could not decide on: of a
// retransmission its segments.
func (p *Progress) RejectedTCP() uint64 { return p.rejectedTCP.Load() }

// Busy returns for how long the run has been processing the same event: 0 if it waits for
// one. It compares with its previous call, so one goroutine must call it periodically.
func (p *Progress) Busy(now time.Time) time.Duration {
	begun := p.begun.Load()
	if begun == p.done.Load() || begun != p.last {
		p.last, p.since = begun, now
	}
	return now.Sub(p.since)
}

// begin counts an event that enters the pipeline. A nil Progress does nothing.
func (p *Progress) begin() {
	if p != nil {
		p.begun.Add(1)
	}
}

// end counts that it left, and copies the numbers of the ledger.
func (p *Progress) end(l *event.Ledger) {
	if p != nil {
		set(&p.rejected, l.Rejected)
		set(&p.undecided, l.Undecided)
		set(&p.rejectedTCP, l.TCP.Rejected)
		p.done.Add(1)
	}
}

// set stores a number unless it is there already, as storing takes ten times as long as reading.
func set(to *atomic.Uint64, n uint64) {
	if to.Load() != n {
		to.Store(n)
	}
}
