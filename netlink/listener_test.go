package netlink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A fakeSocket returns the results of its script. A receive that waits at the end of the
// script does so until it is interrupted, or more is put there.
type fakeSocket struct {
	mu          sync.Mutex
	changed     *sync.Cond
	script      []step
	interrupted bool
	closed      bool
	drops       uint32
	dropsErr    error
}

// A step is what one receive gives.
type step struct {
	msgs int
	err  error
}

func newFake(script ...step) *fakeSocket {
	f := &fakeSocket{script: script}
	f.changed = sync.NewCond(&f.mu)
	return f
}

func (f *fakeSocket) change(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	f.changed.Broadcast()
}

func (f *fakeSocket) receive(wait bool) ([][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.closed:
			return nil, os.ErrClosed
		case wait && f.interrupted:
			return nil, os.ErrDeadlineExceeded
		case len(f.script) > 0:
			s := f.script[0]
			f.script = f.script[1:]
			return make([][]byte, s.msgs), s.err
		case !wait:
			return nil, nil
		}
		f.changed.Wait()
	}
}

func (f *fakeSocket) dropped() (uint32, error) { return f.drops, f.dropsErr }
func (f *fakeSocket) interrupt()               { f.change(func() { f.interrupted = true }) }
func (f *fakeSocket) resume()                  { f.change(func() { f.interrupted = false }) }
func (f *fakeSocket) Close() error             { f.change(func() { f.closed = true }); return nil }

func testListener(t *testing.T, f *fakeSocket) *Listener {
	t.Helper()
	l, err := newListener(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// record makes a Handler that notes what it gets, and ends with done's error.
func record(got *[]string, done func() error) Handler {
	return func(msgs [][]byte, more bool) error {
		*got = append(*got, fmt.Sprint(len(msgs), more))
		return done()
	}
}

func TestReceive(t *testing.T) {
	f := newFake(step{msgs: 1}, step{err: syscall.ENOBUFS}, step{msgs: batchSize}, step{err: syscall.ENOBUFS},
		step{err: syscall.ENOBUFS}, step{msgs: 2})
	l := testListener(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := l.Receive(ctx, record(&got, func() error {
		if len(got) == 3 {
			cancel()
		}
		return nil
	}))
	if err != nil {
		t.Error(err)
	}
	want := []string{"1 false", fmt.Sprint(batchSize, true), "2 false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("batches (-want +got)", diff)
	}
	if n := l.Overruns(); n != 3 {
		t.Errorf("%d overruns, want 3", n)
	}
}

// TestReceiveTellsThatNoMoreCame: a full batch may have been the last, and the
// handler waits for a signal.
func TestReceiveTellsThatNoMoreCame(t *testing.T) {
	l := testListener(t, newFake(step{msgs: batchSize}))
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := l.Receive(ctx, record(&got, func() error {
		if len(got) == 2 {
			cancel()
		}
		return nil
	}))
	if want := []string{fmt.Sprint(batchSize, true), "0 false"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("batches %q, %v, want %q", got, err, want)
	}
}

// TestReceiveStops ends the context of a Receive that waits, again and again
// on the same Listener, on a clock that stands while anything can run.
func TestReceiveStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testListener(t, newFake())
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			began := time.Now()
			if err := l.Receive(ctx, nil); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took != time.Hour {
				t.Errorf("it took %v", took)
			}
			cancel()
		}
	})
}

func TestReceiveAfterTheEnd(t *testing.T) {
	f := newFake(step{msgs: 1})
	l := testListener(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Receive(ctx, nil); err != nil {
		t.Error(err)
	}
	if f.interrupted {
		t.Error("it left the socket interrupted")
	}
	var got []string
	if err := l.Drain(record(&got, func() error { return nil })); err != nil || len(got) != 1 {
		t.Errorf("drained %v, error %v", got, err)
	}
}

// TestReceiveHandlerFails: even with an error that the socket might have given.
func TestReceiveHandlerFails(t *testing.T) {
	for _, want := range []error{errors.New("sink is full"), os.ErrDeadlineExceeded, syscall.ENOBUFS} {
		l := testListener(t, newFake(step{msgs: 1}, step{msgs: 1}))
		var got []string
		handle := record(&got, func() error { return want })
		if err := l.Receive(t.Context(), handle); err != want || len(got) != 1 {
			t.Errorf("%v after %v, want %v after one", err, got, want)
		}
		if err := l.Drain(handle); err != want || len(got) != 2 {
			t.Errorf("drain: %v after %v, want %v after two", err, got, want)
		}
	}
}

// TestReceiveSocketFails: what the socket says comes out, and is no state.
func TestReceiveSocketFails(t *testing.T) {
	l := testListener(t, newFake(step{err: syscall.ENOMEM}, step{msgs: 1}, step{err: syscall.EIO}))
	var got []string
	stop := errors.New("stop")
	handle := record(&got, func() error { return stop })
	err := l.Receive(t.Context(), handle)
	if !errors.Is(err, syscall.ENOMEM) || !strings.HasPrefix(err.Error(), "receive alerts: ") {
		t.Errorf("error %v", err)
	}
	if err := l.Receive(t.Context(), handle); err != stop {
		t.Errorf("after an error: %v", err)
	}
	if err := l.Drain(handle); !errors.Is(err, syscall.EIO) {
		t.Errorf("drain: %v", err)
	}
}

func TestReceiveClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testListener(t, newFake())
		failed := make(chan error)
		go func() { failed <- l.Receive(t.Context(), nil) }()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; !errors.Is(err, os.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

func TestDrain(t *testing.T) {
	f := newFake(step{msgs: batchSize}, step{err: syscall.ENOBUFS}, step{msgs: 3})
	f.interrupted = true
	l := testListener(t, f)
	var got []string
	if err := l.Drain(record(&got, func() error { return nil })); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{fmt.Sprint(batchSize, true), "3 false"}, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
	if l.Overruns() != 1 {
		t.Errorf("%d overruns", l.Overruns())
	}
}

// TestLost counts from what was there on, and past the kernel's 32 bits.
func TestLost(t *testing.T) {
	f := newFake()
	f.drops = 1<<32 - 10
	l := testListener(t, f)
	for _, tt := range []struct {
		drops uint32
		want  uint64
	}{
		{1<<32 - 10, 0}, {1<<32 - 1, 9}, {5, 15}, {5, 15}, {4, 15 + 1<<32 - 1}, {10, 15 + 1<<32 + 5},
	} {
		f.drops = tt.drops
		if got, err := l.Lost(); got != tt.want || err != nil {
			t.Errorf("at %d: %d, %v, want %d", tt.drops, got, err, tt.want)
		}
	}
	f.dropsErr = syscall.EBADF
	if got, err := l.Lost(); got != 15+1<<32+5 || !errors.Is(err, syscall.EBADF) {
		t.Errorf("%d, %v, want what was known and the error", got, err)
	}
}

// TestLostUnsupported: a kernel that cannot count can still be listened to.
func TestLostUnsupported(t *testing.T) {
	f := newFake()
	f.dropsErr = syscall.ENOPROTOOPT
	l := testListener(t, f)
	if n, err := l.Lost(); n != 0 || !errors.Is(err, ErrUnsupported) {
		t.Errorf("%d, %v", n, err)
	}
	f = newFake()
	f.dropsErr = syscall.EIO
	if l, err := newListener(f); l != nil || !errors.Is(err, syscall.EIO) || !f.closed {
		t.Errorf("%v, %v, closed %v", l, err, f.closed)
	}
}
