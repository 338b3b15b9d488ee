package app

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/event"
	"dropwatch/internal/stage/filter"
)

// An App is one run of the program: what its verbs share. A session runs verbs on
// the same App.
type App struct {
	runner *capture.Runner
}

// defaults are what was set before a verb was typed: by options in front of it, or
// in the session that it is typed in. Each verb gets a copy.
type defaults struct {
	inSession bool
	takeover  bool
	trunc     uint32         // bytes to keep of each packet; 0: what the verb needs
	source    string         // empty: auto
	filter    *filter.Filter // nil: all drops
	points    []string       // that are on in the session
}

// A programFunc builds the command line whose verbs begin with some defaults. Each
// call returns new flags, so that one command of a session does not inherit the
// options of another.
type programFunc func(defaults) *cli.Program

// write prints to standard output.
func (a *App) write(text string) error {
	return a.print(func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// print has a report written to standard output.
func (a *App) print(write func(io.Writer) error) error {
	if err := write(a.runner.Out); err != nil {
		return fmt.Errorf("write to standard output: %w", event.WithoutPath(err))
	}
	return nil
}

// usagef returns an error of the command line, exit code 2.
func usagef(format string, args ...any) error {
	return &capture.SpecError{Err: fmt.Errorf(format, args...)}
}

// fill enters in a Spec what was set before the verb, and the command line as it
// can be typed again.
func fill(spec *capture.Spec, d *defaults, verb string, args cli.Args) {
	spec.InSession = d.inSession
	spec.Input.Takeover = spec.Input.Takeover || d.takeover
	spec.Command = "dropwatch " + verb
	for _, word := range args.Line {
		spec.Command += " " + shellQuote(word)
	}
}

// shellQuote quotes a word for a POSIX shell, if that is necessary.
func shellQuote(word string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_=+./:,@%", r)
	}
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// isUsage reports whether an error is one of the command line.
func isUsage(err error) bool { return errors.As(err, new(*capture.SpecError)) }

// usageError is usagef with a text in which % has no meaning.
func usageError(text string) error { return &capture.SpecError{Err: errors.New(text)} }
