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
type pointFlag []string

// addPointFlag adds --point, with the points of the session as its default.
func addPointFlag(f *pflag.FlagSet, d *defaults) *pointFlag {
	words := pointFlag(d.points)
	f.StringSliceVar((*[]string)(&words), "point", d.points, "also report when these `points` are reached, with what the kernel knew "+
		"there: names, layers, modules or files, separated by commas, or all; alone with the expression kind point: dropwatch help points")
	return &words
}

// enter enters the points in a Spec. The error is one of usage, or of a file.
func (w pointFlag) enter(a *App, spec *capture.Spec) (err error) {
	spec.Input.Points, err = a.namedPoints(w)
	return err
}

// replaceDrops enters in a Spec, which has its filter, that the points are shown and no drops: live those that are named, of
// a recording what it has of them, which are more than those that package point knows with point.All.
func (w pointFlag) replaceDrops(a *App, spec *capture.Spec) error {
	named, err := a.namedPoints(w)
	if err != nil || len(named) == 0 {
		return err
	}
	only := "kind == point"
	switch {
	case spec.Input.Recording == "":
		spec.Input.Points = named
	case !slices.Contains(w, point.All):
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
