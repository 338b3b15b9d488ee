package zoo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropwatch/internal/vmtest/drops"
)

// maxAlike is how many scenarios of a round may have the same finding: diagnose makes one
// of those in more network namespaces.
const maxAlike = 3

// A round is scenarios that lose packets during the same diagnosis, each in a network
// namespace of its own.
type round struct {
	cases []*result

	turn           sync.Mutex     // one scenario prepares or loses at a time
	prepared, lost sync.WaitGroup // of all scenarios
	begin, end     chan struct{}  // of the diagnosis
	diagnosis      *diagnosis     // nil if it failed

	sources []string     // others that are to watch beside
	others  []*diagnosis // with these, once the round ended
}

// A result is what became of a scenario.
type result struct {
	*Scenario
	netns   string // its name
	found   finding
	other   string // which other sources say so, too, and which do not; empty if none watched
	byC     string // what the C dropwatch shows of it; empty if that did not watch
	outcome string // empty if it was not run

	disturbed bool // it was wrong beside others, and is to be made alone
}

// rounds spreads scenarios over as few rounds as possible.
func rounds(all []Scenario) (rounds []*round) {
	for i := range all {
		s := &all[i]
		r := (*round)(nil)
		if i := slices.IndexFunc(rounds, func(r *round) bool { return r.hasRoomFor(s) }); i >= 0 {
			r = rounds[i]
		} else {
			r = newRound()
			rounds = append(rounds, r)
		}
		r.cases = append(r.cases, &result{Scenario: s, netns: fmt.Sprint("zoo", i)})
	}
	return rounds
}

func newRound(cases ...*result) *round {
	return &round{cases: cases, begin: make(chan struct{}), end: make(chan struct{})}
}

// hasRoomFor reports whether the others bear it, and few may have the same finding.
func (r *round) hasRoomFor(s *Scenario) bool {
	alike := 0
	for _, c := range r.cases {
		if c.alone() || s.alone() {
			return false
		}
		if c.Want.alike(&s.Want) {
			alike++
		}
	}
	return alike < maxAlike
}

// alike reports whether both may be the same finding to diagnose, but for the network namespace.
func (w *Want) alike(o *Want) bool {
	return w.Apart == o.Apart && slices.ContainsFunc(w.IDs, func(id string) bool { return slices.Contains(o.IDs, id) })
}

// run makes each scenario a subtest.
func (r *round) run(t *testing.T, program string, ns *drops.Namespace) {
	var ended sync.WaitGroup
	defer ended.Wait()
	defer close(r.end)
	for _, c := range r.cases {
		r.prepared.Add(1)
		r.lost.Add(1)
		prepared, lost := sync.OnceFunc(r.prepared.Done), sync.OnceFunc(r.lost.Done)
		ended.Go(func() {
			defer lost()
			defer prepared() // a test that fails, or that the flag -test.run leaves out, does so, too
			t.Run(c.Name, func(t *testing.T) { r.scenario(t, c, ns.Of(t), prepared, lost) })
		})
	}
	r.prepared.Wait()
	if !slices.ContainsFunc(r.cases, func(c *result) bool { return c.outcome == ready }) {
		return
	}
	runs := []*run{start(t, program, "auto")}
	for _, source := range r.sources {
		runs = append(runs, start(t, program, source))
	}
	close(r.begin)
	r.lost.Wait()
	time.Sleep(settle)
	r.diagnosis = runs[0].end(t)
	for _, other := range runs[1:] {
		r.others = append(r.others, other.end(t))
	}
}

// ready is the outcome of a scenario that can lose packets.
const ready = "ready"

// settle is the time for what a kernel before 6.5 left to a thread (ksoftirqd).
const settle = 100 * time.Millisecond

// scenario runs one, and checks what was said of it.
func (r *round) scenario(t *testing.T, c *result, ns *drops.Namespace, prepared, lost func()) {
	lacks := ""
	defer func() { c.outcome = outcome(t, lacks) }()
	var lose func()
	r.inTurn(func() { lose = c.prepare(ns) })
	if lose == nil {
		lacks = cmp.Or(ns.Lacks(), "only in a guest")
		return
	}
	c.outcome = ready
	prepared()
	<-r.begin
	r.inTurn(lose)
	lost()
	<-r.end
	if r.diagnosis == nil {
		t.Fatal("there is no diagnosis")
	}
	var wrong wrongs
	d := r.diagnosis.of(c.netns)
	r.diagnosis.checkNowhere(&wrong, c.Want.Nowhere)
	c.found = d.check(&wrong, c.Scenario)
	if wrong == nil {
		return
	}
	t.Log("\n" + strings.Join(wrong, "\n") + "\n" + d.text + "of no namespace:\n" + r.diagnosis.of("").text +
		"not read: " + strings.Join(r.diagnosis.failures, "; "))
	if c.disturbed = len(r.cases) > 1; !c.disturbed {
		t.Error("what is said is wrong")
	}
}

// prepare prepares it in a namespace; see [Scenario].Prepare.
func (c *result) prepare(ns *drops.Namespace) (lose func()) {
	ns.Name(c.netns)
	ns.Sysctl("ipv4/icmp_ratemask", "0") // the limit is of the whole host
	return c.Prepare(ns, packets)
}

// inTurn calls f, which may end the test, while no other scenario does anything.
func (r *round) inTurn(f func()) {
	r.turn.Lock()
	defer r.turn.Unlock()
	f()
}

func outcome(t *testing.T, lacks string) string {
	switch {
	case lacks != "":
		return "not here: " + lacks
	case t.Failed():
		return "WRONG"
	case t.Skipped():
		return "skipped"
	}
	return "right"
}
