package app

import (
	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
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
