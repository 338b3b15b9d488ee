package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/pair"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
	"dropwatch/netlink"
)

// A demand is what a command asks of the source of drops.
type demand struct {
	source  string // auto, or the name of one
	classic bool   // of those that work rather the drop monitor
	origins netlink.Origins
	listen  netlink.ListenConfig
	stack   bool
	filter  *filter.Filter // nil: everything

	// For bpf: the drops of a kind that are taken whole, 0 for all; the bytes
	// of a packet; and whether drops are counted by owner.
	sample, bytes int
	byOwner       bool
	sampledStack  bool // take the calls of those that are taken whole

	configure func(*netlink.Config) // sets NET_DM up; nil: it is as it should be
	summary   bool                  // that is, for summaries
	takeover  bool                  // without asking
}

// A supply is a source that works. Close lets it go where it was not run, and
// undo puts back what was set for it.
type supply struct {
	pipeline.Source
	stage pipeline.Stage // keeps the drops that are wanted
	name  string
	most  int    // of a kind and second that are to be shown by themselves; 0: all
	why   string // it is not one before in the ladder
	modes bool   // alerts are as the monitor is set to give them
	close func()
	undo  func()
}

// A rung is a source that can be tried.
type rung struct {
	name string
	open func(*App, context.Context, demand) (*supply, error)
}

// The sources in the order in which they are tried, by a session and by all else.
var (
	bpfRung       = rung{"bpf", (*App).openBPF}
	netdmRung     = rung{"netdm", (*App).openNetdm}
	traceRung     = rung{"trace", (*App).openTrace}
	ladder        = []rung{bpfRung, netdmRung, traceRung}
	classicLadder = []rung{netdmRung, bpfRung, traceRung}
)

func sourceNames() []string {
	names := []string{"auto"}
	for _, rung := range ladder {
		names = append(names, rung.name)
	}
	return names
}

// rungs are those that are asked for.
func (d *demand) rungs() []rung {
	all := ladder
	if d.classic {
		all = classicLadder
	}
	if d.source == "auto" {
		return all
	}
	i := slices.IndexFunc(all, func(r rung) bool { return r.name == d.source })
	return all[i : i+1]
}

// supply gives the first source that works, or the one that is named. A monitor
// that another program uses does work: what to do is for the user to say.
func (a *App) supply(ctx context.Context, d demand) (*supply, error) {
	var failed []string
	for _, rung := range d.rungs() {
		s, err := rung.open(a, ctx, d)
		inUse := (*netdm.InUseError)(nil)
		switch {
		case err == nil:
			a.lookup.complain(a.warn)
			s.why = strings.Join(failed, "; ")
			if s.stage == nil {
				s.stage = d.filter.Stage()
			}
			return s, nil
		case d.source != "auto":
			return nil, fmt.Errorf("source %s: %w", rung.name, err)
		case ctx.Err() != nil, errors.As(err, &inUse):
			return nil, err
		}
		failed = append(failed, fmt.Sprintf("%s: %v", rung.name, err))
	}
	return nil, fmt.Errorf("no source of drops can be used (`dropwatch doctor` tells more):\n  %s", strings.Join(failed, "\n  "))
}

// announce says which source it is, and why it is not one before.
func (a *App) announce(s *supply) {
	if s.why == "" {
		a.warn(fmt.Errorf("source %s", s.name))
		return
	}
	a.warn(fmt.Errorf("source %s, as another cannot be used: %s", s.name, s.why))
}

// openNetdm switches NET_DM on. In packet mode trace runs beside it, which sees
// the packets that have no MAC header.
func (a *App) openNetdm(ctx context.Context, d demand) (*supply, error) {
	if err := d.cannot(unmonitored); err != nil {
		return nil, err
	}
	s, err := a.monitor.get()
	if err != nil {
		return nil, err
	}
	if d.takeover {
		defer claiming(s, anybody)()
	}
	undo := func() {}
	if d.configure != nil {
		if undo, err = configure(ctx, s, d.configure); err != nil {
			return nil, advise(err)
		}
	}
	given, err := a.startNetdm(ctx, s, d)
	if err != nil {
		undo()
		return nil, advise(err)
	}
	given.undo = undo
	a.warnOfFilter("netdm", d.filter, unmonitored)
	return given, nil
}

func (a *App) startNetdm(ctx context.Context, s *netdm.Session, d demand) (*supply, error) {
	cfg, err := s.Config()
	packets := err == nil && cfg.Mode == netlink.ModePacket // before 5.4 there are only summaries
	var beside tracer
	if packets && d.origins != netlink.Hardware {
		beside = a.beside(d)
	}
	run, err := s.Start(ctx, d.origins, d.listen)
	if err != nil {
		if beside != nil {
			beside.Close()
		}
		return nil, err
	}
	given := &supply{Source: run, name: "netdm", modes: true, close: func() { run.Close() }}
	if beside != nil {
		both := pair.New(run, beside)
		both.Wait, both.Warn, both.Devices = d.stack, a.warn, d.origins&netlink.Hardware != 0
		given.Source, given.name = both, "netdm, with trace beside it"
		given.close = func() { run.Close(); beside.Close() }
	}
	return given, nil
}

