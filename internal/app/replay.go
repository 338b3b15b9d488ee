package app

import (
	"context"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
)

// replay is the verb that shows a recording as watch shows live drops.
func (a *App) replay(d *defaults) *cli.Verb {
	var spec capture.Spec
	f := cli.NewFlags()
	selected, shown := addFilterFlags(f, &spec), addOutputFlags(f)
	f.BoolVar(&spec.Input.Stack, "stack", false, "show the stack trace of each drop, if it was recorded")
	failIfAny := addFailFlag(f)
	return &cli.Verb{
		Name: "replay", Args: "[options] file [expression]", Short: "show the drops of a recording",
		Long:  "Show the drops of a recording as watch shows them live.",
		Usage: []string{"dropwatch replay [options] FILE [expression]"},
		Examples: []string{
			"dropwatch replay night.dw 'reason == NETFILTER_DROP'",
			"dropwatch replay -w night.pcapng night.dw",
		},
		Manual: manVerbs["replay"], Flags: f, Values: captureFlagValues(), Words: a.expressionAfterFile,
		Fields: fieldNames(), File: true, InSession: true,
		Run: func(ctx context.Context, args cli.Args) (err error) {
			fill(&spec, d, "replay", args)
			if len(args.Words) == 0 || args.Words[0] == "" {
				return usageError("replay: no file: name one that record has written")
			}
			spec.Input.Recording = args.Words[0]
			if spec.Filter, err = selected.parse(d.filter, args.Words[1:]); err != nil {
				return err
			}
			if err := shown.enter(&spec); err != nil {
				return err
			}
			return a.runChecked(ctx, spec, *failIfAny)
		},
	}
}
