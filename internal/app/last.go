package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/config"
)

// last is the verb that shows what a service has recorded.
func (a *App) last(d *defaults) *cli.Verb {
	var spec capture.Spec
	var path, dir string
	f := cli.NewFlags()
	addConfigFlag(f, &path)
	f.StringVar(&dir, "dir", "", "the `directory` of the recorder, instead of that in the configuration")
	selected, shown := addFilterFlags(f, &spec), addOutputFlags(f)
	f.BoolVar(&spec.Input.Stack, "stack", false, "show the stack trace of each drop, if it was recorded")
	failIfAny := addFailFlag(f)
	return &cli.Verb{
		Name: "last", Args: "[options] [time] [expression]", Short: "show the last drops that a service has recorded",
		Long: `Show what dropwatch run has recorded last, as replay does: all that its recorder
has, or the last 10m. The service need not run, and is not asked.`,
		Examples: []string{"dropwatch last 10m", "dropwatch last 1h reason NO_SOCKET", "dropwatch last --json 5m"},
		Manual:   manVerbs["last"], Flags: f, Values: captureFlagValues(), Words: a.expressionWords,
		Fields: fieldNames(), InSession: true,
		Run: func(ctx context.Context, args cli.Args) (err error) {
			fill(&spec, d, "last", args)
			words := args.Words
			var ago duration
			if len(words) > 0 && ago.Set(words[0]) == nil {
				spec.Input.Last, words = time.Duration(ago), words[1:]
			}
			if spec.Filter, err = selected.parse(d.filter, words); err != nil {
				return err
			}
			if err := shown.enter(&spec); err != nil {
				return err
			}
			if spec.Input.Segments = dir; dir == "" {
				if spec.Input.Segments, err = a.recorderDir(path); err != nil {
					return err
				}
			}
			return a.runChecked(ctx, spec, *failIfAny)
		},
	}
}

// recorderDir returns the directory of the recorder in a configuration. Path is that of the configuration, empty for the
// default. That file is not checked as for a run: the service may run on with an older one.
func (a *App) recorderDir(path string) (string, error) {
	c, err := config.Read(a.runner.Host, path, config.Checks{})
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(c.Spec.Outputs, func(o capture.Output) bool { return o.Format == capture.Segments })
	if i < 0 {
		return "", errors.New("the configuration has no output recorder: add one, or name a directory with --dir")
	}
	return c.Spec.Outputs[i].File, nil
}
