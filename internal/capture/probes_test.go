package capture

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/stage/filter"
)

// A noProbe is a source of points that are never reached.
type noProbe struct{}

func (noProbe) Run(context.Context, pipeline.Output) error { return nil }
func (noProbe) Close() error                               { return nil }
func (noProbe) Began() (from, until time.Time)             { return from, until }

// TestOpenPoints: what this kernel lacks is noted beside what it has, and an error if it is all; without probes
// drops are reported alone.
func TestOpenPoints(t *testing.T) {
	names := strings.Fields("a b c d e")
	for text, tt := range map[string]struct {
		wanted, lacking int
		err             error // of all probes
		expression      string
		opened          bool
		fails, notes    string
	}{
		"all are possible": {wanted: 2, opened: true},
		"one is not": {
			wanted: 2, lacking: 1, opened: true, notes: "dropwatch: not possible on this kernel: point a: it is inlined\n",
		},
		"many are not": {
			wanted: 5, lacking: 4, opened: true,
			notes: "dropwatch: 4 points are not possible on this kernel: dropwatch points test says why\n",
		},
		"the only one is not": {wanted: 1, lacking: 1, fails: "point a: it is inlined"},
		"none is": {
			wanted: 2, lacking: 2, fails: "this kernel can probe none of the points:\n  point a: it is inlined\n  point b: ",
		},
		"no probes": {
			wanted: 1, err: perf.ErrNoProbes, notes: "dropwatch: no points are reported: this kernel has no kprobe events: " +
				"reasons, functions, traps and counters need none: dropwatch points lists those that work here\n",
		},
		"no probes and no drops": {
			wanted: 1, err: perf.ErrNoProbes, expression: "kind == point", fails: "this kernel has no kprobe events",
		},
		"none is wanted": {},
	} {
		t.Run(text, func(t *testing.T) {
			var notes strings.Builder
			r := &Runner{Notices: NewNotices(&notes), Symbols: new(Symbols)}
			r.Symbols.table.Symbols = filepath.Join(t.TempDir(), "kallsyms")
			if err := os.WriteFile(r.Symbols.table.Symbols, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			r.OpenProbe = func(o probe.Options) (Tracer, error) {
				if tt.err != nil {
					return nil, tt.err
				}
				for i := range tt.lacking {
					o.Lacking(&o.Points[i], errors.New("point "+o.Points[i].Name+": it is inlined"))
				}
				if tt.lacking == len(o.Points) {
					return nil, errors.New("no point is possible")
				}
				return noProbe{}, nil
			}
			var spec Spec
			for _, name := range names[:tt.wanted] {
				spec.Input.Points = append(spec.Input.Points, point.Point{Name: name})
			}
			if tt.expression != "" {
				spec.Filter, _ = filter.Parse(tt.expression)
			}
			source, _, err := r.openPoints(&spec)
			if (source != nil) != tt.opened || (err == nil) != (tt.fails == "") || err != nil && !strings.HasPrefix(err.Error(), tt.fails) {
				t.Errorf("source %v, error %v", source, err)
			}
			if notes.String() != tt.notes {
				t.Errorf("notes %q, want %q", notes.String(), tt.notes)
			}
		})
	}
}
