package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/config"
	"dropwatch/internal/counters"
	"dropwatch/internal/doctor"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
)

// A pointsCommand is the verb points with the values of its flags.
type pointsCommand struct {
	*App
	flags      *pflag.FlagSet
	json, list bool
	gen        string
}

// newPoints adds the flags of points.
func newPoints(a *App) *pointsCommand {
	c := &pointsCommand{App: a, flags: cli.NewFlags()}
	c.flags.BoolVarP(&c.list, "list", "l", false, "list them, which is the default")
	c.flags.BoolVarP(&c.json, "json", "j", false, "one JSON object a line for each point")
	c.flags.StringVar(&c.gen, "gen", "", "write the points that can be probed to this new `file` instead, to be changed")
	return c
}

// points is the verb that lists where packets can be dropped, and what shows it.
func (a *App) points(d *defaults) *cli.Verb {
	c := newPoints(a)
	return &cli.Verb{
		Name: pointsVerb, Args: "[options] [layer|module ...]", Short: "list where packets are dropped, by layer and module",
		Long: `List the points at which dropwatch knows that packets are dropped, by layer and
module: reasons, functions, hardware traps, counters, and points that can be
probed. Each has the sources that can show it on this host now, or - if none
can. With test, say which points this kernel can probe, and what is read there.`,
		Usage: []string{
			"dropwatch points [options] [LAYER | MODULE | LAYER/MODULE ...]", "dropwatch points test [POINT | LAYER | MODULE | FILE ...]",
			"dropwatch points --gen FILE",
		},
		Notes: `watch, top, record, replay and diagnose take layers and modules, too, with
--include and --exclude. In a session, points on NAME and points off NAME say
which points start, watch and record report.`,
		Examples: []string{
			"dropwatch points", "dropwatch points transport", "dropwatch points link/qdisc tcp", "dropwatch watch --include tcp",
			"dropwatch points test tcp_accept_queue", "dropwatch points --gen points.toml", "dropwatch points test points.toml",
		},
		Manual: manVerbs["points"], Flags: c.flags, Words: pointWords(d.inSession), InSession: true,
		Run: c.run,
	}
}

// run lists points, or tests them on this kernel. Only test needs privileges: without them the list says that no source
// can show a point.
func (c *pointsCommand) run(ctx context.Context, args cli.Args) error {
	first := ""
	if len(args.Words) > 0 {
		first = args.Words[0]
	}
	switch {
	case c.flags.Changed("gen") && (c.list || c.json || len(args.Words) > 0):
		return usageError("points: --gen cannot be combined with anything else")
	case c.flags.Changed("gen"):
		return generatePoints(c.gen)
	case first == onWord || first == offWord:
		return usagef("points: %s is for a session: use --point of watch or record", first)
	case first == testWord && (c.list || c.json):
		return usageError("points: test cannot be combined with options")
	case first == testWord:
		return c.testPoints(args.Words[1:])
	}
	nodes, err := parseNodes(args.Words)
	if err != nil {
		return err
	}
	found, err := c.findPoints(ctx, nodes)
	if err != nil {
		return err
	}
	return c.printPoints(found, c.json)
}

// pointWords returns what completes the arguments.
func pointWords(inSession bool) func(before []string) []string {
	first := []string{testWord}
	if inSession {
		first = append(first, onWord, offWord)
	}
	return func(before []string) []string {
		if len(before) > 0 && slices.Contains(first, before[0]) {
			return point.Words()
		}
		return append(slices.Clip(first), knowledge.NodeNames()...)
	}
}

// generatePoints writes the built-in points to a file, which must be new.
func generatePoints(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		_, err = file.WriteString(config.PointsText(point.Builtin()))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		fix := ""
		if errors.Is(err, fs.ErrExist) {
			fix = ": name a new file"
		}
		return fmt.Errorf("write points to %s: %w%s", event.Escape(path), event.WithoutPath(err), fix)
	}
	return nil
}

// parseNodes reads the layers and modules that are asked for; none: all.
func parseNodes(names []string) (nodes []knowledge.Node, err error) {
	for _, name := range names {
		n, ok := knowledge.ParseNode(name)
		if !ok {
			return nil, usagef("points: unknown layer or module %q: %s", name,
				cmp.Or(knowledge.SuggestNode(name), "dropwatch points lists them"))
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// A listed is where packets are dropped, or what counts them.
type listed struct {
	layer           knowledge.Layer
	module          string
	kind, name      string // as they are printed
	class, severity string // empty: not known, as of what can be probed
	sources         []string
}

// findPoints returns the points in some nodes, by layer and module.
func (a *App) findPoints(ctx context.Context, nodes []knowledge.Node) (all []listed, err error) {
	v, err := a.newView(ctx)
	if err != nil {
		return nil, err
	}
	in := func(e *knowledge.Entry) bool {
		return len(nodes) == 0 || slices.ContainsFunc(nodes, func(n knowledge.Node) bool { return n.Has(e) })
	}
	entries := slices.DeleteFunc(slices.Clone(knowledge.All()), func(e *knowledge.Entry) bool { return !in(e) })
	slices.SortStableFunc(entries, func(a, b *knowledge.Entry) int { return cmp.Compare(a.Kind, b.Kind) })
	for _, e := range entries {
		all = append(all, listed{
			e.Layer, e.Module, e.Kind.String(), e.Name, e.Class.String(), e.Severity.String(), v.sources(e),
		})
	}
	for _, p := range point.Builtin() {
		if in(&knowledge.Entry{Layer: p.Layer, Module: p.Module}) {
			all = append(all, listed{layer: p.Layer, module: p.Module, kind: "point", name: p.Name, sources: v.probes(&p)})
		}
	}
	slices.SortStableFunc(all, func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.layer, b.layer), cmp.Compare(a.module, b.module))
	})
	return all, nil
}

