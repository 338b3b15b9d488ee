// Package app has the verbs of the command line: each turns its arguments into a
// capture.Spec, or does without one, and has it run.
package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/repl"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/source/trace"
)

// Exit codes, which README and the manual page list.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // and the signal's number, as a shell has it
)

// Main runs the program that args names and returns its exit code. It returns with the drop monitor as it was found,
// also after a signal or a panic. The streams are files, not closed here, as outputs ask whether they are terminals,
// pipes or sockets.
func Main(args []string, in, out, err *os.File) int {
	log.SetOutput(io.Discard) // net/http writes there what a server sent unasked
	notices := capture.NewNotices(err)
	h := host.New("/")
	signals := new(capture.Signals)
	return run(signals.Listen(), args, &capture.Runner{
		In: in, Out: out, Err: err, Version: Version, Host: h, Notices: notices, Signals: signals,
		Monitor: &capture.Monitor{Open: netdm.Open, Host: h, Notify: notices.Text},
		OpenBPF: capture.Opener(bpf.Open), OpenTrace: capture.Opener(trace.Open), OpenRetrans: capture.Opener(retrans.Open),
		OpenRetransTrace: capture.Opener(retrans.OpenTrace), OpenFlows: capture.OpenFlows,
		OpenProbe: capture.Opener(probe.Open),
		Helper:    helper(args),
	})
}

// helperVerb makes the program that of capture.Runner.Helper. It is for no person.
const helperVerb = "serve-connections"

// helper returns what runs this program so. It is /proc/self/exe because the file of the program may have been replaced
// or removed since it was started, as by an update; Args[0] stays what was typed, for ps.
func helper(args []string) []string { return []string{"/proc/self/exe", args[0], helperVerb} }

// run is Main with a Runner, so that tests can bring sources of their own. Ctx is the one
// that r.Signals end.
func run(ctx context.Context, args []string, r *capture.Runner) int {
	if err := checkSetuid(); err != nil {
		return report(r.Err, err)
	}
	if len(args) == 2 && args[1] == helperVerb {
		return report(r.Err, counters.ServeConnections(r.Host, r.Out))
	}
	a := &App{runner: r}
	failure := supervise(ctx, r.Signals.Hurried(), func(ctx context.Context) error {
		return a.program(defaults{}).Run(ctx, args, isUsage)
	})
	left := r.Monitor.Close()
	var text bytes.Buffer
	code := max(report(&text, failure), report(&text, left), report(&text, context.Cause(ctx)))
	writeWithin(reportTimeout, r.Err, text.Bytes())
	return code
}

// reportTimeout is how long the program waits for its errors to be written: a
// terminal that was stopped with Ctrl-S does not keep it from ending.
const reportTimeout = time.Second

// writeWithin writes text. When limit has passed it returns, and the write is left
// behind.
func writeWithin(limit time.Duration, to io.Writer, text []byte) {
	if len(text) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = to.Write(text) // there is no other place for an error
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// checkSetuid refuses to run setuid or setgid: the program would read and write
// files as another user than the caller, wherever an option names one. File
// capabilities are allowed, as they grant no access to files of others.
func checkSetuid() error {
	if os.Getuid() == os.Geteuid() && os.Getgid() == os.Getegid() {
		return nil
	}
	return errors.New("refusing to run setuid or setgid: everybody could write files as another user: " +
		"remove the bit (chmod ug-s), and use sudo or setcap")
}

// lastWait is how long a run may take after capture.Signals.Hurried: to put the drop monitor back, and to say what was
// not written.
const lastWait = 500 * time.Millisecond

// supervise runs a verb in a goroutine of its own, so that one that blocks cannot keep the program from ending. A panic
// becomes an error with its stack. After a signal it waits for at most capture.Grace, and the error is the cause of ctx
// unless the verb failed otherwise. It waits for only lastWait after hurried is closed. What run does after that is
// lost; nobody waits for it.
func supervise(ctx context.Context, hurried <-chan struct{}, run func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("internal error (a bug in dropwatch): %v\n%s", p, debug.Stack())
			}
		}()
		done <- run(ctx)
	}()
	var late <-chan time.Time
	ended := ctx.Done()
	for {
		select {
		case err := <-done:
			return cmp.Or(err, context.Cause(ctx))
		case <-ended:
			late, ended = time.After(capture.Grace), nil
		case <-hurried:
			late, hurried = time.After(lastWait), nil
		case <-late:
			return context.Cause(ctx)
		}
	}
}

// report prints an error and returns the exit code for it. A reader that closed the pipe, as head(1) does, has all it
// wanted: that is no failure. Of several errors that were joined, the first kind in the order of this switch decides.
func report(to io.Writer, err error) int {
	var usage *cli.UsageError
	var sig *capture.SignalError
	var result *resultError
	switch {
	case err == nil, pipeline.ReaderClosed(err):
		return exitDone
	case errors.Is(err, repl.ErrFailed):
		return exitFailed // it was printed when it happened
	case errors.As(err, &usage):
		printErrors(to, usage.Err)
		fmt.Fprintf(to, "Try '%s --help'.\n", usage.Command)
		return exitUsage
	case errors.As(err, &sig) && sig.Expected:
		return exitDone
	case errors.As(err, &sig):
		return exitSignal + int(sig.Number)
	case errors.As(err, &result):
		return result.code // the output says why
	}
	printErrors(to, capture.Advise(err))
	if child, ok := errors.AsType[*capture.ChildError](err); ok {
		return child.Exit
	}
	return exitFailed
}

// printErrors prints the errors that were joined in err, each beginning with the
// program's name.
func printErrors(to io.Writer, err error) {
	for _, err := range capture.SplitErrors(err) {
		fmt.Fprintf(to, "dropwatch: %s\n", event.EscapeLines(err.Error()))
	}
}
