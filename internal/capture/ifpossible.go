package capture

import (
	"context"
	"slices"

	"dropwatch/internal/member"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
	"dropwatch/kallsyms"
)

// openPossible opens the source of those points that this kernel can do, and returns their names. If it can do none,
// that is noted, and there is no source.
func (r *Runner) openPossible(points []point.Point) (Tracer, []string, error) {
	symbols := r.Symbols.live()
	possible := having(symbols, points)
	var lacking, names []string
	t, err := r.OpenProbe(probe.Options{
		Points: possible, Types: member.Running(), Symbols: symbols,
		Lacking: func(p *point.Point, _ error) { lacking = append(lacking, p.Name) },
	})
	if err != nil {
		r.Notices.Note("no points are reported: %v", err)
		return nil, nil, nil
	}
	for _, p := range possible {
		if !slices.Contains(lacking, p.Name) {
			names = append(names, p.Name)
		}
	}
	return t, names, nil
}

// having returns the points of which the kernel has a function: to explain for each other one what it has instead takes
// a tenth of a second.
func having(symbols *kallsyms.Live, points []point.Point) []point.Point {
	has := func(name string) bool { return len(symbols.Everywhere(name)) > 0 }
	return slices.DeleteFunc(slices.Clone(points), func(p point.Point) bool {
		return !slices.ContainsFunc(p.Forms(), func(f point.Point) bool { return slices.ContainsFunc(f.Functions, has) })
	})
}

// An optional is a source whose failure is noted, and does not end the run.
type optional struct {
	pipeline.Source
	notices *Notices // where it is noted
}

// Run runs the source.
func (o *optional) Run(ctx context.Context, out pipeline.Output) error {
	if err := o.Source.Run(ctx, out); err != nil {
		o.notices.Note("no points are reported any more: %v", err)
	}
	return nil
}
