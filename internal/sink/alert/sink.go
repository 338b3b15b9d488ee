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
}

// A Sink watches by several rules, which can be replaced between two runs. It never blocks.
type Sink struct {
	o       Options
	watches []*watch
	ctx     context.Context // of the commands
	stop    context.CancelFunc
	working sync.WaitGroup

	mu   sync.Mutex
	busy map[string]bool // by the name of a rule whose last incident is still reported
}

// NewSink returns a Sink without rules.
func NewSink(o Options) *Sink {
	s := &Sink{o: o, busy: make(map[string]bool)}
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
// yet, only a line says so.
func (s *Sink) report(r *Rule, in incident) {
	rule := *r
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[r.Name] || s.ctx.Err() != nil {
		go s.o.Notify(rule.line(&in) + ": no command is run, as the last one still runs")
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
