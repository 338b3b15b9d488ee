package netdm

import (
	"context"
	"fmt"

	"dropwatch/netlink"
)

// SetAlertMode sets the mode until Close.
func (s *Session) SetAlertMode(ctx context.Context, m netlink.AlertMode) error {
	return s.configure(ctx,
		func(c *netlink.Config) { c.Mode = m },
		func() error { return s.monitor.SetAlertMode(m) })
}

// SetTruncLen sets the bytes of a packet that are reported until Close.
func (s *Session) SetTruncLen(ctx context.Context, n uint32) error {
	return s.configure(ctx,
		func(c *netlink.Config) { c.TruncLen = n },
		func() error { return s.monitor.SetTruncLen(n) })
}

// SetQueueLen sets the length of the kernel's queues until Close.
func (s *Session) SetQueueLen(ctx context.Context, n uint32) error {
	return s.configure(ctx,
		func(c *netlink.Config) { c.QueueLen = n },
		func() error { return s.monitor.SetQueueLen(n) })
}

// SetConfig sets the whole configuration until Close.
func (s *Session) SetConfig(ctx context.Context, cfg netlink.Config) error {
	return s.configure(ctx,
		func(c *netlink.Config) { *c = cfg },
		func() error { return s.monitor.SetConfig(cfg) })
}

// changes remembers what we did to the configuration. Without any, found and
// made are the same.
type changes struct {
	found netlink.Config // what would be set but for us
	made  netlink.Config // what we made of it
}

// undo gives now as it would be but for us: each value that is still the one
// we made is put back, and one that somebody has changed since is theirs.
func (c *changes) undo(now netlink.Config) netlink.Config {
	if now.Mode == c.made.Mode {
		now.Mode = c.found.Mode
	}
	if now.TruncLen == c.made.TruncLen {
		now.TruncLen = c.found.TruncLen
	}
	if now.QueueLen == c.made.QueueLen {
		now.QueueLen = c.found.QueueLen
	}
	return now
}

// configure sends a change, which apply makes to a copy of ours, and remembers
// how it was before.
func (s *Session) configure(ctx context.Context, apply func(*netlink.Config), send func() error) error {
	return s.whenFree(ctx, func() error {
		now, err := s.monitor.Config()
		if err != nil {
			return err
		}
		if err := send(); err != nil {
			return err
		}
		s.config.found = s.config.undo(now)
		apply(&now)
		s.config.made = now
		return nil
	})
}

// restore puts back what configure has changed.
func (s *Session) restore() error {
	if s.config.found == s.config.made {
		return nil
	}
	now, err := s.monitor.Config()
	back := s.config.undo(now)
	if err == nil && back != now {
		err = s.explain(s.monitor.SetConfig(back))
	}
	if err != nil {
		f := s.config.found
		return fmt.Errorf("put the monitor's configuration back (mode %v, truncation %d, queue %d): %w",
			f.Mode, f.TruncLen, f.QueueLen, err)
	}
	s.config = changes{}
	return nil
}
