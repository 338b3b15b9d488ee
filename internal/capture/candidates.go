package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"dropwatch/internal/event"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/source/trace"
	"dropwatch/netlink"
)

// A Candidate is a source of live drops that can be tried.
type Candidate struct {
	Name string // as Input.Source and --source take it
	Help string // what it is, in a few words

	lacks     event.Facts     // what it reports for no drop
	seldom    event.Facts     // what it reports for few drops
	origins   netlink.Origins // what kinds of drops it sees
	summaries bool            // it has a summary mode
	open      func(*Runner, context.Context, *Spec) (*openedSource, error)
}

// Candidates returns the sources of live drops in the order in which they are
// tried. bpf comes first: it loses the least and costs the least. MonitorFirst puts
// the drop monitor before it, for a session, because the C program has no other
// source. The caller owns the slice.
func Candidates(monitorFirst bool) []Candidate {
	all := []Candidate{
		{
			Name: "bpf", Help: "the event skb:kfree_skb, read by a BPF program",
			lacks: bpf.Lacks, origins: netlink.Software, open: (*Runner).openBPF,
		},
		{
			Name: "netdm", Help: "the drop monitor, with another source beside it for what it skips",
			lacks: netdm.Lacks, origins: netlink.Software | netlink.Hardware, summaries: true, open: (*Runner).openNetdm,
		},
		{
			Name: "trace", Help: "that event, without packets",
			lacks: trace.Lacks, seldom: trace.Seldom, origins: netlink.Software, open: (*Runner).openTrace,
		},
	}
	if monitorFirst {
		all[0], all[1] = all[1], all[0]
	}
	return all
}

// RetransCandidates returns the sources of what TCP sends again, in the order in which they are tried.
// The caller owns the slice.
func RetransCandidates() []Candidate {
	return []Candidate{
		{
			Name: "bpf", Help: "the events of tcp:tcp_retransmit_skb and its neighbours, read by BPF programs",
			lacks: retrans.Lacks, origins: netlink.Software, open: (*Runner).openRetrans,
		},
		{
			Name: "trace", Help: "those events, with addresses, ports and state only",
			lacks: retrans.TraceLacks, seldom: retrans.TraceSeldom, origins: netlink.Software, open: (*Runner).openRetransTrace,
		},
	}
}

// SourceNames returns the values of Input.Source, auto first.
func SourceNames() []string { return sourceNames(Candidates(false)) }

// RetransSourceNames returns them with Input.Retransmits.
func RetransSourceNames() []string { return sourceNames(RetransCandidates()) }

// sourceNames returns the names of sources, after auto.
func sourceNames(all []Candidate) []string {
	names := []string{"auto"}
	for i := range all {
		names = append(names, all[i].Name)
	}
	return names
}

// sources returns what the Spec can have its events from.
func (s *Spec) sources() []Candidate {
	if s.Input.Retransmits {
		return RetransCandidates()
	}
	return Candidates(s.Input.MonitorFirst)
}

// candidates returns the sources to try for a Spec, in order. Those that see all
// wanted origins come first; the order within each group is that of Candidates.
func (s *Spec) candidates() []Candidate {
	all := s.sources()
	switch name := s.Input.Source; {
	case s.Input.Flows: // which one counts
		return slices.DeleteFunc(all, func(c Candidate) bool { return c.Name != "bpf" })
	case name != "auto":
		return slices.DeleteFunc(all, func(c Candidate) bool { return c.Name != name })
	}
	if s.has(Alerts) { // which only one has
		return slices.DeleteFunc(all, func(c Candidate) bool { return !c.summaries })
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return len(a.missingOrigins(s)) - len(b.missingOrigins(s)) })
	return all
}

// missingOrigins names the wanted origins that the candidate does not see.
func (c *Candidate) missingOrigins(s *Spec) (names []string) {
	missing := s.Input.origins() &^ c.origins
	if missing&netlink.Software != 0 {
		names = append(names, "software")
	}
	if missing&netlink.Hardware != 0 {
		names = append(names, "hardware")
	}
	return names
}

