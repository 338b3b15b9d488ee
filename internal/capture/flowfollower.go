package capture

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"dropwatch/internal/condition"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/source/follow"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/stage/owner"
)

// A FlowFollower counts the packets of flows where they pass, each from when it is asked for until the run ends, and is a
// sink of the drops that are among them. Where BPF cannot count packets, it counts none, and says nothing. The zero
// FlowFollower counts none before the run of a Spec that has it.
type FlowFollower struct {
	mu      sync.Mutex
	runner  *Runner         // nil: it counts nothing now
	all     []*followedFlow // in the order in which they were asked for
	opening sync.WaitGroup
	reading sync.Once
	failed  error // of the counters, once they are stopped
}

// A followedFlow is a flow with the counter of its packets, which counts.
type followedFlow struct {
	diagnose.Flow
	filter    *filter.Filter // that its packets match
	counter   FlowCounter    // of the kernel, which is read at the end
	table     *flows.Table   // the drops, by network namespace
	undecided uint64         // drops that may be of the flow
}

// Follow begins to count the packets of a flow, soon, unless the run ends. It does not block.
func (f *FlowFollower) Follow(flow diagnose.Flow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.runner == nil {
		return
	}
	open := f.runner.OpenFlows
	f.opening.Go(func() {
		if one := openFlow(open, flow); one != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.all = append(f.all, one)
		}
	})
}

// openFlow returns a flow whose packets are counted, nil if they cannot be.
func openFlow(open func(follow.Options) (FlowCounter, error), flow diagnose.Flow) *followedFlow {
	selected, err := filter.Parse(expressionOf(flow))
	if err != nil { // of a protocol that no expression names
		return nil
	}
	counter, err := open(follow.Options{Condition: selected.Kernel(filter.Resolver{})})
	if err != nil {
		return nil
	}
	if counter.Start() != nil {
		counter.Close()
		return nil
	}
	return &followedFlow{Flow: flow, filter: selected, counter: counter, table: flows.New()}
}

// expressionOf returns the expression that selects the packets of a flow.
func expressionOf(f diagnose.Flow) string {
	parts := []string{f.Protocol, "src " + f.Src.Addr().String(), "dst " + f.Dst.Addr().String()}
	if port := f.Src.Port(); port != 0 {
		parts = append(parts, fmt.Sprint("srcport ", port))
	}
	if port := f.Dst.Port(); port != 0 {
		parts = append(parts, fmt.Sprint("dstport ", port))
	}
	return strings.Join(parts, " and ")
}

// Write adds a drop to the flows that it is of, or may be of.
func (f *FlowFollower) Write(e *event.Event) error {
	if e.Kind != event.Drop {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if e.Aggregate || one.counter.Covers(e.Time) {
			one.add(e)
		}
	}
	return nil
}

// Flush does nothing: it writes no output.
func (f *FlowFollower) Flush() error { return nil }

// add counts a drop that is of the flow, and notes one of which that is not known.
func (f *followedFlow) add(e *event.Event) {
	switch f.filter.Decide(e) {
	case condition.True:
		f.table.Drop(e)
	case condition.Unknown:
		if e.Harmless == "" {
			f.undecided += e.Count
		}
	case condition.False:
	}
}

// Stop ends counting: of each flow at all places at once. Its error is nil: see Followed.
func (f *FlowFollower) Stop() error {
	f.mu.Lock()
	f.runner = nil
	f.mu.Unlock()
	f.opening.Wait()
	for _, one := range f.all {
		f.failed = errors.Join(f.failed, one.counter.Stop())
	}
	return nil
}

// finish reads what was counted, and detaches the programs. Only its first call does something.
func (f *FlowFollower) finish() {
	f.reading.Do(func() {
		f.opening.Wait()
		for _, one := range f.all {
			r, err := one.counter.Read()
			one.table.Read(r)
			f.failed = errors.Join(f.failed, err, one.counter.Close())
		}
	})
}

// Followed returns what became of the packets, when counting has ended with a ledger of all drops. If a counter failed that
// is noted, and nothing is known.
func (f *FlowFollower) Followed(r *Runner, ledger event.Ledger) (all []diagnose.Followed) {
	if f.failed != nil {
		r.Notices.Note("what became of the packets of flows is not known: %v", f.failed)
		return nil
	}
	names := owner.NetnsNames(r.Host)
	for _, one := range f.all {
		ledger.Undecided = one.undecided
		followed := diagnose.Followed{Flow: one.Flow}
		for _, a := range one.table.Accounts(one.counter.Blind() != "", &ledger) {
			followed.In = append(followed.In, diagnose.FollowedIn{Netns: event.Netns{Inode: a.Netns, Name: names(a.Netns)}, Account: a})
		}
		all = append(all, followed)
	}
	return all
}
