package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/suggest"
)

// countersFlags are what counters is asked for.
type countersFlags struct {
	interval         time.Duration
	duration         time.Duration // of one interval; 0: not given
	count            uint64
	all, json        bool
	netns            string
	layer, name, dev []string
}

// minInterval is less than anybody wants, and longer than reading takes.
const minInterval = 100 * time.Millisecond

// counters is the verb that shows what the host counts.
func (a *App) counters(d *defaults) *cli.Verb {
	o := &countersFlags{interval: 2 * time.Second, count: 1}
	f := cli.NewFlags()
	f.VarP((*duration)(&o.interval), "interval", "n", "compare the counters after this `time`: seconds, or as in 500ms, 1m")
	f.VarP(numberFrom(&o.count, 0, math.MaxUint64), "count", "c", "stop after this `number` of intervals; 0: never")
	f.VarP((*duration)(&o.duration), "duration", "d", "compare the counters once, after this `time`")
	f.BoolVarP(&o.all, "all", "a", false, "show all counters, also those that did not change or lose nothing")
	f.BoolVarP(&o.json, "json", "j", false, "one JSON object a line for each counter")
	f.StringVar(&o.netns, "netns", "",
		"read the network namespace of this `name` or inode number, or all; the default is the one dropwatch runs in, of FILE all")
	f.StringSliceVar(&o.layer, "layer", nil, "only these `layers`, separated by commas: hardware, link, network, transport")
	f.StringSliceVar(&o.name, "name", nil, "only counters with these `names`; * stands for any part of a name")
	f.StringSliceVarP(&o.dev, "interface", "i", nil, "only counters of these `interfaces`")
	return &cli.Verb{
		Name: "counters", Args: "[options] [file]", Short: "show what this host counts about lost packets",
		Long: `Show which of this host's counters of lost packets rise: of protocols,
interfaces, queues, drivers, queueing disciplines, firewalls and sockets. Each
row says whether a packet is lost when the counter rises (yes, maybe, no), and
what it means. Counters that did not change, or lose nothing, are left out.`,
		Usage: []string{"dropwatch counters [options]", "dropwatch counters [options] FILE"},
		Notes: "FILE is a recording of record --counters; what rose in it is shown, in all\nnetwork namespaces unless --netns selects one.",
		Examples: []string{
			"dropwatch counters", "dropwatch counters --all --netns all", "dropwatch counters -n 10 -i eth0", "dropwatch counters night.dw",
		},
		Manual: manVerbs["counters"], Flags: f, OrFile: a.recordings, InSession: true,
		Run: func(ctx context.Context, args cli.Args) error {
			if err := a.checkCounters(o, f, args.Words); err != nil {
				return err
			}
			if len(args.Words) == 0 {
				return a.showCounters(ctx, o)
			}
			var spec capture.Spec
			fill(&spec, d, "counters", args)
			spec.Input.Recording = args.Words[0]
			return a.showRecordedCounters(ctx, spec, o)
		},
	}
}

// checkCounters returns an error for arguments other than one recording, and for times that are not valid
// or cannot be combined. It sets the interval that --duration stands for.
func (a *App) checkCounters(o *countersFlags, f *pflag.FlagSet, words []string) error {
	once, name := f.Changed("duration"), "interval"
	if once {
		name = "duration"
	}
	repeated := f.Changed("interval") || f.Changed("count")
	switch {
	case once && repeated:
		return usageError("counters: --duration and --interval or --count cannot be combined: it is the time of one interval")
	case len(words) > 0 && !a.isRecordingName(words[0]):
		return usagef("counters: unexpected argument %q", words[0])
	case len(words) > 1:
		return usagef("counters: unexpected argument %q", words[1])
	case len(words) > 0 && (once || repeated):
		return usageError("counters: --duration, --interval and --count cannot be combined with a recording: " +
			"its first and last counters are compared")
	case len(words) > 0:
		return nil
	case once:
		o.interval = o.duration
	}
	if o.interval < minInterval {
		return usagef("counters: invalid value %v for --%s: give %v or more", o.interval, name, minInterval)
	}
	return nil
}

