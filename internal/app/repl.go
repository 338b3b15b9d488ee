package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/repl"
	"dropwatch/internal/sink/table"
	"dropwatch/internal/sink/text"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/stage/resolve"
	"dropwatch/internal/term"
	"dropwatch/kallsyms"
	"dropwatch/netlink"
)

// replCommand runs the interactive session, or a script from standard input.
func (a *App) replCommand(ctx context.Context, o globalOptions) error {
	verbs := a.verbs()
	lines, err := term.Open(term.Config{
		Stdin: a.in, Stdout: a.out, Prompt: repl.Prompt, Complete: verbs.Complete,
		HistoryFile: historyFile(), Warn: a.warn,
	})
	if err != nil {
		return err
	}
	defer lines.Close()
	h := &host{app: a}
	r := &repl.REPL{
		Lines: reader{lines}, Host: h, Out: a.out, Err: a.err,
		Interactive: term.IsTerminal(a.in) && term.IsTerminal(a.out),
		Settings:    repl.Settings{Takeover: o.takeover},
		Verbs:       verbs,
	}
	a.talking = true
	a.signals.setPatient(r.Interactive)
	a.monitor.claim = r.Claim
	fmt.Fprintln(a.out, o.method.greeting)
	return r.Run(ctx)
}

// historyFile is where the lines of sessions are kept; empty if there is no
// home for it.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // also when it is empty, as the XDG specification says
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "dropwatch", "history")
}

// reader gives a term.Reader the errors that repl knows.
type reader struct{ term.Reader }

func (r reader) ReadLine(ctx context.Context) (string, error) {
	line, err := r.Reader.ReadLine(ctx)
	if errors.Is(err, term.ErrInterrupt) {
		err = repl.ErrInterrupt
	}
	return line, err
}

// verbs are the commands that can be typed in a session.
func (a *App) verbs() (verbs repl.Verbs) {
	for _, c := range commands() {
		if c.session {
			verbs = append(verbs, a.verb(c))
		}
	}
	return verbs
}

func (a *App) verb(c command) repl.Verb {
	v := repl.Verb{Name: c.name, Args: c.args, Help: c.help}
	for _, o := range options(c.flags) {
		v.Options = append(v.Options, "--"+o.long)
	}
	v.Run = func(ctx context.Context, s repl.Settings, args []string) error {
		a.takeover, a.source = s.Takeover, s.Source
		a.filter, _ = parseFilter(s.Filter) // which was checked when it was set
		err := c.run(a, ctx, args)
		if errors.Is(err, errDone) {
			return nil
		}
		return err
	}
	return v
}

// host is repl's Host: the drop monitor of this machine, or another source.
type host struct {
	app    *App
	packet bool // the mode that was set, for a source that has none
}

func (h *host) SetPacketMode(ctx context.Context, packet bool) error {
	mode := netlink.ModeSummary
	if packet {
		mode = netlink.ModePacket
	}
	s, err := h.app.monitor.get()
	if err == nil {
		err = advise(s.SetAlertMode(ctx, mode))
	}
	if err == nil || errors.Is(err, netlink.ErrNoFamily) { // then it is for another source
		h.packet, err = packet, nil
	}
	return err
}

func (h *host) SetTrunc(ctx context.Context, bytes uint32) error {
	s, err := h.app.monitor.get()
	if err != nil {
		return err
	}
	return advise(s.SetTruncLen(ctx, bytes))
}

func (h *host) SetQueue(ctx context.Context, packets uint32) error {
	s, err := h.app.monitor.get()
	if err != nil {
		return err
	}
	return advise(s.SetQueueLen(ctx, packets))
}

func (h *host) Config() (repl.Config, error) {
	s, err := h.app.monitor.get()
	if err != nil {
		return repl.Config{}, err
	}
	c, err := s.Config()
	if err != nil {
		return repl.Config{}, advise(err)
	}
	modes := map[netlink.AlertMode]string{netlink.ModeSummary: "Summary", netlink.ModePacket: "Packet"}
	mode, ok := modes[c.Mode]
	if !ok {
		mode = "Invalid alert mode"
	}
	return repl.Config{Mode: mode, Trunc: c.TruncLen, Queue: c.QueueLen}, nil
}

func (h *host) Stats() (repl.Stats, error) {
	s, err := h.app.monitor.get()
	if err != nil {
		return repl.Stats{}, err
	}
	n, err := s.Stats()
	return repl.Stats{Software: n.Software, Hardware: n.Hardware}, advise(err)
}

func (h *host) Status() (s repl.Status) {
	s.Monitoring = h.monitoring()
	s.Config, s.ConfigErr = h.Config()
	s.Stats, s.StatsErr = h.Stats()
	return s
}

