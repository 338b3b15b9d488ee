package app

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/point"
	"dropwatch/internal/stage/filter"
)

// A pointFlag is the value of --point.
type pointFlag struct {
	words []string
	flag  *pflag.Flag // to tell an empty value from none
}

// addPointFlag adds --point, with the points of the session as its default.
func addPointFlag(f *pflag.FlagSet, d *defaults) *pointFlag {
	return newPointFlag(f, d, "also report when these `points` are reached, with what the kernel knew there: names, layers, modules or "+
		"files, separated by commas, or all; alone with the expression kind point: dropwatch help points")
}

// addEvidenceFlag adds --point for findings.
func addEvidenceFlag(f *pflag.FlagSet, d *defaults) *pointFlag {
	return newPointFlag(f, d, "also ask these `points`, by their names, separated by commas: nftables, nftables_policy and iptables say "+
		"which rule dropped packets, at a cost for all that pass its chains")
}

// newPointFlag adds --point with a help text. The names are valid after the flags are parsed; d has those that are on in
// the session.
func newPointFlag(f *pflag.FlagSet, d *defaults, usage string) *pointFlag {
	var p pointFlag
	f.StringSliceVar(&p.words, "point", d.points, usage)
	p.flag = f.Lookup("point")
	return &p
}

// named returns the points that are named, none if there is no such flag. The error is one of usage, or of a file.
func (p *pointFlag) named(a *App) ([]point.Point, error) {
	if p.flag.Changed && len(p.words) == 0 {
		return nil, usageError("--point has an empty value: name points, or leave --point out")
	}
	return a.namedPoints(p.words)
}

// enter enters the points in a Spec.
func (p *pointFlag) enter(a *App, spec *capture.Spec) (err error) {
	spec.Input.Points, err = p.named(a)
	return err
}

// replaceDrops enters in a Spec, which has its filter, that the points are shown and no drops: live those that are named, of
// a recording what it has of them, which are more than those that package point knows with point.All.
func (p *pointFlag) replaceDrops(a *App, spec *capture.Spec) error {
	named, err := p.named(a)
	if err != nil || len(named) == 0 {
		return err
	}
	only := "kind == point"
	switch {
	case spec.Input.Recording == "":
		spec.Input.Points = named
	case !slices.Contains(p.words, point.All):
		names := make([]string, len(named))
		for i := range named {
			names[i] = "point.name == " + named[i].Name
		}
		only = strings.Join(names, " or ")
	}
	f, err := filter.Parse(only)
	spec.Filter = filter.And(spec.Filter, f)
	return err
}

// enterBeside enters the points in a Spec that has others, whose forms are kept, and returns their names.
func (p *pointFlag) enterBeside(a *App, spec *capture.Spec) (names []string, err error) {
	all, err := p.named(a)
	for i := range all {
		names = append(names, all[i].Name)
	}
	spec.Input.Points = point.Add(all, spec.Input.Points...)
	return names, err
}

// noteMissing notes the points that were named and are not among those that were reported.
func (a *App) noteMissing(names, reported []string) {
	for _, name := range names {
		if reported != nil && !slices.Contains(reported, name) {
			a.runner.Notices.Note("point %s is not possible on this kernel: dropwatch points test %s says why", name, name)
		}
	}
}
