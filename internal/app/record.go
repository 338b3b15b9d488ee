package app

import (
	"context"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
)

// defaultInterval is how often record reads the counters.
const defaultInterval = 10 * time.Second

// A recordCommand is the verb record with the values of its flags.
type recordCommand struct {
	*App
	session   *defaults
	spec      capture.Spec
	flags     *pflag.FlagSet
	selected  *filterFlags
	force     bool
	counted   bool
	interval  time.Duration
	failIfAny *bool
	points    *pointFlag
}

// newRecord adds the flags of record.
func newRecord(a *App, d *defaults) *recordCommand {
	c := &recordCommand{App: a, session: d, flags: cli.NewFlags(), interval: defaultInterval}
	f := c.flags
	addCaptureFlags(f, &c.spec, d)
	c.selected = addFilterFlags(f, &c.spec)
	f.BoolVarP(&c.force, "force", "f", false, "overwrite a recording that exists")
	f.BoolVar(&c.counted, "counters", false, "also record the host's counters, and the settings, rules and sockets that findings are "+
		"about, and what TCP sends again")
	f.Var((*duration)(&c.interval), "interval", "with --counters, read them at intervals of this `time`, besides the beginning and the end")
	c.failIfAny, c.points = addFailFlag(f), addPointFlag(f, d)
	return c
}

// record is the verb that writes drops to a recording.
func (a *App) record(d *defaults) *cli.Verb {
	c := newRecord(a, d)
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
		Manual: manVerbs["record"], Flags: c.flags, Values: captureFlagValues(),
		Words: a.expressionAfterFile, Fields: fieldNames(), File: true, InSession: true, Command: true,
		Run: c.run,
	}
}

// run records. Without --force the file must not exist, or be empty. The table and the ledger go to standard error, so
// that standard output is that of a command.
func (c *recordCommand) run(ctx context.Context, args cli.Args) (err error) {
	fill(&c.spec, c.session, "record", args)
	if err := fillChild(&c.spec, args); err != nil {
		return err
	}
	if len(args.Words) == 0 || args.Words[0] == "" {
		return usageError("record: no file: name one to write to")
	}
	if err := c.points.enter(c.App, &c.spec); err != nil {
		return err
	}
	if c.spec.Filter, err = c.selected.parse(c.session.filter, args.Words[1:]); err != nil {
		return err
	}
	if err := c.checkInterval(); err != nil {
		return err
	}
	recording := capture.Output{Format: capture.Recording, File: args.Words[0], Overwrite: c.force}
	if c.counted {
		recording.Counters = c.interval
		c.spec.Input.SampledStack = true // which shows narrower causes
		c.spec.Input.AndRetrans = true
	}
	c.spec.Outputs = []capture.Output{recording, {Format: capture.Table, Stderr: true}}
	return c.runChecked(ctx, c.spec, *c.failIfAny)
}

// checkInterval checks how often counters are to be read.
func (c *recordCommand) checkInterval() error {
	switch {
	case !c.counted && c.flags.Changed("interval"):
		return usageError("record: --interval is for counters: add --counters")
	case c.interval < minInterval:
		return usagef("record: invalid value %v for --interval: give %v or more", c.interval, minInterval)
	}
	return nil
}
