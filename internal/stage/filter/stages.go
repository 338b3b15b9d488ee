package filter

import (
	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Step is a stage of a pipeline that adds facts to drops.
type Step struct {
	Stage pipeline.Stage // adds them
	Adds  event.Facts    // that drops may have only after it
}

// Stages returns the steps with f among them. Each part of f (the operands of and) is tested as early as its
// facts are known, so that a drop that it rejects does not cost the later steps. A drop that f cannot
// decide on is rejected as Undecided.
func (f *Filter) Stages(steps []Step) []pipeline.Stage {
	nodes := f.conjuncts()
	return arrange(steps, nodes, nodes)
}

// StagesOf is [Filter.Stages] for the drops that s.Kernel has passed. Of events that are not Individual,
// which are counts, only s.Rest is tested.
func (f *Filter) StagesOf(s Split, steps []Step) []pipeline.Stage {
	return arrange(steps, f.conjuncts(), s.Rest.conjuncts())
}

// conjuncts returns the parts of f that must all match.
func (f *Filter) conjuncts() []node {
	if f == nil {
		return nil
	}
	return conjuncts(f.root)
}

// arrange returns the steps with checks between them, of the nodes for individual drops and of those for
// counts.
func arrange(steps []Step, individual, counts []node) (stages []pipeline.Stage) {
	if len(individual) == 0 {
		for _, s := range steps {
			stages = append(stages, s.Stage)
		}
		return stages
	}
	add := func(pending event.Facts, last bool) {
		c := check{first: len(stages) == 0, last: last}
		c.individual, individual = decidable(individual, pending)
		c.counts, counts = decidable(counts, pending)
		if last || len(c.individual) > 0 || len(c.counts) > 0 {
			stages = append(stages, c.stage)
		}
	}
	for i := range steps {
		add(adds(steps[i:]), false)
		stages = append(stages, steps[i].Stage)
	}
	add(0, true)
	return stages
}

// adds returns the facts that steps add.
func adds(steps []Step) (all event.Facts) {
	for _, s := range steps {
		all |= s.Adds
	}
	return all
}

// decidable returns the nodes that need none of the pending facts, and the others.
func decidable(nodes []node, pending event.Facts) (now, later []node) {
	for _, n := range nodes {
		var needs event.Facts
		n.each(func(l *leaf) { needs |= l.needs() })
		if needs&pending == 0 {
			now = append(now, n)
		} else {
			later = append(later, n)
		}
	}
	return now, later
}

// A check is a stage that tests parts of a filter.
type check struct {
	individual, counts []node
	first, last        bool // check of the pipeline
}

// stage is the pipeline.Stage of a check. It rejects drops that do not match. A drop that cannot be decided
// on may be rejected by a later check; the last one rejects it as Undecided.
func (c *check) stage(e *event.Event) bool {
	nodes := c.individual
	if !e.Individual {
		nodes = c.counts
	}
	undecided := e.Undecided && !c.first
	for _, n := range nodes {
		switch n.decide(e) {
		case condition.False:
			e.Undecided = false
			return false
		case condition.Unknown:
			undecided = true
		}
	}
	e.Undecided = undecided
	return !undecided || !c.last
}
