package netdm

import (
	"context"
	"errors"
	"fmt"

	"dropwatch/netlink"
)

// SetAlertMode sets the mode until Close. While another program monitors, ConfirmTakeover is
// asked, as for all settings here; the error is then an [*InUseError].
func (s *Session) SetAlertMode(ctx context.Context, m netlink.AlertMode) error {
	return s.configure(ctx, values{mode: true}, netlink.Config{Mode: m}, func() error { return s.monitor.SetAlertMode(m) })
}

// SetTruncLen sets how many bytes of a packet are reported, 0 for all, until Close.
func (s *Session) SetTruncLen(ctx context.Context, n uint32) error {
	return s.configure(ctx, values{trunc: true}, netlink.Config{TruncLen: n}, func() error { return s.monitor.SetTruncLen(n) })
}

// SetQueueLen sets the length of the kernel's queue of each CPU, in packets, until Close.
func (s *Session) SetQueueLen(ctx context.Context, n uint32) error {
	return s.configure(ctx, values{queue: true}, netlink.Config{QueueLen: n}, func() error { return s.monitor.SetQueueLen(n) })
}

// SetConfig sets the whole configuration until Close.
func (s *Session) SetConfig(ctx context.Context, c netlink.Config) error {
	return s.configure(ctx, everyValue, c, func() error { return s.monitor.SetConfig(c) })
}

// Configure sets the values that change assigns until restore is called, at the latest until
// Close. Change may be called any number of times. If everything is set as wanted already, no
// request is made. Restore fails without an error if another program has switched monitoring on
// since; Close tries again.
func (s *Session) Configure(ctx context.Context, change func(*netlink.Config)) (restore func(), err error) {
	var want netlink.Config
	change(&want)
	before := s.changed()
	send := func() error {
		now, err := s.monitor.Config() // after a takeover it is another
		want := now
		if change(&want); err != nil || want == now {
			return err
		}
		return s.monitor.SetConfig(want)
	}
	if err := s.configure(ctx, assignedBy(change), want, send); err != nil {
		return nil, err
	}
	return func() { _ = s.locked(func() error { return s.restore(before) }) }, nil
}

// assignedBy returns the values that change assigns: they come out the same whatever they were.
func assignedBy(change func(*netlink.Config)) values {
	a, b := netlink.Config{}, netlink.Config{Mode: netlink.ModePacket, TruncLen: 1, QueueLen: 1}
	change(&a)
	change(&b)
	return everyValue.equal(a, b)
}

// values is a set of values of a configuration.
type values struct{ mode, trunc, queue bool }

// everyValue is the set of all values.
var everyValue = values{true, true, true}

// with returns c with these values of from.
func (v values) with(c, from netlink.Config) netlink.Config {
	if v.mode {
		c.Mode = from.Mode
	}
	if v.trunc {
		c.TruncLen = from.TruncLen
	}
	if v.queue {
		c.QueueLen = from.QueueLen
	}
	return c
}

// equal returns those of the values that are equal in both.
func (v values) equal(a, b netlink.Config) values {
	return values{v.mode && a.Mode == b.Mode, v.trunc && a.TruncLen == b.TruncLen, v.queue && a.QueueLen == b.QueueLen}
}

// or returns the union of two sets.
func (v values) or(w values) values {
	return values{v.mode || w.mode, v.trunc || w.trunc, v.queue || w.queue}
}

// changes are what the session has changed of the configuration.
type changes struct {
	set   values         // which values it has set
	made  netlink.Config // their values
	found netlink.Config // the values that they would have otherwise
}

// undo returns the configuration now as it would be without the session: a value that is still
// as the session set it gets its old value, and one that another program has changed since
// stays.
func (c *changes) undo(now netlink.Config) netlink.Config {
	return c.set.equal(now, c.made).with(now, c.found)
}

// changed returns what the session has changed so far.
func (s *Session) changed() changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// configure sets some values to those of to, which send requests, and remembers what they were
// before.
func (s *Session) configure(ctx context.Context, set values, to netlink.Config, send func() error) error {
	return s.whenFree(ctx, func() error {
		now, err := s.monitor.Config()
		if err != nil {
			return err
		}
		if err := send(); err != nil {
			return err
		}
		s.config = changes{s.config.set.or(set), set.with(now, to), s.config.undo(now)}
		return nil
	})
}

// restore undoes the changes of the session except for those in left.
func (s *Session) restore(left changes) error {
	if s.config.set == (values{}) {
		return nil
	}
	now, err := s.monitor.Config()
	if errors.Is(err, netlink.ErrNoFamily) { // the module was unloaded, with all that was set
		s.config = left
		return nil
	}
	found := s.config.undo(now)
	back := left.set.with(found, left.made)
	if err == nil && back != now {
		err = s.explain(s.monitor.SetConfig(back))
	}
	if err != nil {
		return fmt.Errorf("restore the monitor's configuration (%s): %w", describeConfig(s.config.found), err)
	}
	s.config = changes{left.set, back, found}
	return nil
}

// reset sets the values that another program has left behind to the kernel's defaults, after
// its monitoring was stopped, and says so. The values of this session stay.
func (s *Session) reset() error {
	now, err := s.monitor.Config()
	if errors.Is(err, netlink.ErrUnsupported) { // this kernel has no configuration
		return nil
	}
	want := s.config.set.with(netlink.DefaultConfig, s.config.made)
	if err != nil || want == now {
		return err
	}
	if err := s.monitor.SetConfig(want); err != nil {
		return err
	}
	s.config.made, s.config.found = want, netlink.DefaultConfig
	s.notify("the other program had set the drop monitor to %s: it is now set to %s", describeConfig(now), describeConfig(want))
	return nil
}

// describeConfig names the values as the user sets them.
func describeConfig(c netlink.Config) string {
	return fmt.Sprintf("mode %v, truncation %d, queue %d", c.Mode, c.TruncLen, c.QueueLen)
}

// reload makes the kernel load the module of the monitor again after it was unloaded, and sets
// again what the session had set.
func (s *Session) reload() error {
	if err := s.monitor.Refresh(); err != nil {
		return err
	}
	s.on = 0
	const loaded = "the module drop_monitor was unloaded: it is loaded again"
	now, err := s.monitor.Config()
	if s.config.set == (values{}) || errors.Is(err, netlink.ErrUnsupported) {
		s.notify(loaded)
		return nil
	}
	want := s.config.set.with(now, s.config.made)
	if err == nil && want != now {
		err = s.monitor.SetConfig(want)
	}
	if err != nil {
		return fmt.Errorf("set the drop monitor again: %w", err)
	}
	s.config.made, s.config.found = want, now
	s.notify(loaded+", and set to %s again", describeConfig(want))
	return nil
}
