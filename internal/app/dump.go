package app

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/dwdump"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/term"
	"dropwatch/netlink"
)

// dumpOptions are those of dwdump(1).
type dumpOptions struct {
	file     string
	trunc    uint32
	query    bool
	limit    uint32
	passive  bool
	stats    bool
	bufSize  int
	origin   string
	exit     bool
	takeover bool
}

// maxTrunc is the largest payload of an alert, and C dwdump's "no truncation".
const maxTrunc = 0xffff

// maxBuffer is the largest receive buffer in bytes, which the kernel doubles in
// an int.
const maxBuffer = 1<<30 - 1

func (o *dumpOptions) flags() *pflag.FlagSet {
	f := newFlags("dump")
	f.StringVarP(&o.file, "write", "w", "-", "write packets to this `file` in pcap format; - is standard output")
	f.Uint32VarP(&o.trunc, "trunc", "t", 0, "ask the kernel to truncate packets to this `length`; 0 is no truncation")
	f.BoolVarP(&o.query, "query", "q", false, "print the kernel's configuration and exit")
	f.Uint32VarP(&o.limit, "limit", "l", 1000, "ask the kernel to queue up to this `number` of packets on each CPU")
	f.BoolVarP(&o.passive, "passive", "p", false, "only listen to what others have switched on; configure nothing")
	f.BoolVarP(&o.stats, "stats", "s", false, "print the kernel's statistics and exit")
	f.IntVarP(&o.bufSize, "bufsize", "b", netlink.DefaultReadBuffer, "size of our socket's receive buffer in `bytes`")
	f.StringVarP(&o.origin, "origin", "o", "", "monitor only drops of this `origin`: sw (software) or hw (hardware); otherwise both")
	offer(f, "origin", "sw", "hw")
	f.BoolVarP(&o.exit, "exit", "e", false, "ask the kernel to stop monitoring and exit")
	f.BoolVar(&o.takeover, "takeover", o.takeover, "stop monitoring that others have left on, without asking")
	return f
}

func (a *App) parseDump(args []string) (o dumpOptions, err error) {
	o.takeover = a.takeover
	f := o.flags()
	if err := a.parseFlags(f, args, dumpHelp(f)); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, &usageError{fmt.Errorf("dump: takes no argument, but got %q: a file is named by -w", f.Arg(0))}
	}
	if o.bufSize < 0 || o.bufSize > maxBuffer {
		return o, &usageError{fmt.Errorf("dump: invalid receive buffer %d: give bytes from 0, the default, to %d", o.bufSize, maxBuffer)}
	}
	if o.trunc == 0 || o.trunc > maxTrunc {
		o.trunc = maxTrunc
	}
	return o, nil
}

func dumpHelp(f *pflag.FlagSet) string {
	return `Write dropped packets to a pcap file, each as the kernel reports it, until
Ctrl-C. Wireshark and tshark read it and show place, reason and packet.

Usage:
  dropwatch dump [options]
  dwdump [options]                the same, by the name of a link to dropwatch

Options:
` + f.FlagUsagesWrapped(80) + `
Examples:
  dropwatch dump -w drops.pcap
  dropwatch dump | tshark -V -r -
`
}

// origins is what -o asks for.
func (o *dumpOptions) origins() (netlink.Origins, error) {
	switch o.origin {
	case "":
		return netlink.Software | netlink.Hardware, nil
	case "sw":
		return netlink.Software, nil
	case "hw":
		return netlink.Hardware, nil
	}
	return 0, &usageError{fmt.Errorf("dump: invalid origin %q: give sw or hw", o.origin)}
}

// writes tells whether packets are to be written.
func (o *dumpOptions) writes() bool { return !o.query && !o.stats && !o.exit }

func (a *App) dumpCommand(ctx context.Context, args []string) error {
	o, err := a.parseDump(args)
	if err != nil {
		return err
	}
	origins, err := o.origins()
	if err != nil {
		return err
	}
	if o.writes() && o.file == "-" {
		if err := a.mayTakePackets("dump"); err != nil {
			return err
		}
	}
	s, err := a.monitor.get()
	if err != nil {
		return err
	}
	switch {
	case o.query:
		return a.dumpQuery(s)
	case o.stats:
		return a.dumpStats(s)
	case o.exit:
		return advise(s.Halt(origins))
	}
	if err := a.dump(ctx, s, o, origins); err != nil {
		return err
	}
	return errDone // a signal is how it ends
}

