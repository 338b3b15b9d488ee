package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"dropwatch/internal/event"
)

// ErrInterrupt is returned by a Lines when Ctrl-C was pressed at the prompt.
var ErrInterrupt = errors.New("interrupt")

// Lines is where commands come from: a person at a terminal, or a script.
type Lines interface {
	// ReadLine returns the next line without its newline. The error is io.EOF at the
	// end, ErrInterrupt after Ctrl-C, or the cause of ctx.
	ReadLine(ctx context.Context) (string, error)

	// Confirm asks a question, and reports whether the answer is yes.
	Confirm(ctx context.Context, question string) (bool, error)
}

// A Verb is a command of the command line that can also be typed in a session.
type Verb struct {
	Name, Args, Help string

	// Set, unless it is nil, is asked before Run: it changes the settings as the arguments say, and returns an
	// answer. It is not ok if the arguments are for Run.
	Set func(s *Settings, args []string) (answer string, ok bool, err error)

	// Run runs the verb with the session's settings as its defaults.
	Run func(ctx context.Context, s Settings, args []string) error
}

// A Language is all that can be typed in a session: its own commands, and the
// Verbs.
type Language struct {
	Verbs   []Verb
	Sources []string // what `set source` takes; the first is auto

	FilterHelp string // what help filter prints of expressions
}

// A REPL is one session. The exported fields are set before Run; Settings change
// with the commands.
type REPL struct {
	Lines       Lines     // where commands are read
	Host        Host      // what the commands do
	Out, Err    io.Writer // what commands print, and why they failed
	Interactive bool      // a person types; otherwise the first failure ends the session
	Settings    Settings
	Language

	First string // a command to run before any is read; empty: none

	last    Report                  // of the last run
	ran     bool                    // there was a run
	exiting bool                    // `exit` was typed
	end     context.CancelCauseFunc // ends the session
}

// print prints an answer. If that fails nobody can read the session, which
// therefore ends.
func (r *REPL) print(format string, args ...any) {
	if _, err := fmt.Fprintf(r.Out, format, args...); err != nil {
		r.end(fmt.Errorf("write the answer: %w", err))
	}
}

// note prints a message for a person to Err: it is not part of the output that
// scripts read.
func (r *REPL) note(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(r.Err, "dropwatch: %s\n", event.Escape(line))
	}
}
