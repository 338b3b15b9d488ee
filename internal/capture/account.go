package capture

import (
	"fmt"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A LossError says that an output could not write all that it got. It may have gone on, and have written the rest.
type LossError struct {
	Output string // as messages call it
	What   string // "12 drops"
}

// Error is the text for a person.
func (e *LossError) Error() string { return fmt.Sprintf("%s did not get %s", e.Output, e.What) }

// An account is what an output did not write at the end of a run.
type account struct {
	name  string
	first bool           // its losses are in the ledger of the run
	own   pipeline.Lossy // the output, if it gives up what it cannot write and goes on; else nil: it fails
	all   pipeline.Lossy // with the queue before it; nil: neither loses any
}

// newAccount returns that of a sink, which has front before it.
func newAccount(name string, sink, front pipeline.Sink, first bool) account {
	own, _ := pipeline.AsLossy(sink)
	all, _ := pipeline.AsLossy(front)
	return account{name, first, own, all}
}

// lost returns what could not be written, and all that was lost.
func (a *account) lost() (own, all event.Ledger) { return lostBy(a.own), lostBy(a.all) }

// lostBy returns what was lost; nothing if there is no account of it.
func lostBy(l pipeline.Lossy) event.Ledger {
	if l == nil {
		return event.Ledger{}
	}
	return l.Lost()
}
