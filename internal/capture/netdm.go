package capture

import (
	"context"
	"errors"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/pair"
	"dropwatch/netlink"
)

// openNetdm starts the drop monitor, or with Input.Passive only listens to it.
func (r *Runner) openNetdm(ctx context.Context, spec *Spec) (*openedSource, error) {
	s, err := r.Monitor.Session()
	if err != nil {
		return nil, err
	}
	if spec.Input.Takeover {
		defer withConfirm(s, takeOver)()
	}
	if spec.Input.Passive {
		return netdmSource(s.Listen(spec.Input.listen()))
	}
	restore, shown, err := configureNetdm(ctx, s, spec)
	if err != nil {
		return nil, err
	}
	opened, err := r.startNetdm(ctx, s, spec)
	if err != nil {
		restore()
		return nil, err
	}
	opened.restore, opened.trunc = restore, shown
	return opened, nil
}

// listen returns how to receive alerts.
func (in *Input) listen() netlink.ListenConfig {
	return netlink.ListenConfig{ReadBuffer: in.ReadBuffer}
}

// headerBytes is the number of bytes of a packet that are enough to decode its
// headers: a tunnel with IPv6 and options in both packets fits.
const headerBytes = 256

// configureNetdm configures the monitor as the Spec asks. Trunc is the number of
// bytes of each packet that a later stage must cut off to; 0: none. A filter that
// reads headers needs more bytes than the user wants to keep. Restore is never nil
// without an error, and restores the configuration.
func configureNetdm(ctx context.Context, s *netdm.Session, spec *Spec) (restore func(), trunc uint32, err error) {
	want, err := s.Config()
	asIs := spec.Input.Mode == AsConfigured
	set := spec.setNetdm
	switch {
	case asIs && errors.Is(err, netlink.ErrUnsupported): // before 5.4 there is nothing to set
		return func() {}, 0, nil
	case err != nil:
		return nil, 0, err
	case asIs:
		set = func(*netlink.Config) {}
	}
	set(&want)
	switch {
	case want.Mode == netlink.ModePacket && spec.filterReadsBeyond(want.TruncLen):
		trunc = want.TruncLen
	case asIs:
		return func() {}, 0, nil
	}
	restore, err = s.Configure(ctx, func(c *netlink.Config) {
		if set(c); trunc > 0 {
			c.TruncLen = headerBytes
		}
	})
	return restore, trunc, err
}

// filterReadsBeyond reports whether the filter may read headers that lie beyond the
// first trunc bytes of a packet. A trunc of 0 means whole packets.
func (s *Spec) filterReadsBeyond(trunc uint32) bool {
	return trunc != 0 && trunc < headerBytes && len(s.Filter.Needs(event.FactPacket|event.FactOwner)) > 0
}

// setNetdm changes c to what the Spec asks for.
func (s *Spec) setNetdm(c *netlink.Config) {
	c.Mode, c.TruncLen = netlink.ModePacket, s.Input.Trunc
	if s.Input.Mode == Summaries {
		c.Mode = netlink.ModeSummary
	}
	if s.Input.Trunc == 0 && !s.keepsPackets() {
		c.TruncLen = headerBytes
	}
	if s.Input.Queue != nil {
		c.QueueLen = *s.Input.Queue
	}
}

// startNetdm starts monitoring. In packet mode a companion runs beside it: the
// kernel reports no packet without a MAC header (net_dm_packet_trace_kfree_skb_hit
// checks skb_mac_header_was_set).
func (r *Runner) startNetdm(ctx context.Context, s *netdm.Session, spec *Spec) (*openedSource, error) {
	var with companion
	if sendsPackets(s) && spec.Input.origins()&netlink.Software != 0 && !spec.has(Alerts) {
		with = r.openCompanion(spec)
	}
	run, err := s.Start(ctx, spec.Input.origins(), spec.Input.listen())
	opened, err := netdmSource(run, err)
	if with.Tracer == nil {
		return opened, err
	}
	if err != nil || !sendsPackets(s) { // as after a takeover
		with.Close()
		return opened, err
	}
	opened.Source, opened.name = with.join(run), "netdm, with "+with.name+" beside it"
	opened.pair, _ = opened.Source.(*pair.Source)
	opened.close = func() { run.Close(); with.Close() }
	return opened, nil
}

// sendsPackets reports whether the drop monitor is in packet mode, which it has since 5.4.
func sendsPackets(s *netdm.Session) bool {
	cfg, err := s.Config()
	return err == nil && cfg.Mode == netlink.ModePacket
}

// A companion is a source that runs beside the drop monitor, for the drops that
// packet mode does not report. The zero value is none.
type companion struct {
	Tracer // nil: none
	name   string
	join   func(*netdm.Run) pipeline.Source // makes one source of both, which owns them
}

// openCompanion opens a companion, or prints why there is none.
func (r *Runner) openCompanion(spec *Spec) companion {
	if spec.companionIsHidden() {
		b, err := r.OpenBPF(bpf.Options{WithoutMACHeader: true, Trunc: headerBytes})
		if err == nil {
			return companion{b, "bpf", func(run *netdm.Run) pipeline.Source { return pair.Disjoint(run, b) }}
		}
	}
	t, err := r.OpenTrace(r.traceOptions(spec))
	if err != nil {
		r.Notices.Note("drops of packets without a MAC header, such as on OUTPUT, cannot be shown: trace: %v", err)
		return companion{}
	}
	return companion{t, "trace", func(run *netdm.Run) pipeline.Source {
		both := pair.New(run, t)
		both.Wait, both.Warn, both.Devices = spec.Input.Stack, r.Notices.Warn, spec.Input.Origins&netlink.Hardware != 0
		return both
	}}
}

// companionIsHidden reports whether the session only counts what the companion
// reports, and needs nothing else from it. Then BPF sends only packets without a
// MAC header, so all other drops cost next to nothing.
func (s *Spec) companionIsHidden() bool {
	return s.has(Classic) && !s.Input.Stack && len(s.Filter.Needs(event.FactStack|event.FactTask)) == 0
}
