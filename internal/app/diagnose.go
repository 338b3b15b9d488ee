package app

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/session"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/term"
)

// A diagnoseRun is what a command line of diagnose asks for.
type diagnoseRun struct {
	*App
	defaults *defaults
	flags    *pflag.FlagSet
	spec     capture.Spec
	selected *filterFlags
	evidence *pointFlag
	named    []string // points that evidence names
	failOn   threshold
	json     bool
}

// diagnose is the verb that says which packets this host loses, why, and what to do.
func (a *App) diagnose(d *defaults) *cli.Verb {
	r := &diagnoseRun{
		App: a, defaults: d, flags: cli.NewFlags(), spec: capture.Spec{Duration: 10 * time.Second}, failOn: threshold(knowledge.Maybe),
	}
	addCaptureFlags(r.flags, &r.spec, d)
	r.selected = addFilterFlags(r.flags, &r.spec)
	r.flags.BoolVarP(&r.json, "json", "j", false, "one JSON object a line for each finding, and one with the verdict")
	r.evidence = addEvidenceFlag(r.flags, d)
	r.flags.Var(&r.failOn, "fail-on", "exit with code 3 if there is a finding of this `severity`: maybe, harm, or never")
	return &cli.Verb{
		Name: "diagnose", Args: "[options] [expression] [-- command]", Short: "find out which packets this host loses, why, and what to do",
		Long: `Watch drops and the host's counters together for a while, then say which
packets are lost, why, whose they are, whether it matters, and how to check and
to fix it. What the counters say is lost and no drop shows is a finding, too;
with an expression, if network namespace, interface and layer decide that it
matches. So is what TCP sends again. Findings are ordered by severity, then by
number.`,
		Usage: []string{"dropwatch diagnose [options] [expression] [-- COMMAND]", "dropwatch diagnose [options] FILE [expression]"},
		Notes: commandNote + "\nWith COMMAND there is no --duration unless it is given.\n" +
			"FILE is a recording. One of record --counters has the counters, settings, rules\n" +
			"and sockets of its host at that time; without, findings are of its drops alone.\n" +
			"In parentheses a finding has its layer, module, class and severity, as in\n" +
			"(transport, socket, no_buffer, harm): dropwatch explain no_buffer explains one.",
		Examples: []string{
			"dropwatch diagnose", "dropwatch diagnose -d 60 iface eth0", "dropwatch diagnose --json --fail-on harm",
			"dropwatch diagnose -- curl http://web.example", "dropwatch diagnose night.dw",
		},
		Manual: manVerbs["diagnose"], Flags: r.flags, Values: captureFlagValues(), Words: a.expressionWords,
		Fields: fieldNames(), InSession: true, Command: true, Run: r.run,
	}
}

// run runs the command line. A finding that matters is an error, with the exit code for it.
func (r *diagnoseRun) run(ctx context.Context, args cli.Args) error {
	if err := r.prepare(args); err != nil {
		return err
	}
	found, outcome, broken, err := r.findings(ctx, r.spec)
	r.noteMissing(r.named, outcome.Points)
	if err == nil {
		err = cmp.Or(r.printDiagnosis(found, r.json), broken)
	}
	if err == nil {
		err = childResult(&r.spec, &outcome)
	}
	if err == nil && found.Worst() >= knowledge.Severity(r.failOn) {
		err = &resultError{code: exitAny} // the verdict was printed
	}
	return err
}

