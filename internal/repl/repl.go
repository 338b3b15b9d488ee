// Package repl is the command language of dropwatch: what can be typed, what
// it does, and the words that answer, which are those of the C program wherever
// it has any. It knows no terminal and no kernel, only what it is handed.
package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"dropwatch/internal/event"
)

// Errors that a Lines or a Host returns, and the REPL has words for.
var (
	ErrInterrupt = errors.New("interrupt")     // Ctrl-C at the prompt
	ErrLimit     = errors.New("limit reached") // as many alerts as alertlimit allows
)

// Lines is where commands come from. ReadLine returns io.EOF at their end and
// ErrInterrupt after Ctrl-C. Confirm asks a question.
type Lines interface {
	ReadLine(ctx context.Context) (string, error)
	Confirm(ctx context.Context, question string) (bool, error)
}

// A Host does what commands ask for.
type Host interface {
	// SetPacketMode sets the alert mode: packet, or else summary.
	SetPacketMode(ctx context.Context, packet bool) error
	SetTrunc(ctx context.Context, bytes uint32) error
	SetQueue(ctx context.Context, packets uint32) error
	Config() (Config, error)
	Stats() (Stats, error)
	Status() Status
	// Capture switches monitoring on, calls started, shows drops until ctx, a
	// SIGINT or the limit (ErrLimit) ends it, and has switched monitoring off
	// when it returns.
	Capture(ctx context.Context, s Settings, started func()) (Report, error)
	// CheckFilter tells what is wrong with an expression, if anything is.
	CheckFilter(expression string) error
	// Stop switches off what others have left on.
	Stop(ctx context.Context) error
}

// A Report says what became of a run.
type Report struct {
	event.Ledger
	Unseen string // lines on what packet mode could not show, if anything
}

// Config is what the kernel's monitor is set to.
type Config struct {
	Mode         string // "Summary", "Packet"
	Trunc, Queue uint32
}

// Stats are packets that the kernel's queues had no room for.
type Stats struct{ Software, Hardware uint64 }

// Status is what can be told of the host's monitor.
type Status struct {
	Monitoring string // "on, in use by ..."
	Config     Config
	ConfigErr  error
	Stats      Stats
	StatsErr   error
}

// A Verb is a command of the command line that can be typed in a session too.
type Verb struct {
	Name, Args, Help string
	Options          []string // that complete its arguments
	Run              func(ctx context.Context, s Settings, args []string) error
}

// Verbs are those of a session, which with its own commands make its language.
type Verbs []Verb

// Settings are what `set` sets on our side.
type Settings struct {
	AlertLimit uint64 // drops to show; 0: no limit
	Software   bool
	Hardware   bool
	ReadBuffer int    // bytes; 0: the default
	Takeover   bool   // stop what others have left on without asking
	Source     string // auto, or empty; netdm; trace
	Filter     string // the expression that drops have to match; empty: all do
}

// A REPL is one session.
type REPL struct {
	Lines       Lines
	Host        Host
	Out, Err    io.Writer
	Interactive bool // a person types; otherwise the first failure ends the session
	Settings    Settings
	Verbs       Verbs

	last    Report // of the last run, if one ran
	ran     bool
	exiting bool
	end     context.CancelCauseFunc // ends the session
}

// Prompt is what is shown before each command.
const Prompt = "dropwatch> "

// ErrFailed: a command of a script failed, and what it had to say was said.
var ErrFailed = errors.New("a command of the script failed")

// Run reads and runs commands until exit, the end of the input, a failure to
// write to Out, or the end of ctx, whose cause it returns. A command that fails
// is reported to Err; it ends a script with ErrFailed, but not a person's
// session.
func (r *REPL) Run(ctx context.Context) error {
	ctx, r.end = context.WithCancelCause(ctx)
	defer r.end(nil)
	err := r.loop(ctx)
	r.print("Shutting down ...\n")
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

func (r *REPL) loop(ctx context.Context) error {
	for !r.exiting {
		line, err := r.Lines.ReadLine(ctx)
		switch {
		case errors.Is(err, io.EOF):
			r.print("Terminating dropwatch...\n")
			return nil
		case errors.Is(err, ErrInterrupt):
			continue
		case err != nil:
			return err
		}
		err = r.execute(ctx, line)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			r.note(err.Error())
			if !r.Interactive {
				return ErrFailed
			}
		}
	}
	return nil
}

// execute runs one line.
func (r *REPL) execute(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	c := find(r.Verbs.commands(), words[0])
	if c == nil {
		return fmt.Errorf("unknown command %q: type help for the list", words[0])
	}
	return c.call(ctx, r, c.name, words[1:])
}

// Claim decides whether monitoring that holder has may be stopped: as the
// setting says, or as the person answers.
func (r *REPL) Claim(ctx context.Context, holder string) bool {
	if r.Settings.Takeover || !r.Interactive {
		return r.Settings.Takeover
	}
	r.print("Monitoring is on, %s.\n", holder)
	yes, err := r.Lines.Confirm(ctx, "Stop it and take over?") // short, as it is edited like a prompt
	return yes && err == nil
}