// A tracer is a source that is opened by itself: a bpf.Source, a trace.Source, or
// what stands for them in tests.
type tracer interface {
	pipeline.Source
	Close() error
}

// opener makes a function of a source's Open whose source can be nil.
func opener[O any, S tracer](open func(O) (S, error)) func(O) (tracer, error) {
	return func(o O) (tracer, error) {
		s, err := open(o)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// traced makes a supply of a source that is opened by itself.
func traced(name string, s tracer) *supply {
	return &supply{Source: s, name: name, close: func() { s.Close() }, undo: func() {}}
}

// openBPF takes the event with BPF.
func (a *App) openBPF(_ context.Context, d demand) (*supply, error) {
	switch {
	case d.summary:
		return nil, errors.New("it has no summary mode: leave out --mode summary")
	case d.origins&netlink.Hardware != 0:
		return nil, errors.New("it sees no hardware drops")
	}
	if err := d.cannot(unattached); err != nil {
		return nil, err
	}
	o := bpf.Options{
		Sample: d.sample, Trunc: d.bytes, Stack: d.stack || d.sampledStack,
		ByOwner: d.byOwner || len(d.filter.Needs(filter.Owner)) > 0,
	}
	split, err := a.split(d.filter)
	if err != nil {
		return nil, err
	}
	o.Condition = split.Kernel
	s, err := a.bpf(o)
	if err != nil {
		return nil, err
	}
	a.warnOfFilter("bpf", d.filter, unattached)
	given := traced("bpf", s)
	given.stage = d.filter.StageOf(split)
	if len(split.Whole) > 0 { // then those that are taken whole are not so few
		given.most = d.sample
	}
	return given, nil
}

// kinds are what a drop that bpf has counted is known by; the name of its
// interface may not be.
const kinds = filter.Reason | filter.Namespace | filter.Protocol | filter.Owner | filter.Trap | filter.Cookie

// split has the kernel test what it can.
func (a *App) split(f *filter.Filter) (filter.Split, error) {
	names := filter.Resolver{Function: a.lookup.function}
	if len(f.Reasons()) > 0 {
		var err error
		if names.Reason, err = bpf.Reasons(); err != nil {
			return filter.Split{}, err
		}
	}
	return f.Split(names, kinds), nil
}

// beside opens trace for what packet mode cannot show, or tells why it cannot.
func (a *App) beside(d demand) tracer {
	t, err := a.trace(trace.Options{Stack: d.stack})
	if err != nil {
		a.warn(fmt.Errorf("drops of packets without a MAC header, such as on OUTPUT, cannot be shown: trace: %w", err))
		return nil
	}
	return t
}

// What a source does not know, which another does.
const (
	unmonitored = filter.Owner | filter.Namespace
	untraced    = filter.Packet | filter.Length | filter.Interface | filter.Trap | filter.Cookie | filter.Owner | filter.Namespace
	unattached  = filter.Trap | filter.Cookie
)

// cannot says what of lacking is needed for any drop to be wanted, if anything is.
func (d *demand) cannot(lacking filter.Given) error {
	if d.filter.CanMatch(lacking) {
		return nil
	}
	return fmt.Errorf("it does not know %s, which the expression asks for", strings.Join(d.filter.Needs(lacking), ", "))
}

// openTrace takes the trace event alone, filtered in the kernel as far as the
// expression allows.
func (a *App) openTrace(_ context.Context, d demand) (*supply, error) {
	switch {
	case d.summary:
		return nil, errors.New("it has no summary mode: leave out --mode summary")
	case d.origins == netlink.Hardware:
		return nil, errors.New("it sees no hardware drops")
	}
	if err := d.cannot(untraced); err != nil {
		return nil, err
	}
	o := trace.Options{Stack: d.stack}
	if d.filter != nil {
		reasons, err := trace.Reasons()
		if err != nil {
			return nil, err
		}
		o.Filter = trace.Expression(d.filter.Kernel(filter.Resolver{Reason: reasons}))
	}
	t, err := a.trace(o)
	if err != nil {
		return nil, err
	}
	a.warnOfFilter("trace", d.filter, untraced)
	return traced("trace", t), nil
}

// warnOfFilter tells that an expression asks also for what a source does not know.
func (a *App) warnOfFilter(source string, f *filter.Filter, lacking filter.Given) {
	if fields := f.Needs(lacking); len(fields) > 0 {
		a.warn(fmt.Errorf("source %s does not know %s: what asks for it matches nothing", source, strings.Join(fields, ", ")))
	}
}