// showCounters shows the changes of each interval until there were enough.
func (a *App) showCounters(ctx context.Context, o *countersFlags) error {
	reader, err := a.counterReader(o)
	if err != nil {
		return err
	}
	keep, err := o.keep()
	if err != nil {
		return err
	}
	ctx, stop := a.runner.Signals.Interruptible(ctx)
	defer stop()
	before, err := reader.Read(ctx)
	if err == nil {
		err = o.checkNames(before)
	}
	if err == nil {
		a.sayWait(o.interval)
	}
	where := a.countersScope(o)
	for n := uint64(1); err == nil; n++ {
		var after *counters.Snapshot
		if after, err = nextSnapshot(ctx, reader, before.Time.Add(o.interval)); err != nil {
			break
		}
		report := o.compare(before, after)
		report.Keep(keep)
		if err := a.printCounters(report, o, where, len(after.Counters) > 0); err != nil || n == o.count || ctx.Err() != nil {
			return err
		}
		before = after
	}
	return err
}

// countersScope describes what is read of this host.
func (a *App) countersScope(o *countersFlags) scope {
	if o.netns != "" {
		return scopeOf(o.netns)
	}
	where := a.ownScope()
	if where.others != "" {
		where.others += ": --netns all"
	}
	return where
}

// compare makes the report of all that may be shown.
func (o *countersFlags) compare(before, after *counters.Snapshot) *counters.Report {
	if o.all {
		return counters.NewReport(before, after)
	}
	return counters.Rises(before, after)
}

// showRecordedCounters shows the changes between the first and the last counters of a
// recording.
func (a *App) showRecordedCounters(ctx context.Context, spec capture.Spec, o *countersFlags) error {
	keep, err := o.keep()
	if err != nil {
		return err
	}
	o.netns = cmp.Or(o.netns, "all")
	spec.Outputs = []capture.Output{{Format: capture.Custom, Sink: new(diagnose.Collector)}}
	_, of, broken, err := a.readRecording(ctx, spec)
	switch {
	case err != nil:
		return err
	case of.First == nil:
		missing := fmt.Errorf("%s has no counters: dropwatch record --counters records them", event.Escape(spec.Input.Recording))
		return errors.Join(broken, missing)
	}
	selected := func(n event.Netns) bool {
		return o.netns == "all" || n.Inode == 0 || n.Name == o.netns || isInode(o.netns, n.Inode)
	}
	if !slices.ContainsFunc(of.Last.Counters, func(c counters.Counter) bool { return c.Netns.Inode != 0 && selected(c.Netns) }) {
		return usagef("counters: unknown network namespace %s: dropwatch counters --all %s lists them", event.Escape(o.netns),
			event.Escape(spec.Input.Recording))
	}
	if err := o.checkNames(of.First); err != nil {
		return err
	}
	report := o.compare(of.First, of.Last)
	report.Keep(func(r *counters.Row) bool { return selected(r.Netns) && keep(r) })
	return errors.Join(a.printCounters(report, o, scopeOf(o.netns), true), broken)
}

// nextSnapshot reads the counters at a time, or when ctx ends, as after Ctrl-C.
func nextSnapshot(ctx context.Context, reader *counters.Reader, at time.Time) (*counters.Snapshot, error) {
	select {
	case <-time.After(time.Until(at)):
	case <-ctx.Done():
	}
	return reader.Read(context.WithoutCancel(ctx))
}

// counterReader makes the reader of the namespaces that are asked for.
func (a *App) counterReader(o *countersFlags) (*counters.Reader, error) {
	reader := &counters.Reader{Host: a.runner.Host}
	switch o.netns {
	case "":
	case "all":
		reader.Netns = func(uint32, host.Netns) bool { return true }
	default:
		var names []string
		found := false
		reader.Netns = func(inode uint32, n host.Netns) bool { return netnsName(n) == o.netns || isInode(o.netns, inode) }
		for inode, n := range a.runner.Host.NetworkNamespaces() {
			if n.Seen() {
				names = append(names, netnsName(n))
				found = found || reader.Netns(inode, n)
			}
		}
		if !found {
			return nil, usagef("counters: unknown network namespace %s: %s", event.Escape(o.netns),
				cmp.Or(suggest.Question(o.netns, names), "give one of ip netns list, an inode number of lsns -t net, init, or all"))
		}
	}
	return reader, nil
}

// isInode reports whether text is the inode number of a network namespace, as lsns or the
// links in /proc show it.
func isInode(text string, inode uint32) bool {
	number := fmt.Sprint(inode)
	return text == number || text == "net:["+number+"]"
}