// prepare enters in the Spec what the command line says.
func (r *diagnoseRun) prepare(args cli.Args) (err error) {
	spec := &r.spec
	fill(spec, r.defaults, "diagnose", args)
	if err := fillChild(spec, args); err != nil {
		return err
	}
	expression := args.Words
	if len(expression) > 0 && r.isRecordingName(expression[0]) {
		if err := r.checkRecording(args); err != nil {
			return err
		}
		spec.Input.Recording, expression = expression[0], expression[1:]
	}
	if (spec.Child != nil || spec.Input.Recording != "") && !r.flags.Changed("duration") {
		spec.Duration = 0
	}
	spec.Input.SampledStack = true // which shows narrower causes
	spec.Input.AndRetrans = true
	spec.Input.Points, spec.Input.IfPossible = diagnose.Points(), true
	if r.named, err = r.evidence.enterBeside(r.App, spec); err != nil {
		return err
	}
	spec.Filter, err = r.selected.parse(r.defaults.filter, expression)
	return err
}

// checkRecording returns an error if the command line has what is of live drops only.
func (r *diagnoseRun) checkRecording(args cli.Args) error {
	if err := checkRecordingFlags("diagnose", r.flags, append(liveFlags, "duration", "point")); err != nil {
		return err
	}
	if args.Command != nil {
		return usageError("diagnose: a command and a recording cannot be combined: a command is run to cause live drops")
	}
	return nil
}

// findings runs a capture, with the counters read at its beginning and its end, or recorded.
// Broken is why a recording could not be read to its end: the findings are of what was read.
func (a *App) findings(ctx context.Context, spec capture.Spec) (d *diagnose.Diagnosis, outcome capture.Outcome, broken, err error) {
	if spec.Input.Recording != "" {
		return a.recordedFindings(ctx, spec)
	}
	d, outcome, err = a.liveFindings(ctx, spec)
	return d, outcome, nil, err
}

