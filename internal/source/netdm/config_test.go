package netdm

import (
	"context"
	"errors"
	"testing"

	"dropwatch/netlink"
)

func TestRestore(t *testing.T) {
	packetMode := func(s *Session) error { return s.SetAlertMode(context.Background(), netlink.ModePacket) }
	trunc := func(s *Session) error { return s.SetTruncLen(context.Background(), 60) }
	queue := func(s *Session) error { return s.SetQueueLen(context.Background(), 7) }
	all := func(s *Session) error {
		return s.SetConfig(context.Background(), netlink.Config{Mode: netlink.ModePacket, TruncLen: 60, QueueLen: 7})
	}
	same := func(s *Session) error { return s.SetConfig(context.Background(), was) }
	other := func(c netlink.Config) func(*Session) error {
		return func(s *Session) error {
			s.monitor.(*kernel).others(func(k *kernel) { k.config = c })
			return nil
		}
	}
	type steps = []func(*Session) error
	tests := map[string]struct {
		steps steps
		want  netlink.Config
		sent  []string // at Close
	}{
		"nothing set":     {nil, was, nil},
		"set to the same": {steps{same}, was, nil},
		"one value":       {steps{trunc}, was, []string{"config summary 0 1000"}},
		"value by value":  {steps{packetMode, trunc, queue, trunc}, was, []string{"config summary 0 1000"}},
		"all at once":     {steps{all}, was, []string{"config summary 0 1000"}},
		"put back by hand": {
			steps{trunc, func(s *Session) error { return s.SetTruncLen(context.Background(), 0) }}, was, nil,
		},
		"put back by another": {steps{all, other(was)}, was, nil},
		"another has changed all since": {
			steps{all, other(netlink.Config{QueueLen: 1, TruncLen: 2})}, netlink.Config{QueueLen: 1, TruncLen: 2}, nil,
		},
		"another has changed one value since": {
			steps{all, other(netlink.Config{Mode: netlink.ModePacket, TruncLen: 99, QueueLen: 7})},
			netlink.Config{TruncLen: 99, QueueLen: 1000},
			[]string{"config summary 99 1000"},
		},
		"another changes it between two changes of the session": {
			steps{trunc, other(netlink.Config{TruncLen: 99, QueueLen: 8}), queue},
			netlink.Config{TruncLen: 99, QueueLen: 8},
			[]string{"config summary 99 8"},
		},
		"another changed what the session changes again": {
			steps{trunc, other(netlink.Config{TruncLen: 99, QueueLen: 1000}), trunc},
			netlink.Config{TruncLen: 99, QueueLen: 1000},
			[]string{"config summary 99 1000"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKernel()
			s, _ := newSession(t, k)
			for _, step := range tt.steps {
				if err := step(s); err != nil {
					t.Fatal(err)
				}
			}
			k.log = nil
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			k.did(t, append(tt.sent, "close")...)
			if k.config != tt.want {
				t.Errorf("left at %+v, want %+v", k.config, tt.want)
			}
		})
	}
}

// TestTakeover: what a killed run has left set is not for this session, nor for the
// next one.
func TestTakeover(t *testing.T) {
	left := netlink.Config{Mode: netlink.ModePacket, TruncLen: 256, QueueLen: 6}
	const notice = "the other program had set the drop monitor to mode packet, truncation 256, queue 6: it is now set to "
	tests := map[string]struct {
		set    func(*Session) error // before the other program starts
		begin  netlink.Config       // with what the run begins
		notice string
	}{
		"nothing set": {nil, was, notice + "mode summary, truncation 0, queue 1000"},
		"a value set": {
			func(s *Session) error { return s.SetTruncLen(context.Background(), 60) },
			netlink.Config{TruncLen: 60, QueueLen: 1000}, notice + "mode summary, truncation 60, queue 1000",
		},
		"a value set by a run": {
			func(s *Session) error {
				_, err := s.Configure(context.Background(), func(c *netlink.Config) { c.Mode = netlink.ModePacket })
				return err
			}, netlink.Config{Mode: netlink.ModePacket, QueueLen: 1000}, notice + "mode packet, truncation 0, queue 1000",
		},
		"set as it was left": {
			func(s *Session) error {
				_, err := s.Configure(context.Background(), func(c *netlink.Config) { *c = left })
				return err
			}, left, "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKernel()
			s, _ := newSession(t, k)
			s.ConfirmTakeover = yes
			var notices string
			s.Notify = func(text string) { notices += text }
			if tt.set != nil {
				if err := tt.set(s); err != nil {
					t.Fatal(err)
				}
			}
			k.others(func(k *kernel) { k.on, k.config = both, left })
			start(t, s, 0)
			if got := k.get(); got != tt.begin || notices != tt.notice {
				t.Errorf("begins with %+v, notice %q\nwant %+v, %q", got, notices, tt.begin, tt.notice)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if k.config != was || k.on != 0 {
				t.Errorf("left at %+v, on %d", k.config, k.on)
			}
		})
	}
}

