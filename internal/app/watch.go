package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/jsonl"
	"dropwatch/internal/sink/line"
	"dropwatch/internal/sink/pcapng"
	"dropwatch/internal/sink/table"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/term"
	"dropwatch/netlink"
)

// A selection says which drops are wanted, and how many.
type selection struct {
	include, exclude []string
	count            uint64
	filter           *filter.Filter // nil: all
}

func (o *selection) add(f *pflag.FlagSet) {
	f.StringSliceVarP(&o.include, "include", "i", nil, "only drops at these `points`, with commas between: functions or traps, * stands for any part of a name")
	f.StringSliceVarP(&o.exclude, "exclude", "e", nil, "no drops at these `points`")
	f.Uint64VarP(&o.count, "count", "c", 0, "end after this `number` of drops")
}

// parse reads the expression, if there is one. What a session wants holds too.
func (o *selection) parse(session *filter.Filter, words []string) error {
	points, err := filter.Points(o.include, o.exclude)
	if err != nil {
		return &usageError{err}
	}
	expression, err := parseFilter(strings.Join(words, " "))
	if err != nil {
		return &usageError{err}
	}
	o.filter = filter.And(session, filter.And(points, expression))
	return nil
}

// parseFilter reads an expression. An empty one wants all.
func parseFilter(text string) (*filter.Filter, error) {
	if text == "" {
		return nil, nil
	}
	return filter.Parse(text)
}

// A take says where drops come from.
type take struct {
	source   string
	mode     string
	origins  originSet
	stack    bool
	trunc    uint32
	sample   sample
	byOwner  bool
	duration time.Duration
	takeover bool
}

func (o *take) add(f *pflag.FlagSet) {
	f.StringVarP(&o.source, "source", "s", cmp.Or(o.source, "auto"), "where drops come from, by `name`: bpf (the event skb:kfree_skb, read by a BPF program), netdm (the drop monitor), trace (that event alone), or auto, the first that works")
	offer(f, "source", sourceNames()...)
	f.StringVarP(&o.mode, "mode", "m", "packet", "the `alerts` that netdm gives: packet (each drop by itself), or summary (counts by place, once a second)")
	offer(f, "mode", "packet", "summary")
	f.VarP(&o.origins, "origin", "o", "drops of these `origins`: sw (software), hw (hardware), or both with a comma")
	offer(f, "origin", "sw", "hw", "sw,hw")
	f.BoolVar(&o.stack, "stack", false, "take the calls that led to each drop, too, which slows the CPU that drops")
	f.Uint32Var(&o.trunc, "trunc", 0, "take at most this `number` of bytes of each packet; 0 is 256, or with --write, --hex and record all (2048 with bpf)")
	o.sample = bpf.DefaultSample
	f.Var(&o.sample, "sample", "with bpf, show this `number` of drops of each kind, second and CPU by themselves, and count the others exactly; all shows each drop, which slows a host that drops many")
	f.BoolVar(&o.byOwner, "by-owner", false, "with bpf, count the others by the socket that they were of, too")
	f.VarP((*duration)(&o.duration), "duration", "d", "end after this `time`: seconds, or as in 90s, 5m, 1h30m")
	f.BoolVar(&o.takeover, "takeover", o.takeover, "stop monitoring that others have left on, without asking")
}

// headerBytes is what is taken of a packet when nobody sees more than its
// headers: a tunnel with IPv6 and options in both packets fits.
const headerBytes = 256

// wholeBytes is what bpf takes of a packet that is to be whole: more than an
// Ethernet frame has. For each record the kernel sets as much aside.
const wholeBytes = 2048

// A sample is the value of an option: a number, or 0 for all.
type sample int

// Set reads the value.
func (s *sample) Set(text string) error {
	if text == "all" {
		*s = 0
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return errors.New("give a number from 1, or all")
	}
	*s = sample(n)
	return nil
}

// String gives the value for help.
func (s *sample) String() string {
	if *s == 0 {
		return "all"
	}
	return strconv.Itoa(int(*s))
}

// Type is the name of the value in help where there is no other.
func (s *sample) Type() string { return "number" }

// unsummed is what a summary of NET_DM does not tell.
const unsummed = filter.Packet | filter.Protocol | filter.Length | filter.Reason | filter.Interface | filter.Running | filter.Cookie | filter.Owner | filter.Namespace

// demand is what is asked of the source. Whole says that packets are kept.
func (o *take) demand(f *filter.Filter, whole bool) (demand, error) {
	d := demand{source: o.source, origins: o.origins.orSoftware(), stack: o.stack, summary: o.mode == "summary", takeover: o.takeover, filter: f}
	switch {
	case o.mode != "packet" && !d.summary:
		return d, &usageError{fmt.Errorf("unknown mode %q: give packet or summary", o.mode)}
	case !slices.Contains(sourceNames(), o.source):
		return d, &usageError{fmt.Errorf("unknown source %q: give one of: %s", o.source, strings.Join(sourceNames(), ", "))}
	case d.summary && o.stack:
		return d, &usageError{errors.New("a summary has no stacks: leave out --stack or --mode summary")}
	case d.summary && !f.CanMatch(unsummed):
		return d, &usageError{fmt.Errorf("a summary does not tell %s, which the expression asks for: leave out --mode summary", strings.Join(f.Needs(unsummed), ", "))}
	case !o.stack && !f.CanMatch(filter.Stack):
		return d, &usageError{errors.New("the expression asks for stacks: add --stack")}
	}
	mode, trunc := netlink.ModePacket, o.trunc
	if d.summary {
		mode = netlink.ModeSummary
	}
	if trunc == 0 && !whole {
		trunc = headerBytes
	}
	d.sample, d.byOwner, d.bytes = int(o.sample), o.byOwner, int(cmp.Or(trunc, wholeBytes))
	d.configure = func(c *netlink.Config) { c.Mode, c.TruncLen = mode, trunc }
	return d, nil
}