// mayTakePackets tells why standard output is no place for packets, if it is none.
func (a *App) mayTakePackets(command string) error {
	switch {
	case term.IsTerminal(a.out):
		return &usageError{fmt.Errorf("%s: packets are no text for a terminal: name a file, or pipe them to a program that reads them", command)}
	case a.talking:
		return &usageError{fmt.Errorf("%s: packets would mix with the words of the session: name a file", command)}
	}
	return nil
}

func (a *App) dumpQuery(s *netdm.Session) error {
	c, err := s.Config()
	if err != nil {
		return advise(err)
	}
	return a.write(fmt.Sprintf("Alert mode: %v\nTruncation length: %d\nQueue length: %d\n", c.Mode, c.TruncLen, c.QueueLen))
}

func (a *App) dumpStats(s *netdm.Session) error {
	n, err := s.Stats()
	if err != nil {
		return advise(err)
	}
	return a.write(fmt.Sprintf("Software statistics:\nTail dropped: %d\nHardware statistics:\nTail dropped: %d\n", n.Software, n.Hardware))
}

// dump writes packets until a signal. The file is not touched before it is
// clear that the monitor can be had.
func (a *App) dump(ctx context.Context, s *netdm.Session, o dumpOptions, origins netlink.Origins) (err error) {
	ctx, stop := a.signals.interruptible(ctx)
	defer stop()
	if !o.passive {
		restore, err := configureDump(ctx, s, o)
		if err != nil {
			return advise(err)
		}
		defer restore()
	}
	file, err := a.reserve(ctx, o.file)
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	defer func() { err = pipeline.Also(err, file.Close()) }()
	if err := file.begin(); err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	p, err := newDump(ctx, s, o, origins, file)
	if err != nil {
		return advise(err)
	}
	ledger, err := p.Run(ctx)
	a.reportDump(ledger)
	return advise(err)
}

// configureDump is configure, for what dump was told.
func configureDump(ctx context.Context, s *netdm.Session, o dumpOptions) (restore func(), err error) {
	if o.takeover {
		defer claiming(s, anybody)()
	}
	return configure(ctx, s, func(c *netlink.Config) {
		*c = netlink.Config{Mode: netlink.ModePacket, TruncLen: o.trunc, QueueLen: o.limit}
	})
}

// anybody is a Session.Claim that stops whoever has the monitor.
func anybody(context.Context, string) bool { return true }

// configure sets the monitor up, and gives what puts it back, but not by
// stopping whoever has switched monitoring on since.
func configure(ctx context.Context, s *netdm.Session, set func(*netlink.Config)) (restore func(), err error) {
	before, err := s.Config()
	if err != nil {
		return nil, err
	}
	cfg := before
	if set(&cfg); cfg == before {
		return func() {}, nil
	}
	if err := s.SetConfig(ctx, cfg); err != nil {
		return nil, err
	}
	return func() {
		defer claiming(s, nil)()
		_ = s.SetConfig(context.Background(), before) // Session.Close tries again, and says it if it fails
	}, nil
}

// claiming sets s.Claim, and gives what sets it back.
func claiming(s *netdm.Session, claim func(context.Context, string) bool) (undo func()) {
	before := s.Claim
	s.Claim = claim
	return func() { s.Claim = before }
}

// newDump begins the file and starts the monitor, or only listens to it.
func newDump(ctx context.Context, s *netdm.Session, o dumpOptions, origins netlink.Origins, file outFile) (*pipeline.Pipeline, error) {
	family, err := s.FamilyMessage()
	if err != nil {
		return nil, err
	}
	sink, err := dwdump.New(file, file.name, family, time.Now())
	if err != nil {
		return nil, err
	}
	listen := netlink.ListenConfig{ReadBuffer: o.bufSize}
	var run *netdm.Run
	if o.passive {
		run, err = s.Listen(listen)
	} else {
		run, err = s.Start(ctx, origins, listen)
	}
	return &pipeline.Pipeline{Source: run, Sink: sink}, err
}

func (a *App) reportDump(ledger event.Ledger) { fmt.Fprint(a.err, ledger.Report()) }
