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
	name  string         // of the output, for messages
	first bool           // its losses are in the ledger of the run
	own   pipeline.Lossy // the output, if it gives up what it cannot write and goes on; else nil: it fails
}

// newAccount returns that of a sink.
func newAccount(name string, sink pipeline.Sink, first bool) account {
	own, _ := pipeline.AsLossy(sink)
	return account{name, first, own}
}

// gaveUp returns what the output could not write although it went on.
func (a *account) gaveUp() event.Ledger {
	if a.own == nil {
		return event.Ledger{}
	}
	return a.own.Lost()
}
