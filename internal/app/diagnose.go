package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/knowledge"
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
	outputs  outputList
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
	r.flags.Var(&r.outputs, "output", "also write what is watched and what is found to this `output`, as in json:/var/log/drops.json; "+
		"it can be given several times, and options follow after commas: dropwatch help outputs")
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
			"dropwatch diagnose --output json:/var/log/drops.json",
		},
		Manual: manVerbs["diagnose"], Flags: r.flags, Values: captureFlagValues(), Words: a.expressionWords,
		Fields: fieldNames(), InSession: true, Command: true, Run: r.run,
	}
}

// run runs the command line. A finding that matters is an error, with the exit code for it. What was found is printed
// also if the run failed, as when an output had no room.
func (r *diagnoseRun) run(ctx context.Context, args cli.Args) error {
	if err := r.prepare(args); err != nil {
		return err
	}
	found, outcome, broken, err := r.findings(ctx, r.spec)
	r.noteMissing(r.named, outcome.Points)
	if found != nil {
		err = errors.Join(r.printDiagnosis(found, r.json), broken, err)
	}
	if err == nil {
		err = childResult(&r.spec, &outcome)
	}
	if err == nil && found.Worst() >= knowledge.Severity(r.failOn) {
		err = &resultError{code: exitAny} // the verdict was printed
	}
	return err
}

// prepare enters in the Spec what the command line says. Errors are those of usage, or of a file of points that cannot
// be read.
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
	if err := r.enterOutputs(); err != nil {
		return err
	}
	spec.Filter, err = r.selected.parse(r.defaults.filter, expression)
	return err
}

// enterOutputs enters the outputs in the Spec. It notes if none of them has a place for findings.
func (r *diagnoseRun) enterOutputs() error {
	for i := range r.outputs {
		if r.outputs[i].OnStdout() {
			return usageError("diagnose: standard output has the report: name a file for the output, as in json:FILE")
		}
	}
	if len(r.outputs) > 0 && !slices.ContainsFunc(r.outputs, capture.Output.HasFindings) {
		r.runner.Notices.Note("no output has findings: pcapng and format have no place for them; add one that has, as json:FILE")
	}
	r.spec.Outputs = slices.Clone(r.outputs)
	return nil
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

// never is more severe than any finding. So nothing reaches it.
const never = knowledge.Harm + 1

// thresholds are the values of --fail-on, by what is typed.
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
