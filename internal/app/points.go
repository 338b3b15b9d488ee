package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/counters"
	"dropwatch/internal/doctor"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
)

// points is the verb that lists where packets can be dropped, and what shows it.
func (a *App) points() *cli.Verb {
	var json bool
	f := cli.NewFlags()
	f.BoolVarP(&json, "json", "j", false, "one JSON object a line for each point")
	return &cli.Verb{
		Name: "points", Args: "[options] [layer|module ...]", Short: "list where packets are dropped, by layer and module",
		Long: `List the points at which dropwatch knows that packets are dropped, by layer and
module: reasons, functions, hardware traps, and counters. Each has the sources
that can show it on this host now, or - if none can.`,
		Usage: []string{"dropwatch points [options] [LAYER | MODULE | LAYER/MODULE ...]"},
		Notes: "watch, top, record, replay and diagnose take layers and modules, too, with\n--include and --exclude.",
		Examples: []string{
			"dropwatch points", "dropwatch points transport", "dropwatch points link/qdisc tcp", "dropwatch watch --include tcp",
		},
		Manual: manVerbs["points"], Flags: f, Words: func([]string) []string { return knowledge.NodeNames() }, InSession: true,
		Run: func(ctx context.Context, args cli.Args) error {
			nodes, err := parseNodes(args.Words)
			if err != nil {
				return err
			}
			found, err := a.findPoints(ctx, nodes)
			if err != nil {
				return err
			}
			return a.printPoints(found, json)
		},
	}
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

// A point is where packets are dropped, or what counts them.
type point struct {
	*knowledge.Entry
	sources []string // that can show it on this host now
}

// findPoints returns the points in some nodes, by layer and module.
func (a *App) findPoints(ctx context.Context, nodes []knowledge.Node) (all []point, err error) {
	for _, e := range knowledge.All() {
		if len(nodes) == 0 || slices.ContainsFunc(nodes, func(n knowledge.Node) bool { return n.Has(e) }) {
			all = append(all, point{Entry: e})
		}
	}
	v, err := a.newView(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].sources = v.sources(all[i].Entry)
	}
	slices.SortStableFunc(all, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Module, b.Module), cmp.Compare(a.Kind, b.Kind))
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

// printPoints prints a tree, or with asJSON a line for each point.
func (a *App) printPoints(all []point, asJSON bool) error {
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
		if name := p.Layer.String(); name != layer {
			layer, module = name, ""
			b.WriteString(name + "\n")
		}
		if p.Module != module {
			module = p.Module
			b.WriteString("  " + module + "\n")
		}
		fmt.Fprintf(&b, "    %-9v %-38s %s\n", p.Kind, p.Name, cmp.Or(strings.Join(p.sources, " "), "-"))
	}
	return a.write(b.String())
}

// pointJSON is a line of kind point.
type pointJSON struct {
	Kind     string   `json:"kind"`
	Layer    string   `json:"layer"`
	Module   string   `json:"module"`
	Type     string   `json:"type"` // reason, function, trap, counter
	Name     string   `json:"name"`
	Class    string   `json:"class"`
	Severity string   `json:"severity"`
	Sources  []string `json:"sources"` // empty: this host cannot show it now
}

func (p *point) json() pointJSON {
	return pointJSON{
		Kind: "point", Layer: p.Layer.String(), Module: p.Module, Type: p.Kind.String(), Name: p.Name,
		Class: p.Class.String(), Severity: p.Severity.String(), Sources: append([]string{}, p.sources...),
	}
}
