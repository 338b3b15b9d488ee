package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"
	"time"

	"dropwatch/internal/event"
)

// childGrace is how long Spec.Child has to end after SIGTERM, before SIGKILL. It is
// less than Grace, so that the run does not count as stuck.
const childGrace = 2 * time.Second

// findChild looks up the program of Spec.Child. It is called before anything is
// opened, so that a typing error leaves no file and no monitoring behind.
func (s *Spec) findChild() error {
	if len(s.Child) == 0 {
		return nil
	}
	if _, err := exec.LookPath(s.Child[0]); err != nil {
		return childError(s.Child[0], err)
	}
	return nil
}

// A ChildError says why Spec.Child cannot be run, and what to do.
type ChildError struct {
	Exit int    // the exit code that a shell has for it: 127 if there is no such program, else 126
	text string // with the name of the program, escaped
}

// Error is the text.
func (e *ChildError) Error() string { return e.text }

// childError describes why a program cannot be run. An exec.Error or fs.PathError
// repeats its name, so it is unwrapped.
func childError(name string, err error) error {
	if wrapped, ok := errors.AsType[*exec.Error](err); ok {
		err = wrapped.Err
	}
	exit, fix := 126, "check that it is a program of this machine, or begins with #!"
	switch {
	case errors.Is(err, exec.ErrNotFound):
		exit, fix = 127, "check its name, or give its path"
	case errors.Is(err, fs.ErrNotExist):
		exit, fix = 127, "check its path, and the interpreter in its first line"
	case errors.Is(err, syscall.EISDIR):
		fix = "name a program in it"
	case errors.Is(err, fs.ErrPermission):
		fix = "make it executable with chmod +x"
	}
	return &ChildError{exit, fmt.Sprintf("run %s: %v: %s", event.Escape(name), cause(err), fix)}
}

// startChild starts Spec.Child, if there is one. The run ends when it exits, and it
// gets SIGTERM when the run ends. The caller must call wait, which blocks until it
// has exited and its exit code is in the outcome. After an error there is nothing
// to wait for and the source is closed. If ctx has ended it is not started, which is
// no error: the run was interrupted.
func (r *run) startChild(ctx context.Context) (wait func(), err error) {
	if len(r.spec.Child) == 0 {
		return func() {}, nil
	}
	cmd := exec.CommandContext(ctx, r.spec.Child[0], r.spec.Child[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = r.Out, r.Err, childGrace
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if !r.spec.InSession { // there, standard input has the session's commands
		cmd.Stdin = r.In
	}
	switch err := cmd.Start(); {
	case err == nil:
	case ctx.Err() != nil:
		return func() {}, nil
	default:
		r.source.close()
		r.abandonFiles()
		return nil, childError(r.spec.Child[0], err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // an exit code other than 0 is not an error of ours
		if ctx.Err() == nil {
			r.outcome.ChildExit = exitCode(cmd)
		}
		r.stop()
	}()
	return func() { <-ended }, nil
}

// exitCode returns the exit code of a command that has exited, 128+N after signal N
// as a shell does.
func exitCode(cmd *exec.Cmd) int {
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}