// A show says how drops are shown.
type show struct {
	json, hex, summary bool
	file               string
	begun              time.Time // of a recorded run
}

func (o *show) add(f *pflag.FlagSet) {
	f.BoolVarP(&o.json, "json", "j", false, "a JSON object a line, described by: dropwatch help json")
	f.BoolVarP(&o.summary, "summary", "S", false, "a table of places and reasons each second, instead of a line a drop")
	f.BoolVarP(&o.hex, "hex", "x", false, "show the bytes of packets, too")
	f.StringVarP(&o.file, "write", "w", "", "write packets also to this `file` in pcapng format, with place and reason as comments; - is standard output, and then nothing else is shown there")
}

// check tells what does not go together.
func (o *show) check(a *App, f *pflag.FlagSet) error {
	switch {
	case f.Changed("write") && o.file == "":
		return &usageError{errors.New("-w got an empty name: name a file, or leave it out")}
	case o.json && o.summary:
		return &usageError{errors.New("--json and --summary exclude each other: JSON lines have each drop")}
	case o.hex && o.summary:
		return &usageError{errors.New("--hex and --summary exclude each other: a table has no packets")}
	case o.file == "-" && (o.json || o.summary || o.hex):
		return &usageError{errors.New("-w - takes standard output for packets: name a file to have both")}
	case o.file == "-":
		return a.mayTakePackets("watch")
	}
	return nil
}

// whole says that packets are kept.
func (o *show) whole() bool { return o.hex || o.file != "" }

// watchOptions are those of watch.
type watchOptions struct {
	selection
	take
	show
}

func (o *watchOptions) flags() *pflag.FlagSet {
	f := newFlags("watch")
	o.take.add(f)
	o.selection.add(f)
	o.show.add(f)
	return f
}

func watchHelp(f *pflag.FlagSet) string {
	return `Show each dropped packet as a line, until Ctrl-C: time, place, reason,
interface, flow, length, whose it was; then a table by place and reason, and
what was lost. A line with "more" is a count of drops of the same kind; with
"?" an owner is likely and not certain.

Usage:
  dropwatch watch [options] [expression]

An expression says which drops are wanted, see dropwatch help filter.

Options:
` + f.FlagUsagesWrapped(80) + `
Examples:
  dropwatch watch
  dropwatch watch 'reason == NO_SOCKET and dst port 53 and not iface lo'
  dropwatch watch process nginx or container web
  dropwatch watch --summary -e 'unix_*' not proto arp
  dropwatch watch --json --duration 10s | jq .reason
  dropwatch watch -w drops.pcapng net 10.0.0.0/8
`
}

func (a *App) watchCommand(ctx context.Context, args []string) error {
	var o watchOptions
	o.takeover, o.source = a.takeover, a.source
	f := o.flags()
	if err := a.parseFlags(f, args, watchHelp(f)); err != nil {
		return err
	}
	if err := o.selection.parse(a.filter, f.Args()); err != nil {
		return err
	}
	if err := o.show.check(a, f); err != nil {
		return err
	}
	d, err := o.take.demand(o.filter, o.whole())
	if err != nil {
		return err
	}
	if d.summary && o.whole() {
		return &usageError{errors.New("a summary has no packets: leave out -w and --hex, or --mode summary")}
	}
	c := capture{demand: d, duration: o.duration, count: o.count, file: o.file}
	c.sink = func(_ string, file outFile) (pipeline.Sink, error) { return a.sink(&o.show, o.stack, file) }
	return c.run(ctx, a)
}

// sink is what shows drops as o says, with stacks if there are any.
func (a *App) sink(o *show, stack bool, file outFile) (pipeline.Sink, error) {
	if o.file == "" {
		return a.display(o, stack), nil
	}
	packets, err := newPcapng(file)
	if err != nil {
		return nil, err
	}
	if o.file == "-" {
		return pipeline.Tee{packets, table.New(a.err, o.table(a.err, 0))}, nil
	}
	return pipeline.Tee{packets, a.display(o, stack)}, nil
}

// display is what standard output shows.
func (a *App) display(o *show, stack bool) pipeline.Sink {
	switch {
	case o.json:
		return jsonl.New(a.out, jsonl.Options{Bytes: o.hex})
	case o.summary:
		return table.New(a.out, o.table(a.out, time.Second))
	}
	return pipeline.Tee{
		line.New(a.out, line.Options{Color: colored(a.out), Stack: stack, Hex: o.hex}),
		table.New(a.out, o.table(a.out, 0)),
	}
}

func (o *show) table(out *os.File, every time.Duration) table.Options {
	return table.Options{Every: every, Begin: o.begun, Color: colored(out), Width: term.Width(out)}
}

// colored tells whether a file is to have colours (https://no-color.org).
func colored(f *os.File) bool {
	return term.IsTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func newPcapng(file outFile) (*pcapng.Sink, error) {
	h := session.ThisHost()
	return pcapng.New(file, pcapng.Options{Name: file.name, App: "dropwatch " + Version, Host: h.Host, Kernel: h.Kernel})
}
