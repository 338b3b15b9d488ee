package session_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
)

// rerun replays a file through a pipeline.
func rerun(t *testing.T, file []byte, stages ...pipeline.Stage) event.Ledger {
	t.Helper()
	r, err := session.Open(bytes.NewReader(file), "x")
	if err != nil {
		t.Fatal(err)
	}
	p := pipeline.Pipeline{Source: r, Stages: stages, Sink: keep{}}
	ledger, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ledger
}

// TestLedger records runs of which a stage rejects and merges some, and the
// filter of the kernel others: without a filter the replay's ledger is that of
// the recording, and with one its total.
func TestLedger(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	odd := func(e *event.Event) bool { return e.Count%2 == 1 }
	for range 50 {
		var events []event.Event
		for range rnd.IntN(40) {
			e := anyEvent(rnd)
			e.Count = rnd.Uint64N(1000)
			e.Fragment = e.Kind == event.Drop && rnd.IntN(4) == 0
			events = append(events, e)
		}
		file, want := record(t, events, odd)
		if got := rerun(t, file); got != want {
			t.Errorf("replay: %+v, recording: %+v", got, want)
		}
		filtered := rerun(t, file, func(e *event.Event) bool { return e.Individual })
		if filtered.Total() != want.Total() {
			t.Errorf("filtered replay: %d drops, recording: %d", filtered.Total(), want.Total())
		}
	}
}

// TestEndOfARun shows what the reader makes of a ledger.
func TestEndOfARun(t *testing.T) {
	byFilter := func(n uint64) event.Event {
		return event.Event{Kind: event.Rejected, Count: n}
	}
	parts := func(n uint64) event.Event { return event.Event{Fragment: true, Count: n} }
	reject := func(e *event.Event) bool { return e.Count < 5 }
	tests := map[string]struct{ events, want []event.Event }{
		"nothing":              {nil, nil},
		"rejected by a stage":  {[]event.Event{{Count: 7}, {Count: 1}}, []event.Event{{Count: 1}, byFilter(7)}},
		"by the kernel":        {[]event.Event{byFilter(7)}, []event.Event{byFilter(7)}},
		"by both":              {[]event.Event{byFilter(7), {Count: 6}}, []event.Event{byFilter(7), byFilter(6)}},
		"parts":                {[]event.Event{{Count: 1}, parts(2), parts(8)}, []event.Event{{Count: 1}, parts(10)}},
		"parts and rejections": {[]event.Event{{Count: 9}, parts(2)}, []event.Event{byFilter(9), parts(2)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file, _ := record(t, tt.events, reject)
			got, err := replay(t, file)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].Time = time.Time{} // those of the end have its own
			}
			check(t, tt.want, got)
		})
	}
}

func TestLimit(t *testing.T) {
	file, _ := record(t, typical("trace", 10))
	r, err := session.Open(bytes.NewReader(file), "x")
	if err != nil {
		t.Fatal(err)
	}
	p := pipeline.Pipeline{Source: r, Sink: keep{}, Limit: 4}
	ledger, err := p.Run(t.Context())
	if err != nil || !p.LimitReached() || ledger.Shown != 4 {
		t.Errorf("%d shown, error %v", ledger.Shown, err)
	}
}

// An endTime keeps the time of the end.
type endTime struct {
	keep
	at time.Time
}

func (s *endTime) Write(e *event.Event) error {
	if e.Kind == event.End {
		s.at = e.Time
	}
	return nil
}

// TestTimeOfTheEnd: it is the recorded one, or as far as a file goes.
func TestTimeOfTheEnd(t *testing.T) {
	second := func(n int) time.Time { return started.Add(time.Duration(n) * time.Second) }
	var file bytes.Buffer
	w, err := session.NewWriter(&file, "x", header)
	if err != nil {
		t.Fatal(err)
	}
	lengths := []int{file.Len()}
	for _, e := range []event.Event{
		{Count: 1, Time: second(3)}, {Count: 1},
		{Kind: event.End, Time: second(60), Ledger: &event.Ledger{Shown: 2}},
	} {
		if err := errors.Join(w.Write(&e), w.Flush()); err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, file.Len())
	}
	for i, want := range []time.Time{started, second(3), second(3), second(60)} {
		r, err := session.Open(bytes.NewReader(file.Bytes()[:lengths[i]]), "x")
		if err != nil {
			t.Fatal(err)
		}
		var sink endTime
		p := pipeline.Pipeline{Source: r, Sink: &sink, Now: r.Now}
		if _, err := p.Run(t.Context()); errors.Is(err, session.ErrTruncated) != (i < 3) {
			t.Errorf("of %d events: error %v", i, err)
		}
		if !sink.at.Equal(want) {
			t.Errorf("of %d events: the end is at %v, want %v", i, sink.at, want)
		}
	}
}

// A stopper ends the context with its third event.
type stopper struct {
	list
	stop func()
}

func (s *stopper) Emit(e *event.Event) {
	if len(s.events) == 2 {
		s.stop()
	}
	s.list.Emit(e)
}

func TestContextEndsAReplay(t *testing.T) {
	file, _ := record(t, typical("trace", 10))
	r, err := session.Open(bytes.NewReader(file), "x")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out := stopper{stop: stop}
	if err := r.Run(ctx, &out); err != nil || len(out.events) != 3 {
		t.Errorf("%d events, error %v, want 3 and none", len(out.events), err)
	}
}
