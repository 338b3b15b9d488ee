package capture

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// ended gives the signal that ended a context, 0 if none did.
func ended(ctx context.Context) syscall.Signal {
	var sig *SignalError
	if errors.As(context.Cause(ctx), &sig) {
		return sig.Number
	}
	return 0
}

// TestInterruptsAtPrompt: SIGINT ends the run, and only a later one the program;
// between runs a person's session goes on.
func TestInterruptsAtPrompt(t *testing.T) { synctest.Test(t, testInterruptsAtPrompt) }

func testInterruptsAtPrompt(t *testing.T) {
	var s Signals
	program, end := context.WithCancelCause(t.Context())
	s.SetAtPrompt(true)
	s.handle(syscall.SIGINT, end)
	s.handle(syscall.SIGPIPE, end)
	if program.Err() != nil {
		t.Fatal("the prompt was left")
	}
	for range 2 { // each run again
		run, stop := s.Interruptible(program)
		s.handle(syscall.SIGINT, end)
		if run.Err() == nil || program.Err() != nil {
			t.Fatalf("after SIGINT: run %v, program %v", run.Err(), program.Err())
		}
		stop()
	}
	_, stop := s.Interruptible(program)
	defer stop()
	s.handle(syscall.SIGINT, end)
	s.handle(syscall.SIGINT, end)
	if program.Err() != nil {
		t.Error("a repeated key ended the program")
	}
	time.Sleep(repeatTime)
	s.handle(syscall.SIGINT, end)
	if ended(program) != syscall.SIGINT {
		t.Errorf("after a second SIGINT the program's end is %v", context.Cause(program))
	}
}

// TestHurry: a second signal of any kind does not wait for a run, unless it follows at once.
func TestHurry(t *testing.T) { synctest.Test(t, testHurry) }

func testHurry(t *testing.T) {
	for _, signals := range [][]syscall.Signal{
		{syscall.SIGTERM, syscall.SIGTERM}, {syscall.SIGINT, syscall.SIGTERM}, {syscall.SIGTERM, syscall.SIGINT},
		{syscall.SIGINT, syscall.SIGINT}, {syscall.SIGHUP, syscall.SIGQUIT},
	} {
		var s Signals
		program, end := context.WithCancelCause(t.Context())
		_, stop := s.Interruptible(program)
		hurried := func() bool {
			select {
			case <-s.Hurried():
				return true
			default:
				return false
			}
		}
		s.handle(signals[0], end)
		s.handle(signals[1], end)
		if hurried() {
			t.Errorf("%v: hurried by signals at the same time", signals)
		}
		time.Sleep(repeatTime)
		s.handle(signals[1], end)
		s.handle(signals[1], end)
		if !hurried() || ended(program) == 0 {
			t.Errorf("%v: not hurried; the program's end is %v", signals, context.Cause(program))
		}
		stop()
	}
}

// TestOneInterrupt: without a person at a prompt, one SIGINT is enough to end a
// run that does not end by itself.
func TestOneInterrupt(t *testing.T) { synctest.Test(t, testOneInterrupt) }

func testOneInterrupt(t *testing.T) {
	var s Signals
	program, end := context.WithCancelCause(t.Context())
	_, stop := s.Interruptible(program)
	s.handle(syscall.SIGINT, end)
	stop() // it ends in time
	time.Sleep(10 * Grace)
	if program.Err() != nil {
		t.Fatal("the program ended with the run")
	}
	_, stop = s.Interruptible(program)
	defer stop()
	s.handle(syscall.SIGINT, end)
	time.Sleep(Grace - time.Millisecond)
	synctest.Wait()
	if program.Err() != nil {
		t.Error("the run had less time than it may take")
	}
	time.Sleep(time.Millisecond)
	synctest.Wait()
	if ended(program) != syscall.SIGINT {
		t.Errorf("a stuck run: the program's end is %v", context.Cause(program))
	}
}