// TestTakeoverByARun: what a killed run has left set is for no run that takes over, also if
// that asks for some of it.
func TestTakeoverByARun(t *testing.T) {
	left := netlink.Config{Mode: netlink.ModePacket, TruncLen: 99, QueueLen: 6}
	for _, trunc := range []uint32{99, 256} { // of which the first is set already
		k := newKernel()
		s, _ := newSession(t, k)
		s.ConfirmTakeover = yes
		k.others(func(k *kernel) { k.on, k.config = both, left })
		restore, err := s.Configure(t.Context(), func(c *netlink.Config) { c.Mode, c.TruncLen = netlink.ModePacket, trunc })
		if err != nil {
			t.Fatal(err)
		}
		run := start(t, s, 0)
		if want := (netlink.Config{Mode: netlink.ModePacket, TruncLen: trunc, QueueLen: 1000}); k.get() != want {
			t.Errorf("runs with %+v, want %+v", k.get(), want)
		}
		run.Close()
		if restore(); k.get() != was {
			t.Errorf("left at %+v, want %+v", k.get(), was)
		}
	}
}

// TestStopResets: what a killed run has left set ends with its monitoring.
func TestStopResets(t *testing.T) {
	left := netlink.Config{Mode: netlink.ModePacket, TruncLen: 99, QueueLen: 6}
	const notice = "the other program had set the drop monitor to mode packet, truncation 99, queue 6: it is now set to " +
		"mode summary, truncation 0, queue 1000"
	tests := map[string]struct {
		on, stop netlink.Origins
		notice   string
	}{
		"all of it":            {netlink.Software, both, notice},
		"some of it":           {both, netlink.Software, ""},
		"none: it is set only": {0, both, ""},
	}
	for name, tt := range tests {
		k := newKernel()
		s, _ := newSession(t, k)
		var notices string
		s.Notify = func(text string) { notices += text }
		k.others(func(k *kernel) { k.on, k.config = tt.on, left })
		if err := s.Halt(tt.stop); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := left
		if tt.notice != "" {
			want = was
		}
		if err := s.Close(); err != nil || notices != tt.notice || k.get() != want {
			t.Errorf("%s: left at %+v, want %+v, notice %q, %v", name, k.get(), want, notices, err)
		}
	}
}

// TestUnloadedModuleLeavesNothing: there is nothing to restore.
func TestUnloadedModuleLeavesNothing(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k)
	if err := s.SetTruncLen(t.Context(), 60); err != nil {
		t.Fatal(err)
	}
	k.unload()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestTakeoverOfOldKernel(t *testing.T) {
	k := newKernel()
	k.on, k.fail["config?"] = netlink.Software, netlink.ErrUnsupported
	s, _ := newSession(t, k)
	s.ConfirmTakeover = yes
	start(t, s, 0)
	k.did(t, "listen", "start 1", "unlisten", "stop 3", "listen", "start 1")
}

