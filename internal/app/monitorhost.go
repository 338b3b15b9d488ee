package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"dropwatch/internal/capture"
	"dropwatch/internal/point"
	"dropwatch/internal/repl"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/netlink"
)

// monitorHost implements repl.Host with the drop monitor of this machine, or with
// another source where there is none. Its errors have advice.
type monitorHost struct {
	runner *capture.Runner
	packet bool // the mode that was set, for a source that has none

	points func(words []string) ([]point.Point, error) // of the words of Settings.Points
}

// SetPacketMode sets the alert mode. Without a drop monitor it only remembers it,
// for the output of another source.
func (h *monitorHost) SetPacketMode(ctx context.Context, packet bool) error {
	mode := netlink.ModeSummary
	if packet {
		mode = netlink.ModePacket
	}
	s, err := h.runner.Monitor.Session()
	switch {
	case errors.Is(err, netlink.ErrNoFamily): // another source will be used
		err = nil
	case err == nil:
		err = capture.Advise(s.SetAlertMode(ctx, mode))
	}
	if err == nil {
		h.packet = packet
	}
	return err
}

// SetTrunc sets the drop monitor's truncation length in bytes, if there is one. Another source truncates by itself: the
// length is then in repl.Settings.
func (h *monitorHost) SetTrunc(ctx context.Context, bytes uint32) error {
	s, err := h.runner.Monitor.Session()
	switch {
	case errors.Is(err, netlink.ErrNoFamily):
		return nil
	case err != nil:
		return err
	}
	return capture.Advise(s.SetTruncLen(ctx, bytes))
}

// SetQueue sets the length of the kernel's queue of each CPU; it needs the drop
// monitor.
func (h *monitorHost) SetQueue(ctx context.Context, packets uint32) error {
	s, err := h.session()
	if err != nil {
		return err
	}
	return capture.Advise(s.SetQueueLen(ctx, packets))
}

// session returns the session of the drop monitor. Without one the error is
// repl.ErrNoMonitor.
func (h *monitorHost) session() (*netdm.Session, error) {
	s, err := h.runner.Monitor.Session()
	if errors.Is(err, netlink.ErrNoFamily) {
		err = fmt.Errorf("%w: %w", repl.ErrNoMonitor, err)
	}
	return s, err
}

// Config returns the configuration of the drop monitor. With repl.ErrNoMonitor the
// Mode is valid.
func (h *monitorHost) Config() (repl.Config, error) {
	s, err := h.session()
	if err != nil {
		return repl.Config{Mode: h.mode()}, err
	}
	c, err := s.Config()
	if err != nil {
		return repl.Config{}, capture.Advise(err)
	}
	modes := map[netlink.AlertMode]string{netlink.ModeSummary: "Summary", netlink.ModePacket: "Packet"}
	return repl.Config{Mode: cmp.Or(modes[c.Mode], "Invalid alert mode"), Trunc: c.TruncLen, Queue: c.QueueLen}, nil
}

// mode is the alert mode for a source that has none.
func (h *monitorHost) mode() string {
	if h.packet {
		return "Packet"
	}
	return "Summary"
}

// Stats returns the drop monitor's statistics since it was loaded, not since the
// start of a run.
func (h *monitorHost) Stats() (repl.Stats, error) {
	s, err := h.session()
	if err != nil {
		return repl.Stats{}, err
	}
	n, err := s.Stats()
	return repl.Stats{Software: n.Software, Hardware: n.Hardware}, capture.Advise(err)
}

// Status returns all that can be read without an error for the whole. What failed has its error beside it, so that a
// session shows the rest.
func (h *monitorHost) Status() (s repl.Status) {
	s.Monitoring = h.monitoring()
	s.Config, s.ConfigErr = h.Config()
	s.Stats, s.StatsErr = h.Stats()
	return s
}

// monitoring describes whether the drop monitor is on, and who uses it.
func (h *monitorHost) monitoring() string {
	s, err := h.session()
	switch {
	case errors.Is(err, repl.ErrNoMonitor):
		return "off"
	case err != nil:
		return fmt.Sprintf("unknown: %v", err)
	}
	switch on, err := s.Running(); {
	case err != nil:
		return fmt.Sprintf("unknown: %v", capture.Advise(err))
	case on:
		return "on, " + s.Holder()
	}
	return "off"
}

// Stop stops monitoring that another program started, too; see
// netdm.Session.Release.
func (h *monitorHost) Stop(ctx context.Context) error {
	s, err := h.session()
	if err != nil {
		return err
	}
	return capture.Advise(s.Release(ctx))
}

// CheckFilter returns an error if an expression is not valid, or can match no drop of
// this kernel. Names that this host does not have are only warned about.
func (h *monitorHost) CheckFilter(expression string) error {
	f, err := parseFilter(expression)
	if err != nil {
		return err
	}
	if err := h.runner.CheckNames(f); err != nil {
		return err
	}
	h.runner.CheckFunctions(f)
	return nil
}

// Capture runs `start`. Started is called once the source catches drops, before the first is shown; it is not called if
// the source cannot be opened.
func (h *monitorHost) Capture(ctx context.Context, s repl.Settings, started func()) (repl.Report, error) {
	spec, err := h.spec(s)
	if err != nil {
		return repl.Report{}, err
	}
	outcome, err := h.runner.Run(ctx, spec, started)
	return repl.Report{Ledger: outcome.Ledger, TraceOnly: outcome.NotShown, Limited: outcome.End == capture.Limited}, err
}

// spec returns the Spec of `start`. Without a filter nothing is looked up about
// drops that the C program does not show, as it would cost time.
func (h *monitorHost) spec(s repl.Settings) (spec capture.Spec, err error) {
	if spec.Filter, err = parseFilter(s.Filter); err != nil {
		return spec, err
	}
	if spec.Filter == nil {
		spec.Detail = capture.SymbolsOnly
	}
	spec.InSession, spec.Limit, spec.Command = true, s.AlertLimit, "start"
	spec.Input = capture.Input{
		Source: cmp.Or(s.Source, "auto"), MonitorFirst: true, NoFailover: s.Source == "", Mode: capture.AsConfigured,
		Origins: origins(s), ReadBuffer: s.ReadBuffer, Trunc: s.Trunc,
	}
	if spec.Input.Points, err = h.points(s.Points); err != nil {
		return spec, err
	}
	if !h.packet { // for counts by address a sample of the packets is enough
		spec.Input.Sample = bpf.DefaultSample
	}
	spec.Outputs = []capture.Output{{Format: capture.Classic, Summary: !h.packet}}
	return spec, nil
}

// origins returns those that are set. The zero value stands for software drops, as
// in the kernel.
func origins(s repl.Settings) (o netlink.Origins) {
	if s.Software {
		o |= netlink.Software
	}
	if s.Hardware {
		o |= netlink.Hardware
	}
	return o
}
