package capture

import (
	"context"
	"errors"
	"fmt"
	"os"

	"dropwatch/internal/member"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/source/correlate"
	"dropwatch/internal/source/probe"
)

// openSources opens the sources of drops and of points, as far as they are wanted. That of points is opened first,
// as it takes longer, and drops are more.
func (r *run) openSources(ctx context.Context) (err error) {
	points, names, err := r.openPoints(r.spec)
	switch {
	case err != nil:
		return err
	case points != nil && !r.spec.wantsDrops():
		r.source = tracerSource("probe", points)
		r.source.arrange = r.spec.Filter.Stages
		return nil
	}
	r.source, err = r.openSource(ctx, r.spec)
	switch {
	case points == nil:
	case err != nil:
		err = errors.Join(err, points.Close())
	default:
		r.points, r.reported = points, names
		r.source.name += " and probe"
	}
	return err
}

// openPoints opens the source of the points that this kernel can probe. What it cannot is noted, and is an error if
// nothing else is wanted of the points. It returns nil if no points are wanted, or if the kernel can probe no function
// at all and drops are wanted, too. With Input.IfPossible only that is noted, and names are the points that are reported.
func (r *Runner) openPoints(s *Spec) (t Tracer, names []string, err error) {
	if len(s.Input.Points) == 0 || s.Input.recorded() {
		return nil, nil, nil
	}
	if s.Input.IfPossible {
		return r.openPossible(s.Input.Points)
	}
	t, err = r.openNamed(s)
	return t, nil, err
}

// openNamed opens the source of points that the user named.
func (r *Runner) openNamed(s *Spec) (Tracer, error) {
	var failed, filtered, unnamed failures
	t, err := r.OpenProbe(probe.Options{
		Points: s.Input.Points, Types: member.Running(), Symbols: r.Symbols.live(),
		Lacking:  func(_ *point.Point, err error) { failed = append(failed, err) },
		Filtered: func(err error) { filtered = append(filtered, err) },
		Unnamed:  func(err error) { unnamed = append(unnamed, err) },
	})
	switch {
	case err == nil:
		r.noteLacking(failed)
		if len(filtered) > 0 {
			r.Notices.Note("points cost more without BPF, and have no packets: %v", filtered[0])
		}
		if len(unnamed) > 0 {
			r.Notices.Note("rules of iptables are not named: %v", unnamed[0])
		}
		return t, nil
	case len(failed) == len(s.Input.Points) && len(failed) == 1:
		return nil, failed[0]
	case len(failed) == len(s.Input.Points):
		return nil, fmt.Errorf("this kernel can probe none of the points:\n  %s", failed.join("\n  "))
	case errors.Is(err, perf.ErrPermission) && os.Geteuid() != 0:
		return nil, fmt.Errorf("root needed for points: try sudo %s", s.commandLine())
	case errors.Is(err, perf.ErrNoProbes) && s.wantsDrops():
		r.Notices.Note("no points are reported: %v", adviseOne(err))
		return nil, nil
	}
	return nil, err
}

// maxReasonLines is how many points that are not possible get a line with the reason.
const maxReasonLines = 3

// noteLacking notes the points that this kernel cannot probe, beside others that it can: a few with the reason.
func (r *Runner) noteLacking(failed failures) {
	if len(failed) > maxReasonLines {
		r.Notices.Note("%d points are not possible on this kernel: dropwatch points test says why", len(failed))
		return
	}
	for _, err := range failed {
		r.Notices.Note("not possible on this kernel: %v", err)
	}
}

// withPoints returns a source that reports the points, too, if there are any beside the drops, and joins the two.
func (r *run) withPoints(drops pipeline.Source) pipeline.Source {
	if r.points == nil {
		return drops
	}
	all := []pipeline.Source{drops, r.points}
	if r.spec.Input.IfPossible {
		all[1] = &optional{r.points, r.Notices}
	}
	joined := &correlate.Reached{Stages: r.correlateStages()}
	if reading, ok := r.points.(correlate.Reading); ok {
		joined.Points = append(joined.Points, reading)
	}
	if points := r.spec.Input.Asked; points != nil {
		more := &asked{Runner: r.Runner, points: points}
		all, joined.Points = append(all, more), append(joined.Points, more)
	}
	joined.Source = pipeline.Merge(all...)
	return joined
}
