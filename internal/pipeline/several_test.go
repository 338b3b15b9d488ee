package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A ticker is a source that gives a drop each second, until its context ends or a
// number is reached, after which it fails or just ends.
type ticker struct {
	reason string
	n      int
	err    error
	after  func()
}

func (s ticker) Run(ctx context.Context, out pipeline.Output) error {
	if s.after != nil {
		defer s.after()
	}
	for range s.n {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		e := drop(1, s.reason)
		out.Emit(&e)
		out.Flush()
	}
	return s.err
}

func TestMerge(t *testing.T) {
	tests := map[string]struct {
		sources []pipeline.Source
		shown   uint64
		after   time.Duration
		err     error
	}{
		"one":              {[]pipeline.Source{ticker{"A", 3, nil, nil}}, 3, 3 * time.Second, nil},
		"one of them ends": {[]pipeline.Source{ticker{"A", 2, nil, nil}, ticker{"B", 5, nil, nil}}, 7, 5 * time.Second, nil},
		"one of them fails": {[]pipeline.Source{ticker{"A", 2, errBroken, nil}, ticker{"B", 5, nil, nil}}, 4, 3 * time.Second,
			errBroken},
		"all until the ending": {[]pipeline.Source{ticker{"A", 99, nil, nil}, ticker{"B", 99, nil, nil}}, 20,
			10500 * time.Millisecond, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
				defer cancel()
				began, sink := time.Now(), &memory{}
				p := pipeline.Pipeline{Source: pipeline.Merge(tt.sources...), Sink: sink}
				ledger, err := p.Run(ctx)
				if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if d := ledger.Shown; d > tt.shown || d+1 < tt.shown || time.Since(began) > tt.after {
					t.Errorf("%d shown after %v, want %d after %v", d, time.Since(began), tt.shown, tt.after)
				}
				if len(sink.wrote) != int(ledger.Shown)+1 {
					t.Errorf("wrote %q", sink.wrote)
				}
			})
		})
	}
}

// TestFanout: an output that fails does not end the others, and its failure is the
// result at the end. The ledger of the run, and that of a table, has what the first did
// not write.
func TestFanout(t *testing.T) {
	events := []event.Event{drop(1, "A"), drop(2, "B"), drop(3, "C")}
	all := []string{"1 A", "2 B", "3 C", "end of 6"}
	tests := map[string]struct {
		failAfter, second, third int
		wrote                    [3][]string
		lost                     uint64
		errs                     int
	}{
		"none fails":        {0, 0, 0, [3][]string{all, all, all}, 0, 0},
		"the first fails":   {1, 0, 0, [3][]string{all[:1], all, all}, 6, 1}, // it was not flushed
		"the second fails":  {0, 2, 0, [3][]string{all, all[:2], all}, 0, 1},
		"at the end":        {0, 3, 0, [3][]string{all, all[:3], all}, 0, 1},
		"both fail":         {2, 1, 0, [3][]string{all[:2], all[:1], all}, 6, 2},
		"the table fails":   {0, 0, 1, [3][]string{all, all, all[:1]}, 0, 1},
		"first, at the end": {3, 0, 0, [3][]string{all[:3], all, all}, 0, 1}, // the source has flushed
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first, second, table := &memory{failAfter: tt.failAfter}, &memory{failAfter: tt.second}, &memory{failAfter: tt.third}
			sink := pipeline.NewFanout([]pipeline.Sink{first, second}, []pipeline.Sink{table})
			p := pipeline.Pipeline{Source: &script{events: events, flushes: 1}, Sink: sink}
			ledger, err := p.Run(t.Context())
			if got := strings.Count(fmt.Sprint(err), "broken"); got != tt.errs || errors.Is(err, errBroken) != (tt.errs > 0) {
				t.Errorf("error %v, want %d", err, tt.errs)
			}
			if wrote := [3][]string{first.wrote, second.wrote, table.wrote}; !reflect.DeepEqual(wrote, tt.wrote) {
				t.Errorf("wrote %q", wrote)
			}
			if ledger.Lost[event.InSink] != tt.lost || ledger.Total() != 6 {
				t.Errorf("ledger %+v", ledger)
			}
		})
	}
}

