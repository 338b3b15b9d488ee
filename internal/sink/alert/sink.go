package alert

import (
	"context"
	"slices"
	"sync"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// Options of a Sink. All are required.
type Options struct {
	Host   string                // the name of this host, for commands
	Ask    func() *diagnose.Host // what findings ask of it, as it is at the time of the call
	Notify func(string)          // gets a line for each incident; it may be called by any goroutine

	// GoesOn reports whether, after a run whose context has ended, another one follows, to which what is not reported yet
	// can be left.
	GoesOn func(context.Context) bool
}

// A Sink watches by several rules, which can be replaced between two runs. It never blocks. What it finds it reports
// as a source: see Run.
type Sink struct {
	o       Options
	watches []*watch        // one for each rule
	ctx     context.Context // of the commands
	stop    context.CancelFunc
	working sync.WaitGroup // of the programs that run
	found   findings

	mu   sync.Mutex
	busy map[string]bool // by the name of a rule whose last incident is still reported
}

// NewSink returns a Sink without rules.
func NewSink(o Options) *Sink {
	s := &Sink{o: o, busy: make(map[string]bool), found: findings{wakeup: make(chan struct{}, 1)}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Use replaces the rules, whose names differ. One that is as before keeps its incident. It must not
// be called while events are written.
func (s *Sink) Use(rules []Rule) {
	var all []*watch
	for _, r := range rules {
		i := slices.IndexFunc(s.watches, func(w *watch) bool { return w.rule.same(r) })
		if i < 0 {
			all = append(all, newWatch(r, s.report))
			continue
		}
		s.watches[i].rule.Match = r.Match
		all = append(all, s.watches[i])
	}
	for _, w := range s.watches {
		if !slices.Contains(all, w) {
			w.close()
		}
	}
	s.watches = all
}

// Write counts an event by each rule. Of drops only those that lost a packet count.
func (s *Sink) Write(e *event.Event) error {
	if e.Fragment || e.Harmless != "" {
		return nil
	}
	for _, w := range s.watches {
		w.add(e)
	}
	return nil
}

// Flush does nothing: a Sink writes no output.
func (s *Sink) Flush() error { return nil }

// Close ends all work, and the commands that run.
func (s *Sink) Close() {
	s.Use(nil)
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.working.Wait()
}

// report reports an incident in a goroutine of its own. If the one before of the rule is not reported
// yet, it is reported without a cause and without the command.
func (s *Sink) report(r *Rule, in incident) {
	rule := *r
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found.expect()
	if s.busy[r.Name] || s.ctx.Err() != nil {
		e := rule.event(&in)
		s.found.add(e)
		go s.o.Notify(string(e.Incident.AppendTo(nil)) + ": no command is run, as the last one still runs")
		return
	}
	s.busy[r.Name] = true
	s.working.Go(func() {
		s.tell(&rule, &in)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.busy, rule.Name)
	})
}
