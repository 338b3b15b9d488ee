package diagnose

import (
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
)

// endJSON is the last line, of kind end: the verdict, what it rests on, and the reconciliation of drops and counters.
type endJSON struct {
	Kind           string        `json:"kind"`
	Verdict        string        `json:"verdict"`
	Severity       string        `json:"severity,omitempty"` // of the worst finding or state
	Seconds        float64       `json:"seconds"`
	Drops          uint64        `json:"drops"`
	Harmless       uint64        `json:"harmless"`
	Lost           uint64        `json:"lost"` // drops that the source did not see
	Recording      *recordJSON   `json:"recording,omitempty"`
	Undecided      int           `json:"undecided,omitempty"`
	Reconciliation []accountJSON `json:"reconciliation"`
	Failures       []string      `json:"failures,omitempty"` // what could not be read
}

// accountJSON is a counter in the reconciliation.
type accountJSON struct {
	counterJSON
	netnsJSON
	Unit string `json:"unit"`

	// The change is the sum of these.
	Seen            uint64 `json:"seen"`
	Finding         uint64 `json:"finding,omitempty"`         // it has one of its own
	Retransmissions uint64 `json:"retransmissions,omitempty"` // as the findings cause
	Noise           uint64 `json:"noise,omitempty"`
	Unexplained     uint64 `json:"unexplained"`

	RaisedBy []raisedJSON `json:"raised_by,omitempty"` // functions; what is missing of the change is its driver's, or not known
}

// end is the last line.
func (d *Diagnosis) end() endJSON {
	end := endJSON{
		Kind: "end", Verdict: d.Verdict(), Seconds: d.Interval.Seconds(), Drops: d.Drops, Harmless: d.Harmless,
		Lost: d.Ledger.TotalLost(), Recording: d.Recording.json(), Undecided: len(d.Undecided),
		Reconciliation: each(d.Accounts, d.account), Failures: each(d.Failures, (*counters.Failure).Error),
	}
	if worst := d.Worst(); worst != 0 {
		end.Severity = worst.String()
	}
	return end
}

// recordJSON is where a diagnosis that is not of this host comes from.
type recordJSON struct {
	Host     string     `json:"host"`
	Kernel   string     `json:"kernel"`
	Counters bool       `json:"counters"`
	From     *time.Time `json:"from,omitempty"` // when the first counters were read
	Until    *time.Time `json:"until,omitempty"`
}

// json is nil for this host.
func (r *Recording) json() *recordJSON {
	if r == nil {
		return nil
	}
	j := &recordJSON{Host: r.Host, Kernel: r.Kernel, Counters: r.Counters}
	if r.Counters {
		j.From, j.Until = &r.From, &r.Until
	}
	return j
}

// account has what no drop accounts for under the key that says why.
func (d *Diagnosis) account(a *Account) accountJSON {
	j := accountJSON{
		counterJSON: counterJSONOf(&a.Row), netnsJSON: netnsJSONOf(a.Netns, event.Process{}),
		Unit: a.Meaning.Entry.Unit.String(), Seen: a.Seen, RaisedBy: each(a.RaisedBy, (*Raised).json),
	}
	switch d.Remainder(a) {
	case OwnFinding:
		j.Finding = a.Rest
	case Retransmissions:
		j.Retransmissions = a.Rest
	case NoAttention:
		j.Noise = a.Rest
	case Unexplained:
		j.Unexplained = a.Rest
	}
	return j
}
