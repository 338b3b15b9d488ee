package capture

import (
	"errors"
	"slices"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/correlate"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/stage/resolve"
)

// correlateStages say of a drop what is shown of it at a segment that is sent again.
func (r *Runner) correlateStages() []pipeline.Stage {
	return slices.Concat([]pipeline.Stage{decode.Packets()}, r.Symbols.stages(), []pipeline.Stage{
		resolve.Interfaces(resolve.NewHostInterfaces(r.Host).Name),
	})
}

// errNoDrops is the error of a source that does not say how far it has read.
var errNoDrops = errors.New("the source of drops does not say how far it has read")

// andRetrans returns a source of the drops that an expression selects which also reports what TCP sends again, and which
// of that this host dropped before. Where that cannot be traced it returns the same source, as counters say how much it is, or closes
// it and returns an error if that is wanted.
func (r *Runner) andRetrans(drops Tracer, spec *Spec) (Tracer, error) {
	in := &spec.Input
	d, ok := drops.(correlate.Drops)
	err := errNoDrops
	var tcp Tracer
	if ok {
		tcp, err = r.OpenRetrans(retrans.Options{RingSize: besideDrops, Resets: in.Resets, RawAddresses: in.RawAddresses})
	}
	switch {
	case err == nil:
		return r.correlated(tcp, d, spec), nil
	case in.withTCP():
		return nil, errors.Join(err, drops.Close())
	}
	return drops, nil
}

// correlated returns a source of drops and of what TCP did, which it joins. A rule is named where the events are shown.
func (r *Runner) correlated(tcp Tracer, drops correlate.Drops, spec *Spec) *correlate.Source {
	s := &correlate.Source{TCP: tcp, Drops: drops, PassDrops: true, Resets: spec.Input.Resets, Stages: r.correlateStages()}
	if spec.Input.withTCP() {
		s.Rule = r.ruleOf()
	}
	if !spec.Filter.OfFlow() {
		s.Doubt = "the expression selects only some drops of a connection"
	}
	return s
}

// ruleOf returns a function that returns the firewall's rule that made a drop, and how sure that is.
func (r *Runner) ruleOf() func(*event.Event) (rule, confidence string) {
	rules := diagnose.NewRules(r.Host)
	return func(drop *event.Event) (rule, confidence string) {
		of := rules.Of(drop)
		return of.Text, string(of.Confidence)
	}
}

// withRule returns a stage that adds to the verdicts of nftables, at points and of drops that had reached these, what the
// rule is.
func (r *Runner) withRule() pipeline.Stage {
	rules := diagnose.NewRules(r.Host)
	ruleOf := func(e *event.Event, name string, args []event.Arg) []event.Arg {
		if by := rules.Reached(e.Netns.Inode, name, args); by.Text != "" {
			args = append(args, event.Arg{Name: "rule", Text: by.Text})
		}
		return args
	}
	return func(e *event.Event) bool {
		switch {
		case e.Point != "":
			e.Args = ruleOf(e, e.Point, e.Args)
		case e.Reached != nil:
			e.Reached.Args = ruleOf(e, e.Reached.Point, e.Reached.Args)
		}
		return true
	}
}

// besideDrops is the size of the ring of what TCP sends again, in bytes, where drops matter more: it
// has room for a thousand segments between two reads.
const besideDrops = 256 << 10