// keep makes the selection of rows.
func (o *countersFlags) keep() (func(*counters.Row) bool, error) {
	var layers []knowledge.Layer
	for _, name := range o.layer {
		i := slices.IndexFunc(knowledge.Layers, func(l knowledge.Layer) bool { return l.String() == name })
		if i < 0 {
			return nil, usagef("counters: unknown layer %s: give hardware, link, network or transport", name)
		}
		layers = append(layers, knowledge.Layers[i])
	}
	for _, pattern := range o.name {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, usagef("counters: invalid pattern %s of names", pattern)
		}
	}
	return func(r *counters.Row) bool {
		return (o.all || r.Matters()) &&
			(len(layers) == 0 || r.Known && slices.Contains(layers, r.Meaning.Entry.Layer)) &&
			(len(o.dev) == 0 || slices.Contains(o.dev, r.IfName)) &&
			(len(o.name) == 0 || slices.ContainsFunc(o.name, func(p string) bool { return matches(p, r.ID()) }))
	}, nil
}

// checkNames returns an error for a name that neither a counter of a snapshot has nor one
// that may appear, and for an interface that none of them belongs to.
func (o *countersFlags) checkNames(s *counters.Snapshot) error {
	if len(o.name)+len(o.dev) == 0 {
		return nil
	}
	var ids, interfaces []string
	for i := range s.Counters {
		ids, interfaces = append(ids, s.Counters[i].ID()), append(interfaces, s.Counters[i].IfName)
	}
	for _, en := range knowledge.All() {
		if en.Kind == knowledge.Counter {
			ids = append(ids, en.Name)
		}
	}
	for _, pattern := range o.name {
		has := slices.ContainsFunc(ids, func(id string) bool { return matches(pattern, id) })
		if group, _, _ := strings.Cut(pattern, "."); !has && !isUnread(s, group) {
			return usagef("counters: unknown counter %s: %s", event.Escape(pattern),
				cmp.Or(suggest.Question(pattern, ids), containing(pattern, ids), "dropwatch counters --all lists them"))
		}
	}
	for _, dev := range o.dev {
		if !slices.Contains(interfaces, dev) && !isUnread(s, string(counters.Interface)) {
			return usagef("counters: unknown interface %s: %s", event.Escape(dev),
				cmp.Or(suggest.Question(dev, interfaces), "ip link lists them, --netns selects another network namespace"))
		}
	}
	return nil
}

// isUnread reports whether a group of counters could not be read, in any namespace.
func isUnread(s *counters.Snapshot, group string) bool {
	return slices.ContainsFunc(s.Failures, func(f counters.Failure) bool {
		return f.Group == "" || strings.EqualFold(string(f.Group), group)
	})
}

// containing asks for the shortest names that contain what was typed, as
// [suggest.Question] does for those that are like it; nothing if there is none.
func containing(typed string, names []string) string {
	typed = strings.ToLower(typed)
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.Contains(strings.ToLower(name), typed) })
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	if names = slices.Compact(names); len(names) == 0 {
		return ""
	}
	return "did you mean " + suggest.OneOf(names[:min(len(names), 3)]) + "?"
}

// errNoCounters is the outcome if the failures that were printed left nothing.
var errNoCounters = errors.New("no counter could be read")

// printCounters prints the rows of an interval and what could not be read. Found tells
// whether there was any counter, before the selection of rows.
func (a *App) printCounters(report *counters.Report, o *countersFlags, where scope, found bool) error {
	write := report.WriteText
	switch {
	case o.json:
		write = report.WriteJSON
	case len(report.Rows) > 0:
		if err := a.write(joined(where.in, where.others) + "\n"); err != nil {
			return err
		}
	}
	if err := a.print(write); err != nil {
		return err
	}
	if !o.json {
		for i := range report.Failures {
			a.runner.Notices.Text(report.Failures[i].Error())
		}
	}
	switch length := report.Interval.Round(10 * time.Millisecond); {
	case !found:
		return errNoCounters
	case o.json || len(report.Rows) > 0:
		return nil
	case o.all:
		return a.write(fmt.Sprintf("no counter is selected in %s\n", joined(where.in, where.others)))
	default:
		return a.write(fmt.Sprintf("no counter of lost packets rose in %v in %s\n(%s)\n", length, where.in,
			joined("--all shows every counter", where.others)))
	}
}

// joined is a text, and another unless that is empty.
func joined(text, more string) string {
	if more != "" {
		text += "; " + more
	}
	return text
}

// matches reports whether a name matches a pattern in which * stands for any part, in
// letters of either case.
func matches(pattern, name string) bool {
	found, _ := path.Match(strings.ToLower(pattern), strings.ToLower(name)) // keep has checked the pattern
	return found
}
