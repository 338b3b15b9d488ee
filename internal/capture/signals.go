package capture

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// A SignalError is the cause of a context that a signal has ended (context.Cause).
type SignalError struct {
	Number   syscall.Signal // for the exit code, 128 and this
	Expected bool           // it is how a service ends: no failure
}

// Error names the signal.
func (e *SignalError) Error() string { return "ended by signal: " + e.Number.String() }

// Signals turns signals into ends of contexts.
//
// SIGINT ends the current run, and the program if there is none or if the run does
// not end within [Grace]. SIGTERM, SIGQUIT and, without [Signals.OnHangup], SIGHUP end
// the program. A second of these signals does not wait for what blocks ([Signals.Hurried]). SIGPIPE is
// caught so that writing to a closed pipe returns EPIPE instead of killing the
// process. A SIGHUP that was ignored at the start, as nohup(1) has it, stays
// ignored.
//
// The zero value is ready for Listen. It is safe for concurrent use.
type Signals struct {
	mu       sync.Mutex
	run      context.CancelFunc // ends the current run; nil: there is none
	ended    time.Time          // of the first signal that ended it or the program
	overdue  *time.Timer        // ends the program if the run does not end
	hangup   func()             // is called for SIGHUP; nil: it ends the program
	serves   bool               // see Serve
	atPrompt bool               // the user is at a prompt between runs, where SIGINT ends nothing
	hurried  chan struct{}      // see Hurried
}

// Grace is how long a run has to end after an interrupt. Only a run that cannot
// write, to a terminal stopped with Ctrl-S for example, takes longer: it is then
// left behind, so that the drop monitor can be restored.
const Grace = 4 * time.Second

// Listen returns the context of the program, which a signal ends: its cause is then a
// *[SignalError]. It listens until the process exits, so that a signal that comes while
// it does cannot change the exit code: one that the kernel had not delivered yet would
// otherwise kill a program that is done. Call it once.
func (s *Signals) Listen() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(ch, syscall.SIGHUP)
	}
	go func() {
		for sig := range ch {
			s.handle(sig.(syscall.Signal), cancel)
		}
	}()
	return ctx
}

// handle is called by one goroutine, a signal at a time.
func (s *Signals) handle(sig syscall.Signal, endProgram context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	interrupt, again := sig == syscall.SIGINT && !s.serves, !s.ended.IsZero()
	end := &SignalError{sig, s.serves && (sig == syscall.SIGINT || sig == syscall.SIGTERM)}
	switch {
	case sig == syscall.SIGPIPE, interrupt && s.run == nil && s.atPrompt:
		return
	case sig == syscall.SIGHUP && s.hangup != nil:
		go s.hangup() // it may block, and further signals must be handled
		return
	case interrupt && s.run != nil && !again:
		s.run()
		s.overdue = time.AfterFunc(Grace, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			endProgram(end)
			s.hurry()
		})
	case again && time.Since(s.ended) >= repeatTime:
		endProgram(end)
		s.hurry()
	case again && interrupt: // the key is held down
	default:
		endProgram(end)
	}
	if !again {
		s.ended = time.Now()
	}
}

// repeatTime is how long further SIGINTs count as the same key press: a keyboard
// repeats Ctrl-C while it is held down. A later one ends the program at once.
const repeatTime = 300 * time.Millisecond

// Hurried returns a channel that is closed when a run has not ended within [Grace], or
// the user does not want to wait for it. The program is ending then.
func (s *Signals) Hurried() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hurryChannel()
}

// hurryChannel creates the channel when it is first needed.
func (s *Signals) hurryChannel() chan struct{} {
	if s.hurried == nil {
		s.hurried = make(chan struct{})
	}
	return s.hurried
}

// hurry closes the channel.
func (s *Signals) hurry() {
	select {
	case <-s.hurryChannel():
	default:
		close(s.hurried)
	}
}

// Interruptible returns a context that SIGINT ends. The caller must call stop when
// the run is over. Only one run at a time can be interruptible.
func (s *Signals) Interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	s.setRun(cancel)
	return ctx, func() {
		s.setRun(nil)
		cancel()
	}
}

// setRun makes run what SIGINT ends, nil for nothing, and forgets the signals that the run before got.
func (s *Signals) setRun(run context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.ended = run, time.Time{}
	if s.overdue != nil {
		s.overdue.Stop()
		s.overdue = nil
	}
}

// OnHangup has SIGHUP call do, in a goroutine of its own, until stop is called, instead of ending
// the program. Who asks first has it: until then, others that ask get no call.
func (s *Signals) OnHangup(do func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangup != nil {
		return func() {}
	}
	s.hangup = do
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hangup = nil
	}
}

// Serve makes the program a service: SIGINT and SIGTERM end it as it should end.
func (s *Signals) Serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serves = true
}

// SetAtPrompt says whether the user is at a prompt between runs. SIGINT ends
// nothing then.
func (s *Signals) SetAtPrompt(atPrompt bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.atPrompt = atPrompt
}
