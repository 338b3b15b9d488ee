package pipeline

import (
	"errors"
	"syscall"

	"dropwatch/internal/event"
)

// A Fanout is one sink of several independent outputs. One that fails gets no more events,
// and its error is returned by the last Flush. No failure ends the run: whoever makes the
// outputs knows which ones a run is worth.
type Fanout struct {
	outputs, tables []branch
	ended           bool // the End was written
}

// NewFanout returns a Fanout. Each output has a ledger of its own, because it may fail, or its
// queue may lose drops; that of the first, if there is any, becomes the ledger of the run. Tables end after
// the outputs, and with that ledger.
func NewFanout(outputs, tables []Sink) *Fanout {
	return &Fanout{outputs: branches(outputs), tables: branches(tables)}
}

// branches makes a branch for each sink.
func branches(sinks []Sink) []branch {
	b := make([]branch, len(sinks))
	for i, s := range sinks {
		b[i].Sink = s
	}
	return b
}

// A branch is an output of a Fanout.
type branch struct {
	Sink
	err       error        // with which it failed; nil while it works
	unwritten event.Ledger // drops since the last Flush, or since it failed; a Lossy counts the former itself
}

// write writes an event if the output works.
func (b *branch) write(e *event.Event) {
	if b.err == nil {
		b.err = b.Write(e)
	}
	if _, counts := AsLossy(b.Sink); b.err != nil || !counts {
		b.unwritten.Add(e)
	}
}

// flush flushes the output if it works.
func (b *branch) flush() {
	if b.err == nil {
		b.err = b.Flush()
	}
	if b.err == nil {
		b.unwritten = event.Ledger{}
	}
}

// end writes the End with a copy of a ledger.
func (b *branch) end(e *event.Event, l event.Ledger) {
	last := *e
	last.Ledger = &l
	if b.err == nil {
		b.err = b.Write(&last)
	}
}

// lost returns the drops that the output has not written, and what was beside them.
func (b *branch) lost() (lost event.Ledger) {
	if lossy, ok := AsLossy(b.Sink); ok {
		lost = lossy.Lost()
	}
	lost.AddDrops(&b.unwritten)
	return lost
}

// Lost returns what an output, counted from 0, did not write, with all that came after it failed, as shown or harmless, and the
// error with which it failed, if it did. It is for when the run has ended.
func (f *Fanout) Lost(output int) (event.Ledger, error) {
	b := &f.outputs[output]
	return b.lost(), b.err
}

// Write writes the event to each output that works. It returns no error.
func (f *Fanout) Write(e *event.Event) error {
	if e.Kind == event.End {
		f.end(e)
		return nil
	}
	for _, all := range [][]branch{f.outputs, f.tables} {
		for i := range all {
			all[i].write(e)
		}
	}
	return nil
}

// end ends the outputs and waits for them, so that the tables have what they did not write.
func (f *Fanout) end(e *event.Event) {
	f.ended = true
	for i := range f.outputs {
		f.outputs[i].end(e, *e.Ledger)
	}
	for i := range f.outputs {
		f.outputs[i].flush()
	}
	if len(f.outputs) > 0 {
		lost := f.outputs[0].lost()
		e.Ledger.Lose(&lost)
	}
	for i := range f.tables {
		f.tables[i].end(e, *e.Ledger)
	}
}

// Flush flushes each output that works. After the End it returns every error.
func (f *Fanout) Flush() error {
	var errs []error
	for _, all := range [][]branch{f.outputs, f.tables} {
		for i := range all {
			all[i].flush()
			errs = append(errs, all[i].err)
		}
	}
	if f.ended {
		return errors.Join(errs...)
	}
	return nil
}

// ReaderClosed reports whether an error is only that the reader of a pipe closed it,
// as head(1) does when it has seen enough.
func ReaderClosed(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !ReaderClosed(e) {
				return false
			}
		}
		return true
	}
	if inner := errors.Unwrap(err); inner != nil {
		return ReaderClosed(inner)
	}
	return errors.Is(err, syscall.EPIPE)
}