// TestFanoutOfABlockedQueue: drops that a blocked output has not written, or that one has not
// which failed, are lost, and those before are not. A table waits for that.
func TestFanoutOfABlockedQueue(t *testing.T) {
	for name, fails := range map[string]error{"blocks": nil, "fails": errBroken} {
		t.Run(name, func(t *testing.T) {
			const written = 600
			abort := make(chan struct{})
			to := &stuckAfter{n: written, until: make(chan struct{}), err: fails}
			if fails != nil {
				close(to.until)
			}
			var events []event.Event
			for range 5000 {
				events = append(events, drop(1, "A"))
			}
			var table valve
			source := &afterwards{script: script{events: events}, do: func() {
				if fails == nil {
					close(abort)
				}
			}}
			sink := pipeline.NewFanout([]pipeline.Sink{pipeline.NewQueue(to, abort)}, []pipeline.Sink{&table})
			p := pipeline.Pipeline{Source: source, Sink: sink}
			ledger, err := p.Run(t.Context())
			if want := cmp.Or(fails, pipeline.ErrBlocked); !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
			if ledger.Total() != 5000 || ledger.Shown > written || table.ledger != ledger {
				t.Errorf("ledger %+v, of the table %+v", ledger, table.ledger)
			}
			if fails == nil {
				close(to.until)
			}
		})
	}
}

// A stuckAfter takes n events, and blocks then until it fails with err.
type stuckAfter struct {
	n     int
	until chan struct{}
	err   error
}

func (s *stuckAfter) Write(*event.Event) error {
	if s.n--; s.n < 0 {
		<-s.until
		return s.err
	}
	return nil
}

func (s *stuckAfter) Flush() error { return nil }

// TestFanoutLost: what an output that failed did not get is all that it did not write, with findings, before it failed and after.
func TestFanoutLost(t *testing.T) {
	failing := &stuckAfter{until: make(chan struct{}), err: errBroken}
	close(failing.until)
	for name, output := range map[string]pipeline.Sink{"alone": failing, "behind a queue": pipeline.NewQueue(failing, nil)} {
		f := pipeline.NewFanout([]pipeline.Sink{new(valve), output}, nil)
		finding := event.Event{Kind: event.Finding, Count: 1, Incident: new(event.Incident)}
		end := event.Event{Kind: event.End, Ledger: new(event.Ledger)}
		for _, e := range []event.Event{drop(2, "A"), finding, drop(1, "B"), finding, end} {
			if err := f.Write(&e); err != nil {
				t.Error(err)
			}
			if err := f.Flush(); (e.Kind == event.End) != errors.Is(err, errBroken) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		if lost, err := f.Lost(1); lost.Unwritten() != "3 drops and 2 findings" || !errors.Is(err, errBroken) {
			t.Errorf("%s: lost %s, error %v", name, lost.Unwritten(), err)
		}
		if lost, err := f.Lost(0); lost != (event.Ledger{}) || err != nil {
			t.Errorf("%s: the other one lost %+v, error %v", name, lost, err)
		}
	}
}

// TestFanoutLedgers: each output has the ledger of what it got.
func TestFanoutLedgers(t *testing.T) {
	var slow, fast valve
	slow.mu.Lock()
	var events []event.Event
	for i := range 9000 {
		events = append(events, big(i))
	}
	source := &afterwards{script: script{events: events}, do: slow.mu.Unlock}
	p := pipeline.Pipeline{Source: source, Sink: pipeline.NewFanout([]pipeline.Sink{pipeline.NewQueue(&slow, nil), &fast}, nil)}
	ledger, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkQueued(t, &slow, ledger)
	checkQueued(t, &fast, event.Ledger{Shown: 9000})
	if ledger.Lost[event.InSink] == 0 || ledger.Total() != 9000 {
		t.Errorf("ledger %+v", ledger)
	}
}

// TestFailover goes on with a second source, then has none any more.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := errors.New("broken, too")
		var to valve
		f := &pipeline.Failover{
			Source: ticker{"A", 3, &pipeline.StoppedError{Since: time.Now().Add(2 * time.Second), Err: errBroken}, nil},
			Next: func(_ context.Context, cause error) (pipeline.Source, string, error) {
				if errors.Is(cause, second) {
					return nil, "", io.EOF
				}
				time.Sleep(500 * time.Millisecond)
				return ticker{"B", 2, second, nil}, "trace", nil
			},
		}
		p := pipeline.Pipeline{Source: f, Sink: &to}
		ledger, err := p.Run(t.Context())
		if !errors.Is(err, second) || !errors.Is(err, io.EOF) || errors.Is(err, errBroken) {
			t.Errorf("error %v", err)
		}
		if ledger.Shown != 5 || ledger.Gap != 1500*time.Millisecond || ledger.Lost[event.Uncovered] != 1 {
			t.Errorf("ledger %+v", ledger)
		}
		loss := to.wrote[3]
		if want := []event.Arg{{Name: "source", Text: "trace"}, {Name: "cause", Text: "broken"}}; !slices.Equal(loss.Args, want) {
			t.Errorf("args %+v, want %+v", loss.Args, want)
		}
	})
}