func (h *host) monitoring() string {
	s, err := h.app.monitor.get()
	if err != nil {
		return fmt.Sprintf("unknown: %v", err)
	}
	switch on, err := s.Running(); {
	case err != nil:
		return fmt.Sprintf("unknown: %v", advise(err))
	case on:
		return "on, " + s.Holder()
	}
	return "off"
}

func (h *host) Stop(ctx context.Context) error {
	s, err := h.app.monitor.get()
	if err != nil {
		return err
	}
	return advise(s.Release(ctx))
}

func (h *host) CheckFilter(expression string) error {
	_, err := filter.Parse(expression)
	return err
}

func (h *host) Capture(ctx context.Context, s repl.Settings, started func()) (report repl.Report, err error) {
	ctx, stop := h.app.signals.interruptible(ctx)
	defer stop()
	d := demand{
		source: cmp.Or(s.Source, "auto"), classic: true, origins: origins(s), bytes: wholeBytes,
		listen: netlink.ListenConfig{ReadBuffer: s.ReadBuffer},
	}
	if d.filter, err = parseFilter(s.Filter); err != nil {
		return report, err
	}
	if !h.packet { // summaries need no packets
		d.sample = bpf.DefaultSample
	}
	var unseen table.Tally
	stages := h.stages(d.filter)
	from, err := h.app.supply(ctx, d)
	if ctx.Err() != nil && err != nil { // that is how it was to end
		return report, nil
	}
	if err != nil {
		return report, err
	}
	defer from.undo()
	if from.why != "" { // otherwise it is the one that C has
		h.app.announce(from)
	}
	h.app.checkReasons(d.filter)
	started()
	p := pipeline.Pipeline{Source: from, Stages: append(stages, from.stage, aside(&unseen)), Sink: h.sink(from), Limit: s.AlertLimit}
	report.Ledger, err = p.Run(ctx)
	report.Unseen = string(unseen.AppendUnseen(nil, 0))
	if errors.Is(err, pipeline.ErrLimit) {
		return report, repl.ErrLimit
	}
	return report, advise(err)
}

// stages are no more than C has, unless a filter needs them.
func (h *host) stages(f *filter.Filter) []pipeline.Stage {
	if f == nil {
		return h.app.symbols()
	}
	return h.app.stages()
}

// aside keeps from a session what C's packet mode cannot show either, to tell it
// in the end.
func aside(unseen *table.Tally) pipeline.Stage {
	return func(e *event.Event) bool {
		if e.Unseen {
			unseen.Add(e)
		}
		return !e.Unseen
	}
}

// sink shows drops in C's words, and in the mode that is set also those of a
// source that has no modes.
func (h *host) sink(from *supply) pipeline.Sink {
	shown := text.New(h.app.out)
	if from.modes || h.packet {
		return shown
	}
	return &byPlace{Sink: shown}
}

func origins(s repl.Settings) (o netlink.Origins) {
	if s.Software {
		o |= netlink.Software
	}
	if s.Hardware {
		o |= netlink.Hardware
	}
	return o
}

// lookup is the host's symbol table.
type lookup struct {
	symbols  kallsyms.Live
	demangle bool
	loaded   chan struct{} // closed when they are; nil before load
	failure  error         // to be told, once they are
}

// load begins to read the symbols, once: a source can be opened meanwhile.
func (l *lookup) load() {
	if l.loaded != nil {
		return
	}
	l.loaded = make(chan struct{})
	go func() {
		defer close(l.loaded)
		if err := l.symbols.Load(); err != nil {
			l.failure = fmt.Errorf("read the kernel's symbols: %w; drops are shown by address", err)
		}
	}()
}

// complain says, once, why there are no symbols.
func (l *lookup) complain(warn func(error)) {
	if l == nil {
		return
	}
	if <-l.loaded; l.failure != nil {
		warn(l.failure)
		l.failure = nil
	}
}

// function gives the addresses where drops may be in a function of that name:
// outside the kernel image a module may bring one. It is not ok where names are
// not those of the table.
func (l *lookup) function(name string) (addresses []condition.Span, ok bool) {
	if l == nil || l.demangle {
		return nil, false
	}
	<-l.loaded
	at, image := l.symbols.Function(name)
	if image.End == 0 {
		return nil, false
	}
	addresses = []condition.Span{{Lo: 0, Hi: image.Start - 1}, {Lo: image.End, Hi: math.MaxUint64}}
	for _, r := range at {
		addresses = append(addresses, condition.Span{Lo: r.Start, Hi: r.End - 1})
	}
	return addresses, true
}

// stage names addresses, which packet alerts bring with names of the kernel's.
func (l *lookup) stage() pipeline.Stage {
	return resolve.Symbols(resolve.Options{Lookup: l.symbols.Lookup, Named: l.demangle, Demangle: l.demangle})
}