// TestHangup: what a run does for SIGHUP replaces the end of the program, and only until the run is over.
func TestHangup(t *testing.T) {
	var s Signals
	program, end := context.WithCancelCause(t.Context())
	called := make(chan struct{})
	stop := s.OnHangup(func() { called <- struct{}{} })
	for range 2 {
		s.handle(syscall.SIGHUP, end)
		<-called
	}
	if program.Err() != nil {
		t.Fatalf("the program ended: %v", context.Cause(program))
	}
	stop()
	s.handle(syscall.SIGHUP, end)
	if ended(program) != syscall.SIGHUP {
		t.Errorf("the program's end is %v", context.Cause(program))
	}
}

// TestServe: a service ends at SIGINT and SIGTERM, also between runs and in one, which is expected.
// SIGQUIT is not.
func TestServe(t *testing.T) {
	for sig, expected := range map[syscall.Signal]bool{syscall.SIGINT: true, syscall.SIGTERM: true, syscall.SIGQUIT: false} {
		for _, running := range []bool{false, true} {
			var s Signals
			s.Serve()
			program, end := context.WithCancelCause(t.Context())
			if running {
				_, stop := s.Interruptible(program)
				defer stop()
			}
			s.handle(sig, end)
			var cause *SignalError
			if !errors.As(context.Cause(program), &cause) || cause.Number != sig || cause.Expected != expected {
				t.Errorf("%v: the program's end is %+v", sig, cause)
			}
		}
	}
}

// TestFirstHangup: who asks first gets SIGHUP, until it is no longer wanted.
func TestFirstHangup(t *testing.T) {
	var s Signals
	called := make(chan string, 3)
	hangup := func() string {
		s.handle(syscall.SIGHUP, func(error) { called <- "the end" })
		return <-called
	}
	stop := s.OnHangup(func() { called <- "service" })
	stopOther := s.OnHangup(func() { called <- "run" })
	if got := hangup(); got != "service" {
		t.Errorf("%s got it, want the service", got)
	}
	stopOther()
	if got := hangup(); got != "service" {
		t.Errorf("%s got it, want the service", got)
	}
	stop()
	if got := hangup(); got != "the end" {
		t.Errorf("%s got it, want the end", got)
	}
}

// TestAborts: outputs are waited for as long as the end of a run may take, servers less before another
// run is to begin, and nothing when all is closed.
func TestAborts(t *testing.T) {
	for name, tt := range map[string]struct {
		cause         error
		hurry         bool
		remote, local time.Duration
	}{
		"interrupted": {nil, false, abortAfter - remoteWait, abortAfter},
		"reloaded":    {ErrReloaded, false, reloadWait, abortAfter},
		"in a hurry":  {nil, true, 0, remoteWait},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &run{Runner: &Runner{Signals: new(Signals)}}
			ctx, end := context.WithCancelCause(t.Context())
			r.watchInterrupt(ctx)
			began := time.Now()
			end(tt.cause)
			if tt.hurry {
				r.Signals.mu.Lock()
				r.Signals.hurry()
				r.Signals.mu.Unlock()
			}
			<-r.abortRemote
			remote := time.Since(began)
			<-r.abort
			local := time.Since(began)
			<-r.abortTables
			if tables := time.Since(began) - local; remote != tt.remote || local != tt.local || tables != tableWait {
				t.Errorf("%s: servers %v, others %v, tables %v after them", name, remote, local, tables)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // outputs have the same time for what is found at the end
		r := &run{Runner: &Runner{Signals: new(Signals)}, found: make(chan struct{})}
		ctx, end := context.WithCancel(t.Context())
		r.watchInterrupt(ctx)
		began := time.Now()
		end()
		time.Sleep(time.Second)
		close(r.found)
		<-r.abort
		if took := time.Since(began); took != time.Second+abortAfter {
			t.Errorf("outputs had %v, of which finding took a second", took)
		}
		<-r.abortTables
	})
	synctest.Test(t, func(t *testing.T) {
		r := &run{Runner: &Runner{Signals: new(Signals)}}
		ctx, end := context.WithCancel(t.Context())
		r.watchInterrupt(ctx)
		end()
		close(r.closed)
		time.Sleep(time.Minute)
		select {
		case <-r.abortRemote:
			t.Error("it waited for what was closed")
		default:
		}
	})
}
