package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/repl"
	"dropwatch/internal/sink/text"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/stage/resolve"
	"dropwatch/internal/term"
	"dropwatch/kallsyms"
	"dropwatch/netlink"
)

// replCommand runs the interactive session, or a script from standard input.
func (a *App) replCommand(ctx context.Context, o globalOptions) error {
	s, err := a.session.get()
	if err != nil {
		return err
	}
	lines, err := term.Open(term.Config{
		Stdin: a.in, Stdout: a.out, Prompt: repl.Prompt, Complete: repl.Complete,
		HistoryFile: historyFile(), Warn: a.warn,
	})
	if err != nil {
		return err
	}
	defer lines.Close()
	h := &host{app: a, session: s, lookup: o.lookup()}
	r := &repl.REPL{
		Lines: reader{lines}, Host: h, Out: a.out, Err: a.err,
		Interactive: term.IsTerminal(a.in) && term.IsTerminal(a.out),
		Settings:    repl.Settings{Takeover: o.takeover},
	}
	a.talking = true
	a.signals.setPatient(r.Interactive)
	s.Claim = r.Claim
	fmt.Fprintln(a.out, o.method.greeting)
	return r.Run(ctx)
}

// warn tells what does not stop us.
func (a *App) warn(err error) { fmt.Fprintf(a.err, "dropwatch: %v\n", err) }

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

// host is repl's Host: the drop monitor of this machine.
type host struct {
	app     *App
	session *netdm.Session
	lookup  *lookup // nil: addresses stay raw
}

func (h *host) SetPacketMode(ctx context.Context, packet bool) error {
	mode := netlink.ModeSummary
	if packet {
		mode = netlink.ModePacket
	}
	return advise(h.session.SetAlertMode(ctx, mode))
}

func (h *host) SetTrunc(ctx context.Context, bytes uint32) error {
	return advise(h.session.SetTruncLen(ctx, bytes))
}

func (h *host) SetQueue(ctx context.Context, packets uint32) error {
	return advise(h.session.SetQueueLen(ctx, packets))
}

func (h *host) Config() (repl.Config, error) {
	c, err := h.session.Config()
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
	s, err := h.session.Stats()
	return repl.Stats{Software: s.Software, Hardware: s.Hardware}, advise(err)
}

func (h *host) Status() (s repl.Status) {
	on, err := h.session.Running()
	switch {
	case err != nil:
		s.Monitoring = fmt.Sprintf("unknown: %v", advise(err))
	case on:
		s.Monitoring = "on, " + h.session.Holder()
	default:
		s.Monitoring = "off"
	}
	s.Config, s.ConfigErr = h.Config()
	s.Stats, s.StatsErr = h.Stats()
	return s
}

func (h *host) Stop(ctx context.Context) error { return advise(h.session.Release(ctx)) }

func (h *host) Dump(ctx context.Context, args []string) error {
	err := h.app.dumpCommand(ctx, args)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

func (h *host) Capture(ctx context.Context, s repl.Settings, started func()) (event.Ledger, error) {
	ctx, stop := h.app.signals.interruptible(ctx)
	defer stop()
	stages := h.stages()
	run, err := h.session.Start(ctx, origins(s), netlink.ListenConfig{ReadBuffer: s.ReadBuffer})
	if err != nil {
		return event.Ledger{}, advise(err)
	}
	started()
	p := pipeline.Pipeline{Source: run, Stages: stages, Sink: text.New(h.app.out), Limit: s.AlertLimit}
	ledger, err := p.Run(ctx)
	if errors.Is(err, pipeline.ErrLimit) {
		return ledger, repl.ErrLimit
	}
	return ledger, advise(err)
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

// stages names addresses, for which the symbols are read before monitoring
// starts. Packet alerts bring the kernel's own names.
func (h *host) stages() []pipeline.Stage {
	if h.lookup == nil {
		return nil
	}
	if c, err := h.session.Config(); err != nil || c.Mode == netlink.ModeSummary {
		h.lookup.load(h.app.warn)
	}
	return []pipeline.Stage{resolve.Symbols(resolve.Options{Lookup: h.lookup.symbols.Lookup, Demangle: h.lookup.demangle})}
}

// lookup is the host's symbol table.
type lookup struct {
	symbols  kallsyms.Live
	demangle bool
	loaded   bool
}

// load reads the symbols once, and says why if it cannot.
func (l *lookup) load(warn func(error)) {
	if l.loaded {
		return
	}
	l.loaded = true
	if err := l.symbols.Load(); err != nil {
		warn(fmt.Errorf("read the kernel's symbols: %w; drops are shown by address", err))
	}
}
