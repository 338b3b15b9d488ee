package netdm

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/netlink"
)

// yes and no are answers to ConfirmTakeover.
func yes(context.Context, string) bool { return true }
func no(context.Context, string) bool  { return false }

var errDenied = errors.New("stop monitoring: not permitted")

func start(t *testing.T, s *Session, o netlink.Origins) *Run {
	t.Helper()
	run, err := s.Start(t.Context(), o, netlink.ListenConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// oneLine checks the words of an error.
func hasText(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

func TestStartListensFirst(t *testing.T) {
	for origins, want := range map[netlink.Origins]string{
		0:                "start 1",
		netlink.Software: "start 1",
		netlink.Hardware: "start 2",
		both:             "start 3",
	} {
		k := newKernel()
		s, _ := newSession(t, k)
		start(t, s, origins)
		k.did(t, "listen", want)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		k.did(t, strings.Replace(want, "start", "stop", 1), "close")
	}
}

func TestStartThatFailsLeavesNothing(t *testing.T) {
	denied := errors.New("denied")
	for request, want := range map[string][]string{
		"listen": {"listen"},
		"start":  {"listen", "start 1", "unlisten"},
	} {
		k := newKernel()
		k.fail[request] = denied
		s, _ := newSession(t, k)
		if run, err := s.Start(t.Context(), 0, netlink.ListenConfig{}); !errors.Is(err, denied) || run != nil {
			t.Errorf("%s: %v, %v", request, run, err)
		}
		k.did(t, want...)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		k.did(t, "close")
	}
}

func TestConfirmTakeover(t *testing.T) {
	set := func(s *Session) error { return s.SetTruncLen(context.Background(), 60) }
	begin := func(s *Session) error {
		_, err := s.Start(context.Background(), 0, netlink.ListenConfig{})
		return err
	}
	const inUse = ", in use by dwdump (pid 101)"
	tests := map[string]struct {
		do      func(*Session) error
		confirm func(context.Context, string) bool
		did     []string
		err     string
	}{
		"configure, nobody to ask": {set, nil, []string{"trunc 60"}, "configure monitoring: monitoring is on" + inUse},
		"configure, refused":       {set, no, []string{"trunc 60"}, "configure monitoring: monitoring is on" + inUse},
		"configure, agreed":        {set, yes, []string{"trunc 60", "stop 3", "trunc 60"}, ""},
		"start, nobody to ask": {
			begin, nil, []string{"listen", "start 1", "unlisten"}, "start monitoring: monitoring is already on" + inUse,
		},
		"start, refused": {
			begin, no, []string{"listen", "start 1", "unlisten"}, "start monitoring: monitoring is already on" + inUse,
		},
		"start, agreed: it listens afresh": {
			begin, yes, []string{"listen", "start 1", "unlisten", "stop 3", "listen", "start 1"}, "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKernel()
			k.on = netlink.Software
			s, _ := newSession(t, k, "dwdump")
			s.ConfirmTakeover = tt.confirm
			err := tt.do(s)
			if tt.err == "" && err != nil {
				t.Error(err)
			}
			var inUse *InUseError
			if tt.err != "" && !errors.As(err, &inUse) {
				t.Errorf("%T is no InUseError", err)
			} else if tt.err != "" {
				hasText(t, err, tt.err)
			}
			k.did(t, tt.did...)
		})
	}
}

func TestConfirmTakeoverGetsTheHolder(t *testing.T) {
	k := newKernel()
	k.on = netlink.Software
	s, _ := newSession(t, k)
	var told string
	s.ConfirmTakeover = func(_ context.Context, holder string) bool {
		told = holder
		return false
	}
	if err := s.SetQueueLen(t.Context(), 5); !errors.Is(err, netlink.ErrMonitoring) {
		t.Error(err)
	}
	if want := "left on by a program that exited (nobody listens)"; told != want {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestConfirmTakeoverAfterTheEndOfTheContextIsRefused(t *testing.T) {
	k := newKernel()
	k.on = netlink.Software
	s, _ := newSession(t, k)
	ctx, cancel := context.WithCancel(t.Context())
	s.ConfirmTakeover = func(context.Context, string) bool {
		cancel() // a signal, while the person answers
		return true
	}
	if _, err := s.Start(ctx, 0, netlink.ListenConfig{}); !errors.Is(err, netlink.ErrAlreadyOn) {
		t.Error(err)
	}
	k.did(t, "listen", "start 1", "unlisten")
}

// TestCloseDuringConfirmTakeover is the watchdog's Close while a person is asked: it does
// not wait for the answer, and nothing is switched on after it.
func TestCloseDuringConfirmTakeover(t *testing.T) {
	k := newKernel()
	k.on = netlink.Software
	s, _ := newSession(t, k)
	s.ConfirmTakeover = func(context.Context, string) bool {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return true
	}
	if _, err := s.Start(t.Context(), 0, netlink.ListenConfig{}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	k.did(t, "listen", "start 1", "unlisten", "close")
}

func TestTakeoverThatFails(t *testing.T) {
	t.Run("at STOP", func(t *testing.T) {
		k := newKernel()
		k.on, k.fail["stop"] = netlink.Software, errDenied
		s, _ := newSession(t, k)
		s.ConfirmTakeover = yes
		if err := s.SetTruncLen(t.Context(), 1); !errors.Is(err, errDenied) {
			t.Error(err)
		}
		k.did(t, "trunc 1", "stop 3")
	})
	t.Run("because another was quicker", func(t *testing.T) {
		k := newKernel()
		k.on = netlink.Software
		k.onStop = func() { k.on = netlink.Software }
		s, _ := newSession(t, k, "perf\x1b")
		s.ConfirmTakeover = yes
		err := s.SetTruncLen(t.Context(), 1)
		hasText(t, err, `configure monitoring: monitoring is on, in use by perf\x1b (pid 101)`)
	})
}

func TestCloseOfARunUnderWayStopsOnce(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k)
	if err := s.SetAlertMode(t.Context(), netlink.ModePacket); err != nil {
		t.Fatal(err)
	}
	start(t, s, both)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	k.did(t, "mode packet", "listen", "start 3", "stop 3", "config summary 0 1000", "close")
}

func TestCloseWhenStopFails(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k)
	if err := s.SetAlertMode(t.Context(), netlink.ModePacket); err != nil {
		t.Fatal(err)
	}
	start(t, s, 0)
	k.fail["stop"], k.fail["close"] = errDenied, errors.New("close: bad")
	hasText(t, s.Close(), "stop monitoring: not permitted\nclose: bad")
	k.did(t, "mode packet", "listen", "start 1", "stop 1", "close")
}

func TestCloseOnAnOldKernel(t *testing.T) {
	k := newKernel()
	k.old, k.fail["config?"] = true, netlink.ErrUnsupported
	s, _ := newSession(t, k)
	start(t, s, 0)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestStartAgainstClose lets them race: whoever comes first, monitoring is off
// in the end.
func TestStartAgainstClose(t *testing.T) {
	for range 200 {
		k := newKernel()
		s, _ := newSession(t, k)
		var both sync.WaitGroup
		both.Go(func() { _, _ = s.Start(context.Background(), 0, netlink.ListenConfig{}) })
		both.Go(func() { _ = s.Close() })
		both.Wait()
		if k.on != 0 {
			t.Fatalf("monitoring is left on: %q", k.log)
		}
	}
}

func TestRelease(t *testing.T) {
	const someone = "dropwatch"
	tests := map[string]struct {
		on      netlink.Origins
		peers   []string
		confirm func(context.Context, string) bool
		running error
		stopped bool
		err     string
	}{
		"left on, nobody listens":   {on: both, confirm: no, stopped: true},
		"off, nobody listens":       {confirm: no, stopped: true},
		"off, but somebody listens": {peers: []string{someone}, confirm: no, stopped: true},
		"in use, refused": {on: both, peers: []string{someone}, confirm: no,
			err: "monitoring is on, in use by dropwatch (pid 101)"},
		"in use, nobody to ask": {on: both, peers: []string{someone}, err: "monitoring is on, in use by dropwatch (pid 101)"},
		"in use, agreed":        {on: both, peers: []string{someone}, confirm: yes, stopped: true},
		"in use by another user, refused": {on: both, peers: []string{""}, confirm: no,
			err: "monitoring is on, in use by a program of another user"},
		"may not be asked": {on: both, peers: []string{someone}, confirm: yes, running: errDenied, err: errDenied.Error()},
		"cannot be asked, refused": {on: both, peers: []string{someone}, confirm: no, running: netlink.ErrUnsupported,
			err: "monitoring is on, in use by dropwatch (pid 101)"},
		"cannot be asked, but it's agreed": {on: both, peers: []string{someone}, confirm: yes, running: netlink.ErrUnsupported,
			stopped: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKernel()
			k.on, k.old, k.fail["running?"] = tt.on, tt.on == 0, tt.running
			s, _ := newSession(t, k, tt.peers...)
			s.ConfirmTakeover = tt.confirm
			err := s.Release(t.Context())
			if tt.err != "" {
				hasText(t, err, tt.err)
			} else if err != nil {
				t.Error(err)
			}
			if tt.stopped {
				k.did(t, "stop 3")
			} else {
				k.did(t)
			}
		})
	}
}

func TestReleaseAsksWhenTheHolderIsUnknown(t *testing.T) {
	k := newKernel()
	k.on = netlink.Software
	s, _ := newSession(t, k)
	s.host = host.New(t.TempDir())
	var inUse *InUseError
	if err := s.Release(t.Context()); !errors.As(err, &inUse) || !strings.HasPrefix(inUse.Holder, "used by an unknown program (") {
		t.Error(err)
	}
	k.did(t)
}

func TestHolder(t *testing.T) {
	const stat = "cpu 1\nbtime 1795000000\nx 1\n"
	k := newKernel()
	s, _ := newSession(t, k)
	dir := newHost(t, "dropwatch", "", "a) b")
	s.host = host.New(dir)
	write(t, dir+"/proc/stat", stat)
	write(t, dir+"/proc/103/stat", "103 (a) b) S"+strings.Repeat(" 0", 18)+" 12300 0\n")
	at := describe(&host.Listener{PID: 103, Comm: "a) b"})
	if got := s.Holder(); !strings.HasPrefix(got, "in use by dropwatch (pid 101) and "+strings.TrimSuffix(at, ")")) {
		t.Errorf("holder %q", got)
	}
}

func TestQuestionsGoThrough(t *testing.T) {
	k := newKernel()
	k.stats = netlink.Stats{Software: 3, Hardware: 4}
	k.on = netlink.Hardware
	s, _ := newSession(t, k)
	if c, err := s.Config(); c != was || err != nil {
		t.Error(c, err)
	}
	if n, err := s.Stats(); n != k.stats || err != nil {
		t.Error(n, err)
	}
	if on, err := s.Running(); !on || err != nil {
		t.Error(on, err)
	}
	if b, err := s.FamilyMessage(); string(b) != "family" || err != nil {
		t.Error(b, err)
	}
	if err := s.Halt(netlink.Hardware); err != nil {
		t.Error(err)
	}
	k.did(t, "stop 2")
}