// TestFailoverEnds: a source that ends, with its context or before, has none after it.
func TestFailoverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		for _, s := range []pipeline.Source{ticker{"A", 1, nil, nil}, ticker{"A", 1, errBroken, cancel}} {
			f := &pipeline.Failover{Source: s, Next: func(context.Context, error) (pipeline.Source, string, error) {
				t.Error("another source was opened")
				return nil, "", io.EOF
			}}
			p := pipeline.Pipeline{Source: f, Sink: &memory{}}
			if ledger, _ := p.Run(ctx); ledger.Shown != 1 {
				t.Errorf("ledger %+v", ledger)
			}
		}
	})
}

// TestFailoverInTime: where the second source began before the first ended, or while it
// was not known whether that reports drops, the gap is as the first says.
func TestFailoverInTime(t *testing.T) {
	now := time.Now()
	for gap, want := range map[time.Duration]uint64{0: 0, time.Second: 1} {
		sink := &valve{}
		stopped := &pipeline.StoppedError{Since: now, Until: now.Add(gap), Err: errBroken}
		f := &pipeline.Failover{Source: &script{err: stopped}, Next: func(context.Context, error) (pipeline.Source, string, error) {
			return &script{}, "trace", nil
		}}
		p := pipeline.Pipeline{Source: f, Sink: sink}
		ledger, err := p.Run(t.Context())
		if err != nil || ledger.Lost[event.Uncovered] != want || ledger.Gap != gap {
			t.Errorf("%v: error %v, ledger %+v", gap, err, ledger)
		}
		if len(sink.wrote) != 2 || sink.wrote[0].Kind != event.Loss || sink.wrote[0].Args[0].Text != "trace" {
			t.Errorf("%v: %+v", gap, sink.wrote)
		}
	}
}

// TestFailoverIsShownAtOnce: a gap does not wait for a drop of the next source.
func TestFailoverIsShownAtOnce(t *testing.T) {
	sink := &memory{}
	f := &pipeline.Failover{Source: &script{err: errBroken}, Next: func(context.Context, error) (pipeline.Source, string, error) {
		return &script{}, "trace", nil
	}}
	p := pipeline.Pipeline{Source: f, Sink: sink}
	if _, err := p.Run(t.Context()); err != nil || sink.flushed != 2 {
		t.Errorf("error %v, flushed %d times, want after the gap and at the end", err, sink.flushed)
	}
}

func TestReaderClosed(t *testing.T) {
	pipe := fmt.Errorf("write drops: %w", &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE})
	for err, want := range map[error]bool{
		pipe:                                     true,
		errors.Join(pipe):                        true,
		errors.Join(pipe, pipe):                  true,
		errors.Join(pipe, errBroken):             false,
		errBroken:                                false,
		os.NewSyscallError("write", syscall.EIO): false,
	} {
		if got := pipeline.ReaderClosed(err); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
	if pipeline.ReaderClosed(nil) {
		t.Error("no error is one")
	}
}

// TestContinue: a source that goes on after another run begins with the time in between.
func TestContinue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := time.Now()
		time.Sleep(300 * time.Millisecond)
		sink := new(memory)
		p := pipeline.Pipeline{Source: pipeline.Continue(&script{events: []event.Event{drop(2, "A")}}, ended, "bpf", errBroken), Sink: sink}
		ledger, err := p.Run(t.Context())
		if err != nil || ledger.Gap != 300*time.Millisecond || ledger.Shown != 2 || ledger.Lost[event.Uncovered] != 1 {
			t.Errorf("ledger %+v, %v", ledger, err)
		}
		if want := []string{"lost 1 while no source was running", "2 A", "end of 2"}; !slices.Equal(sink.wrote, want) {
			t.Errorf("wrote %q, want %q", sink.wrote, want)
		}
	})
}