// TestUnloadedModule: what the session has set is set again in the module that is
// loaded then, and nothing else.
func TestUnloadedModule(t *testing.T) {
	const loaded = "the module drop_monitor was unloaded: it is loaded again"
	mode := func(s *Session) error { return s.SetAlertMode(context.Background(), netlink.ModePacket) }
	begin := func(s *Session) error {
		_, err := s.Start(context.Background(), 0, netlink.ListenConfig{})
		return err
	}
	ask := func(s *Session) error { _, err := s.Stats(); return err }
	tests := map[string]struct {
		trunc  bool // is set before the module goes
		do     func(*Session) error
		did    []string
		notice string
	}{
		"nothing set": {false, mode, []string{"load", "mode packet"}, loaded},
		"a value set": {true, mode, []string{"load", "config summary 60 1000", "mode packet"}, loaded +
			", and set to mode summary, truncation 60, queue 1000 again"},
		"a question": {true, ask, []string{"load", "config summary 60 1000"}, loaded +
			", and set to mode summary, truncation 60, queue 1000 again"},
		"start a run":  {false, begin, []string{"listen", "load", "listen", "start 1"}, loaded},
		"not unloaded": {false, nil, nil, ""},
		"nothing to do": {true,
			func(s *Session) error { s.monitor.(*kernel).others(func(k *kernel) { k.gone = false }); return nil }, nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKernel()
			s, _ := newSession(t, k)
			var notices string
			s.Notify = func(text string) { notices += text }
			if tt.trunc {
				if err := s.SetTruncLen(t.Context(), 60); err != nil {
					t.Fatal(err)
				}
				k.did(t, "trunc 60")
			}
			if tt.do != nil {
				k.unload()
				if err := tt.do(s); err != nil {
					t.Fatal(err)
				}
			}
			k.did(t, tt.did...)
			if notices != tt.notice {
				t.Errorf("notice %q, want %q", notices, tt.notice)
			}
			if err := s.Close(); err != nil || k.config != was {
				t.Errorf("left at %+v, %v", k.config, err)
			}
		})
	}
}

// TestUnloadedModuleThatStaysAway fails, instead of saying that it is set.
func TestUnloadedModuleThatStaysAway(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k)
	k.unload()
	k.fail["load"] = netlink.ErrNoFamily
	if err := s.SetAlertMode(t.Context(), netlink.ModePacket); !errors.Is(err, netlink.ErrNoFamily) {
		t.Errorf("error %v, want %v", err, netlink.ErrNoFamily)
	}
	k.did(t, "load")
}

func TestConfigure(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k)
	if err := s.SetTruncLen(t.Context(), 60); err != nil {
		t.Fatal(err)
	}
	restore, err := s.Configure(t.Context(), func(c *netlink.Config) { c.Mode, c.TruncLen = netlink.ModePacket, 256 })
	if err != nil || k.get() != (netlink.Config{Mode: netlink.ModePacket, TruncLen: 256, QueueLen: 1000}) {
		t.Fatalf("set to %+v, %v", k.get(), err)
	}
	restore()
	if want := (netlink.Config{TruncLen: 60, QueueLen: 1000}); k.get() != want {
		t.Errorf("left at %+v, want %+v", k.get(), want)
	}
	if err := s.Close(); err != nil || k.get() != was {
		t.Errorf("left at %+v, %v", k.get(), err)
	}
}

// TestConfigureThatCannotRestore: another program uses the monitor when the run ends,
// and not when the session does.
func TestConfigureThatCannotRestore(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k, "dwdump")
	restore, err := s.Configure(t.Context(), func(c *netlink.Config) { c.TruncLen = 256 })
	if err != nil {
		t.Fatal(err)
	}
	k.others(func(k *kernel) { k.on = netlink.Software })
	restore()
	if k.on == 0 || k.get().TruncLen != 256 {
		t.Errorf("on %d, set to %+v", k.on, k.get())
	}
	k.others(func(k *kernel) { k.on = 0 })
	if err := s.Close(); err != nil || k.get() != was {
		t.Errorf("left at %+v, %v", k.get(), err)
	}
}

func TestRestoreNeverSilencesAnother(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k, "dwdump")
	s.ConfirmTakeover = yes
	if err := s.SetTruncLen(t.Context(), 60); err != nil {
		t.Fatal(err)
	}
	k.others(func(k *kernel) { k.on = netlink.Software })
	err := s.Close()
	hasText(t, err, "restore the monitor's configuration (mode summary, truncation 0, queue 1000): "+
		"configure monitoring: monitoring is on, in use by dwdump (pid 101)")
	k.did(t, "trunc 60", "config summary 0 1000", "close")
}

func TestConfigureThatFailsIsNotPutBack(t *testing.T) {
	denied := errors.New("denied")
	for request, did := range map[string][]string{"config?": nil, "queue": {"queue 5"}} {
		k := newKernel()
		k.fail[request] = denied
		s, _ := newSession(t, k)
		if err := s.SetQueueLen(t.Context(), 5); !errors.Is(err, denied) {
			t.Errorf("%s: %v", request, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", request, err)
		}
		k.did(t, append(did, "close")...)
	}
}

func TestRestoreThatCannotRead(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k)
	if err := s.SetQueueLen(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	k.fail["config?"] = errors.New("read the configuration: gone")
	hasText(t, s.Close(), "restore the monitor's configuration (mode summary, truncation 0, queue 1000): read the configuration: gone")
}