// openSource opens the source that is named, or with auto the first that works. It
// stops at a drop monitor that another program uses: that source does work, and
// whether to take it over is for the user to decide. So it does if too many files are
// open, which says nothing about a source. If none works the error has a
// line for each, with the reason.
func (r *Runner) openSource(ctx context.Context, s *Spec) (*openedSource, error) {
	switch {
	case s.Input.Recording != "":
		return r.openRecording(ctx, s)
	case s.Input.Segments != "":
		return r.openRing(s)
	case len(s.Captures) > 0:
		return r.openCaptures(s)
	}
	var failed failures
	for _, c := range s.candidates() {
		opened, err := c.try(ctx, r, s)
		switch {
		case err == nil:
			r.noteLimits(opened)
			opened.why = failed.join("; ")
			return opened, nil
		case s.Input.Source != "auto" || s.has(Alerts) || s.Input.Flows: // there is no other to try
			return nil, fmt.Errorf("source %s: %w", c.Name, err)
		case ctx.Err() != nil, errors.As(err, new(*netdm.InUseError)), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			return nil, err
		}
		failed = append(failed, fmt.Errorf("%s: %w", c.Name, err))
	}
	if os.Geteuid() != 0 && failed.permission() {
		return nil, fmt.Errorf("root needed: try sudo %s", s.commandLine())
	}
	what := "drops"
	if s.Input.Retransmits {
		what = "retransmissions"
	}
	return nil, fmt.Errorf("no source of %s can be used (`dropwatch doctor` says more):\n  %s", what, failed.join("\n  "))
}

// try opens the candidate for a Spec, unless it could not provide what the Spec
// needs.
func (c *Candidate) try(ctx context.Context, r *Runner, s *Spec) (*openedSource, error) {
	if err := c.unsuitable(s); err != nil {
		return nil, err
	}
	opened, err := c.open(r, ctx, s)
	if err != nil {
		return nil, Advise(err)
	}
	opened.candidate, opened.limits = c.Name, c.limits(s)
	if opened.arrange == nil {
		opened.arrange = s.Filter.Stages
	}
	return opened, nil
}

// unsuitable returns an error if the candidate could never show a drop that the
// Spec wants: trying it would only make the user wait.
func (c *Candidate) unsuitable(s *Spec) error {
	switch {
	case s.Input.Mode == Summaries && !c.summaries:
		return errors.New("it has no summary mode: leave out --mode summary")
	case s.Input.origins()&c.origins == 0:
		return fmt.Errorf("it sees no %s drops", strings.Join(c.missingOrigins(s), " and "))
	case !s.Filter.CanMatch(c.lacks):
		return fmt.Errorf("it cannot provide %s, which the expression needs", strings.Join(s.Filter.Needs(c.lacks), ", "))
	}
	return nil
}

// limits says what the Spec asks for and this source provides only in part, a line for
// each: the run goes on, but some terms of the expression never match.
func (c *Candidate) limits(s *Spec) (lines []string) {
	if fields := s.Filter.Needs(c.lacks); len(fields) > 0 {
		lines = append(lines, fmt.Sprintf("source %s cannot provide %s: terms that use it never match", c.Name, strings.Join(fields, ", ")))
	}
	if fields := s.Filter.Needs(c.seldom); len(fields) > 0 {
		const format = "source %s knows %s of few drops (help sources): terms that use it match no other drop"
		lines = append(lines, fmt.Sprintf(format, c.Name, strings.Join(fields, ", ")))
	}
	if s.Input.withTCP() && c.Name != "bpf" {
		lines = append(lines, fmt.Sprintf("source %s does not report what TCP sends again, and resets", c.Name))
	}
	if origins := c.missingOrigins(s); len(origins) > 0 {
		const format = "%s drops are not available: source %s does not see them"
		lines = append(lines, fmt.Sprintf(format, strings.Join(origins, " and "), c.Name))
	}
	return lines
}

// noteLimits notes what of the wanted a source does not provide.
func (r *Runner) noteLimits(s *openedSource) {
	for _, line := range s.limits {
		r.Notices.Text(line)
	}
}