// A view is what this host can show.
type view struct {
	report    doctor.Report
	kernel    host.Version
	reasons   func(string) bool
	functions func(string) bool
	counters  map[string]bool // by ID: those that can be read in this network namespace
	typed     func(*point.Point) (*probe.Typed, error)
	unprobed  error // why no function can be probed; nil: typed is valid
}

// newView finds out what this host can show, and notes what it cannot find out.
func (a *App) newView(ctx context.Context) (v view, err error) {
	none := func(string) bool { return false }
	v.report, v.kernel = a.examine(), host.ParseVersion(a.runner.Host.Identity().Release)
	if v.reasons, err = a.runner.KernelReasons(); err != nil {
		a.runner.Notices.Warn(err)
		v.reasons = none
	}
	if v.functions, err = a.runner.KernelFunctions(); err != nil {
		a.runner.Notices.Warn(err)
		v.functions = none
	}
	if v.typed, v.unprobed = a.runner.KernelPoints(); v.unprobed == nil {
		v.unprobed = canProbe()
	}
	snapshot, err := (&counters.Reader{Host: a.runner.Host}).Read(ctx)
	if err != nil {
		return view{}, err
	}
	v.counters = make(map[string]bool)
	for i := range snapshot.Counters {
		v.counters[snapshot.Counters[i].ID()] = true
	}
	return v, nil
}

// sources returns the names of the sources that can show a point, in the order in which
// they are tried; counters for a counter.
func (v *view) sources(e *knowledge.Entry) (names []string) {
	add := func(name string, can bool) {
		if can {
			names = append(names, name)
		}
	}
	switch e.Kind {
	case knowledge.Counter:
		add("counters", v.counters[e.Name])
	case knowledge.Trap:
		add("netdm", v.report.Netdm)
	case knowledge.Reason:
		has := v.reasons(e.Name)
		add("bpf", has && v.report.BPF)
		add("netdm", has && v.report.Netdm && !v.kernel.Before(5, 18) && !capture.OfTracepoint(e.Name)) // NET_DM_ATTR_REASON
		add("trace", has && v.report.Trace)
	case knowledge.Function:
		has := v.functions(e.Name)
		add("bpf", has && v.report.BPF)
		add("netdm", has && v.report.Netdm)
		add("trace", has && v.report.Trace)
	}
	return names
}

// probes returns the name of the source that can show a point, if this kernel has what it needs. Nil: it has not, or
// this process may not probe functions.
func (v *view) probes(p *point.Point) []string {
	if v.unprobed != nil {
		return nil
	}
	if _, err := v.typed(p); err != nil {
		return nil
	}
	return []string{"probe"}
}

// printPoints prints a tree, or with asJSON a line for each point.
func (a *App) printPoints(all []listed, asJSON bool) error {
	var b strings.Builder
	var layer, module string
	for _, p := range all {
		if asJSON {
			text, err := json.Marshal(p.json())
			if err != nil {
				return err
			}
			b.Write(append(text, '\n'))
			continue
		}
		if name := p.layer.String(); name != layer {
			layer, module = name, ""
			b.WriteString(name + "\n")
		}
		if p.module != module {
			module = p.module
			b.WriteString("  " + module + "\n")
		}
		fmt.Fprintf(&b, "    %-9v %-38s %s\n", p.kind, p.name, cmp.Or(strings.Join(p.sources, " "), "-"))
	}
	return a.write(b.String())
}

// pointJSON is a line of kind drop_point. Kind point is that of events at points.
type pointJSON struct {
	Kind     string   `json:"kind"`
	Layer    string   `json:"layer"`
	Module   string   `json:"module"`
	Type     string   `json:"type"` // reason, function, trap, counter, point
	Name     string   `json:"name"`
	Class    string   `json:"class,omitempty"`
	Severity string   `json:"severity,omitempty"`
	Sources  []string `json:"sources"` // empty: this host cannot show it now
}

// json is the line of a point. Sources is [] and not null if there are none.
func (p *listed) json() pointJSON {
	return pointJSON{
		Kind: "drop_point", Layer: p.layer.String(), Module: p.module, Type: p.kind, Name: p.name,
		Class: p.class, Severity: p.severity, Sources: append([]string{}, p.sources...),
	}
}
