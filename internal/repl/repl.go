// Package repl is the command language of dropwatch: what can be typed, what
// it does, and the words that answer, which are those of the C program wherever
// it has any. It knows no terminal and no kernel, only what it is handed.
package repl

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
)

// Prompt is shown before each command, as in the C program.
const Prompt = "dropwatch> "

// ErrFailed is the error of a script of which a command failed. Its error was printed already.
var ErrFailed = errors.New("a command of the script failed")

// Run reads and runs commands until exit or quit, the end of the input, a failure
// to write to Out, or the end of ctx, whose cause it returns. A command that fails
// is reported to Err. A script then ends with ErrFailed; the session of a person
// goes on. Run must be called only once.
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

// loop runs First and then the lines. Ctrl-C at the prompt only clears the line.
func (r *REPL) loop(ctx context.Context) error {
	if err := r.run(ctx, r.First); err != nil {
		return err
	}
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
		if err := r.run(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// run runs one line and reports its failure. It returns an error only if the
// session must end.
func (r *REPL) run(ctx context.Context, line string) error {
	err := r.execute(ctx, line)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		if !r.Interactive && errors.Is(err, syscall.EPIPE) { // nobody reads the output of the script
			return err
		}
		if text := err.Error(); text != "" { // otherwise the output of the command says it
			r.note(text)
		}
		if !r.Interactive {
			return ErrFailed
		}
	}
	return nil
}

// execute runs one line. An empty one does nothing, and so does a comment, which begins with #: the
// C program has no comments.
func (r *REPL) execute(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	c := find(r.commands(), words[0])
	if c == nil {
		return r.unknownCommand(words[0])
	}
	return c.call(ctx, r, c.name, words[1:])
}

// ConfirmTakeover decides whether monitoring may be stopped that another program
// started, and which holder describes: as the setting says, or as the person
// answers. A script is not asked.
func (r *REPL) ConfirmTakeover(ctx context.Context, holder string) bool {
	if r.Settings.Takeover || !r.Interactive {
		return r.Settings.Takeover
	}
	r.print("Monitoring is on, %s.\n", holder)
	yes, err := r.Lines.Confirm(ctx, "Stop it and take over?") // short, as it is edited like a prompt
	return yes && err == nil
}
