package pipeline

import "dropwatch/internal/event"

// A Finder is a Sink in front of another one, for what is found in all events of a run.
type Finder struct {
	Seen Sink // gets each event first; it must not block, and its error ends the run

	// Found returns what was found, as events of kind Finding, when Seen has got the End. It is called once.
	Found func() []event.Event

	To Sink // gets each event, and before the End what was found
}

// Write writes an event to both. Before the End it enters in the ledger of that what was found, which is not later than it.
func (f *Finder) Write(e *event.Event) error {
	if err := f.Seen.Write(e); err != nil {
		return err
	}
	if e.Kind != event.End {
		return f.To.Write(e)
	}
	found := f.Found()
	for i := range found {
		if err := f.To.Write(&found[i]); err != nil {
			return err
		}
		e.Ledger.Add(&found[i])
		if found[i].Time.After(e.Time) {
			e.Time = found[i].Time
		}
	}
	return f.To.Write(e)
}

// Flush flushes both.
func (f *Finder) Flush() error { return Tee{f.Seen, f.To}.Flush() }
