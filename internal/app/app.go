// Package app is the only place that knows all the others: it reads the
// command line, and for each command wires a source, the stages and a sink.
package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/repl"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // and the signal's number, as a shell says it
)

// An App is one run of the program.
type App struct {
	in, out, err *os.File
	signals      signals
	monitor      monitor
	trace        func(trace.Options) (tracer, error)
	bpf          func(bpf.Options) (tracer, error)
	lookup       *lookup        // nil: addresses stay raw
	takeover     bool           // asked for in front of a command, or in a session
	source       string         // that is set in a session; empty: auto
	filter       *filter.Filter // that is set in a session
	talking      bool           // standard output has the words of a session
	warnings     *bytes.Buffer  // for those that have to wait
}

// Main runs the program that args names and returns its exit code. It returns
// with the drop monitor as it was found, also after a signal or a panic.
func Main(args []string, in, out, err *os.File) int {
	a := &App{in: in, out: out, err: err, monitor: monitor{open: netdm.Open}, trace: opener(trace.Open), bpf: opener(bpf.Open)}
	return a.main(args)
}

// main is Main with all that it needs.
func (a *App) main(args []string) int {
	ctx, stop := a.signals.listen(context.Background())
	defer stop()
	failure := a.supervise(ctx, func(ctx context.Context) error { return a.run(ctx, args) })
	left := a.monitor.close()
	return max(a.report(failure), a.report(advise(left)))
}

// grace is how long a command has to end after its context has. Only one that
// cannot write, to a terminal stopped with Ctrl-S say, takes longer; it is then
// left behind so that the monitor can be put right.
const grace = 3 * time.Second

// supervise runs a command, of which a panic becomes an error. One that ctx
// ended has ended by its cause, unless it failed.
func (a *App) supervise(ctx context.Context, run func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic, which is a fault of dropwatch: %v\n%s", p, debug.Stack())
			}
		}()
		done <- run(ctx)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
		}
	}
	return cmp.Or(err, context.Cause(ctx))
}

// A usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// A commandError is what went wrong with a command: its name is for hints.
type commandError struct {
	command string // as it is typed: dropwatch watch
	error
}

func (e *commandError) Unwrap() error { return e.error }

// inCommand says whose error it is, if it is one.
func inCommand(command string, err error) error {
	if err == nil {
		return nil
	}
	return &commandError{command, err}
}

// report says what failed and gives the exit code for it.
func (a *App) report(err error) int {
	var usage *usageError
	var sig *signalError
	switch {
	case err == nil, errors.Is(err, errDone):
		return exitDone
	case errors.Is(err, repl.ErrFailed):
		return exitFailed // it was said when it happened
	case errors.As(err, &usage):
		fmt.Fprintf(a.err, "dropwatch: %v\nTry '%s --help'.\n", err, commandOf(err))
		return exitUsage
	case errors.As(err, &sig):
		return exitSignal + int(sig.number)
	}
	fmt.Fprintf(a.err, "dropwatch: %v\n", err)
	return exitFailed
}

// commandOf is what was typed to get an error, without options.
func commandOf(err error) string {
	var of *commandError
	if errors.As(err, &of) {
		return of.command
	}
	return "dropwatch"
}

// A command is what the first word of the command line may be.
type command struct {
	name    string
	args    string // as help shows them
	help    string
	run     func(a *App, ctx context.Context, args []string) error
	flags   *pflag.FlagSet  // its options, for the manual page and completion
	session bool            // it can be typed in a session
	words   func() []string // that can follow it, besides options
	file    bool            // its first argument is the name of one
}

// commands is the one table of them, in the order of help.
func commands() []command {
	return []command{
		{name: "watch", args: "[options] [expression]", help: "show each drop as a line, as JSON, or in a table", run: (*App).watchCommand, flags: new(watchOptions).flags(), session: true},
		{name: "top", args: "[options] [expression]", help: "show live where most packets are dropped, and look into it", run: (*App).topCommand, flags: new(topOptions).flags(), session: true},
		{name: "record", args: "[options] file [expression]", help: "write drops to a session file", run: (*App).recordCommand, flags: new(recordOptions).flags(), session: true, file: true},
		{name: "replay", args: "[options] file [expression]", help: "show the drops of a session file", run: (*App).replayCommand, flags: new(replayOptions).flags(), session: true, file: true},
		{name: "dump", args: "[options]", help: "write packets to a pcap file, as dwdump does", run: (*App).dumpCommand, flags: new(dumpOptions).flags(), session: true},
		{name: "doctor", args: "[options]", help: "tell whether drops can be watched here, and what mends it", run: (*App).doctorCommand, flags: new(doctorOptions).flags(), session: true},
		{name: "completion", args: "bash|zsh|fish", help: "print a script that completes words in a shell", run: (*App).completionCommand, flags: newFlags("completion"), words: shellNames},
		{name: "help", args: "[--man] [topic]", help: "print this help, that of a command or topic, or the manual page", run: (*App).helpCommand, flags: new(helpOptions).flags(), words: helpWords},
		{name: "version", help: "print the version", run: (*App).versionCommand, flags: newFlags("version")},
	}
}

// run finds out which command is meant. A binary called dwdump is dump.
func (a *App) run(ctx context.Context, args []string) error {
	if filepath.Base(args[0]) == "dwdump" {
		return inCommand("dwdump", a.dumpCommand(ctx, args[1:]))
	}
	o, rest, err := a.parseGlobal(args[1:])
	if err != nil {
		return err
	}
	a.lookup = o.lookup()
	if len(rest) == 0 {
		return a.replCommand(ctx, o)
	}
	a.takeover = o.takeover
	for _, c := range commands() {
		if c.name == rest[0] {
			return inCommand("dropwatch "+c.name, c.run(a, ctx, rest[1:]))
		}
	}
	return &usageError{fmt.Errorf("unknown command %q", rest[0])}
}
