package app

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/event"
)

// exitAny is the exit code of --fail-if-any if a drop matched. It differs from 1 so
// that a script can tell a drop from a failure to watch.
const exitAny = 3

// run runs a Spec; see runChecked.
func (a *App) run(ctx context.Context, spec capture.Spec) error {
	return a.runChecked(ctx, spec, false)
}

// runChecked runs a Spec. The error is a *resultError if the child exits with a
// code other than 0, or if a drop matched and failIfAny is set. A drop that an
// output could not take matched, too.
func (a *App) runChecked(ctx context.Context, spec capture.Spec, failIfAny bool) error {
	outcome, err := a.runner.Run(ctx, spec, nil)
	if err == nil {
		err = childResult(&spec, &outcome)
	}
	if matched := outcome.Ledger.Shown + outcome.Ledger.Lost[event.InSink]; err == nil && failIfAny && matched > 0 {
		err = &resultError{exitAny, event.Plural(matched, "drop") + " matched"}
	}
	return err
}

// childResult returns a *resultError if the child exited with a code other than 0.
func childResult(spec *capture.Spec, outcome *capture.Outcome) error {
	if outcome.ChildExit == 0 {
		return nil
	}
	return &resultError{outcome.ChildExit, fmt.Sprintf("%s failed with exit code %d", spec.Child[0], outcome.ChildExit)}
}

// A resultError is not a failure: it carries the exit code of a run that did what
// it was asked to do.
type resultError struct {
	code int // to exit with
	text string
}

// Error is for the log of a service; on the command line the output has said it, and only the code is used.
func (e *resultError) Error() string { return e.text }

// addFailFlag adds --fail-if-any. The value is valid after the flags are parsed.
func addFailFlag(f *pflag.FlagSet) *bool {
	return f.Bool("fail-if-any", false, "exit with code 3 if any drop matched")
}

// commandNote is the help for a command after --. Its times are those of capture's
// child.
const commandNote = `COMMAND is run while drops are caught, with the same privileges. When it exits
the run ends, with its exit code. When the run ends first (Ctrl-C, --duration,
--count) COMMAND gets SIGTERM, and SIGKILL two seconds later.`

// fillChild enters the command after -- in a Spec. Without -- it is nil, and there is none. An empty command (a line
// that ends in --) is an error of usage.
func fillChild(spec *capture.Spec, args cli.Args) error {
	if args.Command != nil && len(args.Command) == 0 {
		return usageError("no command after --: name one to run")
	}
	spec.Child = args.Command
	return nil
}