func (a *App) liveFindings(ctx context.Context, spec capture.Spec) (*diagnose.Diagnosis, capture.Outcome, error) {
	w := &window{reader: capture.AllCounters(a.runner.Host), filter: spec.Filter, sayReading: a.sayReading}
	w.reader.Nonzero = true
	asked, follower := make(chan []point.Point, diagnose.MaxAsked), new(capture.FlowFollower)
	collector := &diagnose.Collector{
		Begun:  spec.Input.Points,
		AtEnd:  func() { w.close(context.WithoutCancel(ctx)) },
		Ask:    func(points []point.Point) { asked <- points },
		Follow: follower.Follow,
	}
	spec.Input.Asked, spec.Input.Follower = asked, follower
	spec.Outputs = []capture.Output{{Format: capture.Custom, Sink: pipeline.Tee{collector, follower}}}
	spec.OwnEnd = true
	if spec.Duration > 0 {
		a.sayWait(spec.Duration)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	outcome, err := a.runner.Run(ctx, spec, func() { w.open(ctx, spec.Duration, stop) })
	if err := errors.Join(err, w.err); err != nil {
		return nil, outcome, err
	}
	collector.Watched = outcome.Points
	collector.AddConnections(w.sentBefore, w.sentAfter)
	found := diagnose.New(collector, counters.Rises(w.before, w.after), selects(spec.Filter))
	found.Ask(capture.DiagnosedHost(a.runner.Host)())
	found.AddFollowed(follower.Followed(a.runner, outcome.Ledger))
	return found, outcome, nil
}

// recordedFindings reads a recording. What it has of its host is that of the drops, never of
// this one.
func (a *App) recordedFindings(ctx context.Context, spec capture.Spec) (d *diagnose.Diagnosis, outcome capture.Outcome, broken, err error) {
	collector := new(diagnose.Collector)
	spec.Outputs = []capture.Output{{Format: capture.Custom, Sink: collector}}
	outcome, of, broken, err := a.readRecording(ctx, spec)
	if err != nil {
		return nil, outcome, nil, err
	}
	report := new(counters.Report)
	if of.First != nil {
		report = counters.Rises(of.First, of.Last)
	}
	header := outcome.Recording.Header()
	d = diagnose.New(collector, report, selectsOf(header, spec.Filter))
	d.Recording = &diagnose.Recording{Host: header.Host, Kernel: header.Kernel, Counters: of.First != nil}
	if of.First == nil {
		a.runner.Notices.Note("%s has no counters: findings are of its drops alone (dropwatch record --counters records them)",
			spec.Input.Recording)
		return d, outcome, broken, nil
	}
	d.Recording.From, d.Recording.Until = of.First.Time, of.Last.Time
	d.Ask(diagnose.RecordedHost(of.Answers))
	return d, outcome, broken, nil
}

// readRecording reads a recording with what it has of its host. Broken is why it could not be
// read to its end.
func (a *App) readRecording(ctx context.Context, spec capture.Spec) (outcome capture.Outcome, of session.Host, broken, err error) {
	spec.Input.KeepHost = true
	outcome, err = a.runner.Run(ctx, spec, nil)
	if outcome.Recording == nil {
		return outcome, of, nil, err
	}
	of = outcome.Recording.Host()
	switch last := outcome.Recording.Now(); {
	case of.Snapshots == 1:
		a.runner.Notices.Note("the counters of %s were read only once: how much they rose is not known", spec.Input.Recording)
	case of.Snapshots > 1 && err != nil && last.Sub(of.Last.Time) > time.Second:
		a.runner.Notices.Note("the last counters of %s are %v older than its last drop", spec.Input.Recording,
			last.Sub(of.Last.Time).Round(time.Second))
	}
	if errors.Is(err, session.ErrTruncated) || errors.Is(err, session.ErrCorrupt) || errors.Is(err, session.ErrVersion) {
		return outcome, of, err, nil
	}
	return outcome, of, nil, err
}

// selects returns what an expression says of the drops of a counter by where those are; nil if
// there is no expression.
func selects(f *filter.Filter) diagnose.Selects {
	if f == nil {
		return nil
	}
	return func(r *counters.Row) condition.Truth {
		return f.DecidePlace(&filter.Place{Netns: r.Netns, IfName: r.IfName, Entry: r.Meaning.Entry})
	}
}

// selectsOf is selects of the drops of a recording, which may have been selected when it was made.
// By an expression that this version does not know, nothing is known of the counters.
func selectsOf(h session.Header, f *filter.Filter) diagnose.Selects {
	text := h.Settings["filter"]
	if text == "" {
		return selects(f)
	}
	recorded, err := filter.Parse(text)
	if err != nil {
		return func(*counters.Row) condition.Truth { return condition.Unknown }
	}
	return selects(filter.And(recorded, f))
}

// sayWait tells a person how long nothing will be shown.
func (a *App) sayWait(d time.Duration) {
	if term.IsTerminal(a.runner.Err) {
		a.runner.Notices.Note("watching for %v", d)
	}
}

// sayReading tells a person why a run that was ended, as by Ctrl-C, takes a moment more.
func (a *App) sayReading() {
	if term.IsTerminal(a.runner.Err) {
		a.runner.Notices.Text("reading the counters")
	}
}

// printDiagnosis prints what was found.
func (a *App) printDiagnosis(d *diagnose.Diagnosis, json bool) error {
	write := d.WriteText
	if json {
		write = d.WriteJSON
	}
	return a.print(write)
}

// A threshold is the value of a flag: a severity, or never.
type threshold knowledge.Severity

// never is more severe than any finding.
const never = knowledge.Harm + 1

var thresholds = map[string]threshold{
	"maybe": threshold(knowledge.Maybe), "harm": threshold(knowledge.Harm), "never": threshold(never),
}

var _ pflag.Value = new(threshold)

// Set reads the value.
func (t *threshold) Set(text string) error {
	value, ok := thresholds[text]
	if !ok {
		return errors.New("give maybe, harm or never")
	}
	*t = value
	return nil
}

// String gives the value for help.
func (t *threshold) String() string {
	for name, value := range thresholds {
		if value == *t {
			return name
		}
	}
	return ""
}

// Type makes help quote the default, as those of words.
func (t *threshold) Type() string { return "string" }
