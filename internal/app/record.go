package app

import (
	"context"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
)

// defaultInterval is how often record reads the counters.
const defaultInterval = 10 * time.Second

// record is the verb that writes drops to a recording.
func (a *App) record(d *defaults) *cli.Verb {
	var spec capture.Spec
	f := cli.NewFlags()
	addCaptureFlags(f, &spec, d)
	selected := addFilterFlags(f, &spec)
	var force bool
	f.BoolVarP(&force, "force", "f", false, "overwrite a recording that exists")
	var counted bool
	interval := defaultInterval
	f.BoolVar(&counted, "counters", false, "also record the host's counters, and the settings, rules and sockets that findings are about, "+
		"and what TCP sends again")
	f.Var((*duration)(&interval), "interval", "with --counters, read them at intervals of this `time`, besides the beginning and the end")
	failIfAny, points := addFailFlag(f), addPointFlag(f, d)
	return &cli.Verb{
		Name: "record", Args: "[options] file [expression] [-- command]", Short: "write drops to a recording",
		Long: `Write drops to a recording, until Ctrl-C: packets, locations, reasons, losses,
and the host they are from. No symbol table is needed to replay it, and one that
a crash has cut short can be read as far as it goes.`,
		Usage: []string{"dropwatch record [options] FILE [expression] [-- COMMAND]"},
		Notes: commandNote,
		Examples: []string{
			"dropwatch record drops.dw",
			"dropwatch record --duration 1m night.dw not iface lo",
			"dropwatch record --counters night.dw",
			"dropwatch replay night.dw",
		},
		Manual: manVerbs["record"], Flags: f, Values: captureFlagValues(),
		Words: a.expressionAfterFile, Fields: fieldNames(), File: true, InSession: true, Command: true,
		Run: func(ctx context.Context, args cli.Args) (err error) {
			fill(&spec, d, "record", args)
			if err := fillChild(&spec, args); err != nil {
				return err
			}
			if len(args.Words) == 0 || args.Words[0] == "" {
				return usageError("record: no file: name one to write to")
			}
			if err := points.enter(a, &spec); err != nil {
				return err
			}
			if spec.Filter, err = selected.parse(d.filter, args.Words[1:]); err != nil {
				return err
			}
			switch {
			case !counted && f.Changed("interval"):
				return usageError("record: --interval is for counters: add --counters")
			case interval < minInterval:
				return usagef("record: invalid value %v for --interval: give %v or more", interval, minInterval)
			case !counted:
				interval = 0
			}
			spec.Input.SampledStack = counted // which shows narrower causes
			spec.Input.AndRetrans = counted
			spec.Outputs = []capture.Output{
				{Format: capture.Recording, File: args.Words[0], Overwrite: force, Counters: interval},
				{Format: capture.Table, Stderr: true},
			}
			return a.runChecked(ctx, spec, *failIfAny)
		},
	}
}
