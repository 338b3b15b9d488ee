package app

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/source/netdm"
	"dropwatch/netlink"
)

// dumpFlags are those of dwdump(1), with the same letters.
type dumpFlags struct {
	file               string
	query, stats, exit bool
	limit              uint32
	origin             string
	input              capture.Input
}

// maxTrunc is the largest payload of a netlink attribute. It is also what C dwdump
// sends for "no truncation".
const maxTrunc = 0xffff

// maxBuffer is the largest receive buffer in bytes: the kernel doubles the number
// and keeps it in an int.
const maxBuffer = 1<<30 - 1

// flags adds the options with the letters and defaults of dwdump: a queue of 1000 packets on each CPU, no truncation.
// Those of dropwatch alone have no letter.
func (o *dumpFlags) flags() *pflag.FlagSet {
	f := cli.NewFlags()
	o.limit, o.input.ReadBuffer = 1000, netlink.DefaultReadBuffer
	f.StringVarP(&o.file, "write", "w", "-", "write packets to this `file` in pcap format; - is standard output")
	f.VarP(numberFrom(&o.input.Trunc, 0, math.MaxUint32), "trunc", "t",
		"ask the kernel to truncate packets to this `length`; 0 is no truncation")
	f.BoolVarP(&o.query, "query", "q", false, "print the kernel's configuration and exit")
	f.VarP(numberFrom(&o.limit, 0, math.MaxUint32), "limit", "l", "ask the kernel to queue up to this `number` of packets on each CPU")
	f.BoolVarP(&o.input.Passive, "passive", "p", false, "only listen to what others have switched on; configure nothing")
	f.BoolVarP(&o.stats, "stats", "s", false, "print the kernel's statistics and exit")
	f.VarP(numberFrom(&o.input.ReadBuffer, 0, maxBuffer), "bufsize", "b",
		"size of dropwatch's receive buffer in `bytes`")
	f.StringVarP(&o.origin, "origin", "o", "", "monitor only drops of this `origin`: sw (software) or hw (hardware); otherwise both")
	f.BoolVarP(&o.exit, "exit", "e", false, "ask the kernel to stop monitoring and exit")
	f.BoolVar(&o.input.Takeover, "takeover", false, "stop the monitoring of other programs without asking")
	return f
}

// dump is the verb that writes the drop monitor's messages to a file, as dwdump
// does.
func (a *App) dump(d *defaults) *cli.Verb {
	o := &dumpFlags{input: capture.Input{Trunc: d.trunc}}
	return &cli.Verb{
		Name: "dump", Args: "[options]", Short: "write packets to a pcap file, as dwdump does",
		Long: `Write dropped packets to a pcap file, each as the kernel reports it, until
Ctrl-C. Wireshark and tshark read it and show location, reason and packet.`,
		Usage: []string{
			"dropwatch dump [options]",
			"dwdump [options]                the same, by the name of a link to dropwatch",
		},
		Examples: []string{"dropwatch dump -w drops.pcap", "dropwatch dump | tshark -V -r -"},
		Manual:   manVerbs["dump"], Flags: o.flags(), InSession: true,
		Values: map[string]func() []string{"origin": func() []string { return []string{"sw", "hw"} }},
		Run: func(ctx context.Context, args cli.Args) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.query || o.stats || o.exit {
				return a.askMonitor(o)
			}
			return a.dumpAlerts(ctx, o.spec(d, args))
		},
	}
}

// check returns an error for values that are not valid, and replaces those that stand for others.
func (o *dumpFlags) check() (err error) {
	switch o.origin {
	case "":
		o.input.Origins = netlink.Software | netlink.Hardware
	case "sw":
		o.input.Origins = netlink.Software
	case "hw":
		o.input.Origins = netlink.Hardware
	default:
		return usagef("dump: invalid value %q for --origin: give sw or hw", o.origin)
	}
	if o.input.Trunc == 0 || o.input.Trunc > maxTrunc {
		o.input.Trunc = maxTrunc
	}
	return nil
}

// spec returns the Spec. A session's filter applies: only then must anything be
// looked up about drops.
func (o *dumpFlags) spec(d *defaults, args cli.Args) capture.Spec {
	spec := capture.Spec{
		Input: o.input, Filter: d.filter, Detail: capture.Raw,
		Outputs: []capture.Output{{Format: capture.Alerts, File: o.file}},
	}
	if d.filter != nil {
		spec.Detail = capture.Everything
	}
	spec.Input.Queue = &o.limit
	spec.Input.Source = "auto"
	if d.source != "" {
		spec.Input.Source = d.source
	}
	fill(&spec, d, "dump", args)
	return spec
}

// dumpAlerts writes packets to the file, and the ledger to standard error, also
// after an error.
func (a *App) dumpAlerts(ctx context.Context, spec capture.Spec) error {
	outcome, err := a.runner.Run(ctx, spec, nil)
	fmt.Fprint(a.runner.Err, outcome.Ledger.Report())
	return err
}

// askMonitor runs -q, -s or -e: they start no monitoring.
func (a *App) askMonitor(o *dumpFlags) error {
	s, err := a.runner.Monitor.Session()
	if err != nil {
		return err
	}
	switch {
	case o.query:
		return a.dumpQuery(s)
	case o.stats:
		return a.dumpStats(s)
	}
	return s.Halt(o.input.Origins)
}

// dumpQuery prints the configuration of the drop monitor in the words of dwdump.
func (a *App) dumpQuery(s *netdm.Session) error {
	c, err := s.Config()
	if err != nil {
		return err
	}
	return a.write(fmt.Sprintf("Alert mode: %v\nTruncation length: %d\nQueue length: %d\n", c.Mode, c.TruncLen, c.QueueLen))
}

// dumpStats prints how many packets the queues had no room for since the module was loaded, in the words of dwdump.
func (a *App) dumpStats(s *netdm.Session) error {
	n, err := s.Stats()
	if err != nil {
		return err
	}
	return a.write(fmt.Sprintf("Software statistics:\nTail dropped: %d\nHardware statistics:\nTail dropped: %d\n", n.Software, n.Hardware))
}
