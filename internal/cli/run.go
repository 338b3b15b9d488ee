package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropwatch/internal/suggest"
)

// A UsageError is a command line that is not valid.
type UsageError struct {
	Command string // what was typed, without flags and arguments: dropwatch watch
	Err     error  // what is wrong with it
}

// Error is the text of the cause.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Run parses and runs a command line; args[0] is the name of the program. Errors of
// parsing are a *[UsageError]. So are errors of the verb for which isUsage returns
// true. It must be called only once for a Program, as flags keep their values.
func (p *Program) Run(ctx context.Context, args []string, isUsage func(error) bool) error {
	typed, rest := p.expandAlias(args)
	line := &commandLine{Program: p, typed: rest}
	root := line.cobra()
	root.SetArgs(rest)
	cmd, err := root.ExecuteContextC(ctx)
	if cmd != root && typed == p.Name {
		typed += " " + cmd.Name()
	}
	switch {
	case err != nil:
		return &UsageError{typed, p.explain(cmd, err, rest)}
	case line.err != nil && isUsage(line.err):
		return &UsageError{typed, line.err}
	}
	return line.err
}

// expandAlias returns the name by which the program was called, and its arguments.
// For the alias the verb that it stands for is put in front, also in a request for
// completion.
func (p *Program) expandAlias(args []string) (typed string, rest []string) {
	rest = slices.Clone(args[1:])
	if p.Alias == "" || filepath.Base(args[0]) != p.Alias {
		return p.Name, rest
	}
	at := 0
	if len(rest) > 0 && (rest[0] == cobra.ShellCompRequestCmd || rest[0] == cobra.ShellCompNoDescRequestCmd) {
		at = 1
	}
	return p.Alias, slices.Insert(rest, at, p.AliasOf)
}

// explain adds to an error of pflag about arguments which verb it is about, and a suggestion.
func (p *Program) explain(cmd *cobra.Command, err error, args []string) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = invalidValue(invalid)
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && strings.HasPrefix(err.Error(), "unknown flag") {
		name := unknown.GetSpecifiedName()
		err = fmt.Errorf("%w%s", err, cmp.Or(p.fieldHint(cmd.Name(), name, args), flagMeant(name, cmd.Flags())))
	}
	if cmd.HasParent() {
		return fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	return err
}

// flagMeant asks which flag was meant; nothing if no name is close, or begins so.
func flagMeant(typed string, flags *pflag.FlagSet) string {
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := suggest.Nearest(typed, names)
	if len(near) == 0 {
		return ""
	}
	for i := range near {
		near[i] = "--" + near[i]
	}
	return ": did you mean " + suggest.OneOf(near) + "?"
}

// fieldHint says how an unknown option that is a field of the verb's filter expression is
// written; nothing if it is none.
func (p *Program) fieldHint(verb, name string, args []string) string {
	v := p.verb(verb)
	if v == nil || !slices.Contains(v.Fields, name) {
		return ""
	}
	value := ""
	for i, arg := range args {
		if given, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
			value = given
		} else if arg == "--"+name && i+1 < len(args) {
			value = args[i+1]
		}
	}
	return strings.TrimSuffix(fmt.Sprintf(": use the expression: %s %s", name, value), " ")
}

// invalidValue says in one wording that a flag does not accept a value. The causes of
// the types of pflag name functions of Go.
func invalidValue(e *pflag.InvalidValueError) error {
	f, cause := e.GetFlag(), errors.Unwrap(e)
	switch f.Value.Type() {
	case "bool":
		cause = errors.New("give true or false")
	case "stringSlice":
		cause = errors.New("give names, separated by commas")
	}
	return fmt.Errorf("invalid value %q for --%s: %w", e.GetValue(), f.Name, cause)
}

// Complete returns the words that the last of words can become. File means that it
// may also be the name of a file, which is for the caller to complete. Words begin
// with a verb.
func (p *Program) Complete(ctx context.Context, words []string) (found []string, file bool) {
	var out bytes.Buffer
	line := &commandLine{Program: p}
	root := line.cobra()
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append([]string{cobra.ShellCompNoDescRequestCmd}, words...))
	if root.ExecuteContext(ctx) != nil {
		return nil, false
	}
	found = strings.Split(strings.TrimSpace(out.String()), "\n")
	last := len(found) - 1
	directive, err := strconv.Atoi(strings.TrimPrefix(found[last], ":"))
	return found[:last], err == nil && cobra.ShellCompDirective(directive) == cobra.ShellCompDirectiveDefault
}
