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
		"another has changed between two of ours": {
			steps{trunc, other(netlink.Config{TruncLen: 99, QueueLen: 8}), queue},
			netlink.Config{TruncLen: 99, QueueLen: 8},
			[]string{"config summary 99 8"},
		},
		"another has changed what we change again": {
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

func TestRestoreAfterATakeover(t *testing.T) {
	k := newKernel()
	k.on, k.config = both, netlink.Config{Mode: netlink.ModePacket, TruncLen: 5, QueueLen: 6}
	theirs := k.config
	s, _ := newSession(t, k)
	s.Claim = yes
	if err := s.SetConfig(t.Context(), netlink.Config{Mode: netlink.ModePacket, TruncLen: 100, QueueLen: 100}); err != nil {
		t.Fatal(err)
	}
	start(t, s, 0)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if k.config != theirs || k.on != 0 {
		t.Errorf("left at %+v, on %d", k.config, k.on)
	}
}

func TestRestoreNeverSilencesAnother(t *testing.T) {
	k := newKernel()
	s, _ := newSession(t, k, "dwdump")
	s.Claim = yes
	if err := s.SetTruncLen(t.Context(), 60); err != nil {
		t.Fatal(err)
	}
	k.others(func(k *kernel) { k.on = netlink.Software })
	err := s.Close()
	oneLine(t, err, "put the monitor's configuration back (mode summary, truncation 0, queue 1000): "+
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
	oneLine(t, s.Close(), "put the monitor's configuration back (mode summary, truncation 0, queue 1000): read the configuration: gone")
}
