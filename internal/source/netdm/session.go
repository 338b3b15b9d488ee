// Package netdm is the source of drops that the kernel's drop monitor reports
// over generic netlink.
package netdm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// A Monitor is what a Session needs of a netlink.Client.
type Monitor interface {
	Config() (netlink.Config, error)
	SetConfig(netlink.Config) error
	SetAlertMode(netlink.AlertMode) error
	SetTruncLen(uint32) error
	SetQueueLen(uint32) error
	Stats() (netlink.Stats, error)
	Start(netlink.Origins) error
	Stop(netlink.Origins) error
	Running() (bool, error)
	FamilyMessage() ([]byte, error)
	Group() uint32
	Close() error
}

// A Session is our use of the host's one drop monitor. What it switches on it
// switches off, and what it sets it puts back, at the latest at Close. It is
// safe for concurrent use, so that a signal can close what a stuck run holds.
type Session struct {
	// Claim is asked before monitoring that is on by another's hand is stopped
	// to make room for ours. Nil means no. It may wait for a person: nothing is
	// locked meanwhile.
	Claim func(ctx context.Context, holder string) bool

	monitor Monitor
	listen  func(netlink.ListenConfig) (Listener, error)
	proc    string // where procfs is mounted

	mu     sync.Mutex // held during the requests that change the monitor
	closed bool
	config changes
	on     netlink.Origins // what we switched on
}

// both is every origin: STOP of one that is off changes nothing.
const both = netlink.Software | netlink.Hardware

// Open finds the drop monitor. It changes nothing.
func Open() (*Session, error) {
	c, err := netlink.Dial()
	if err != nil {
		return nil, err
	}
	listen := func(cfg netlink.ListenConfig) (Listener, error) { return c.Listen(cfg) }
	return New(c, listen), nil
}

// New gives a session that uses m and listens by listen. It changes nothing.
func New(m Monitor, listen func(netlink.ListenConfig) (Listener, error)) *Session {
	return &Session{monitor: m, listen: listen, proc: "/proc"}
}

// Close switches off what the session has switched on, puts the configuration
// back, and lets go of the monitor. The session can do nothing afterwards, not
// even for a run that is still under way.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.switchOff()
	if err == nil { // the kernel would refuse it while monitoring is on
		err = s.restore()
	}
	return pipeline.Also(err, s.monitor.Close())
}

// Config reads the configuration.
func (s *Session) Config() (netlink.Config, error) { return s.monitor.Config() }

// Stats reads the statistics.
func (s *Session) Stats() (netlink.Stats, error) { return s.monitor.Stats() }

// FamilyMessage gives the kernel's description of the NET_DM family.
func (s *Session) FamilyMessage() ([]byte, error) { return s.monitor.FamilyMessage() }

// Running tells whether monitoring is on, by whomever.
func (s *Session) Running() (bool, error) { return s.monitor.Running() }

// locked makes a request that changes the monitor, unless the session is
// closed: nothing may be switched on that nobody would switch off.
func (s *Session) locked(request func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("use the drop monitor: %w", os.ErrClosed)
	}
	return request()
}

// An InUseError is a request that failed because monitoring is on, not by our
// hand.
type InUseError struct {
	Holder string // who has it, as far as can be told
	Err    error
}

// Error says who has the monitor.
func (e *InUseError) Error() string { return fmt.Sprintf("%v, %s", e.Err, e.Holder) }

// Unwrap gives the error of the request.
func (e *InUseError) Unwrap() error { return e.Err }

// refused tells whether a request failed because monitoring is on.
func refused(err error) bool {
	return errors.Is(err, netlink.ErrMonitoring) || errors.Is(err, netlink.ErrAlreadyOn)
}

// whenFree makes a request that the kernel refuses while monitoring is on. If
// it is, and Claim agrees, monitoring is stopped and the request made again.
func (s *Session) whenFree(ctx context.Context, request func() error) error {
	err := s.locked(request)
	if !refused(err) {
		return err
	}
	holder := s.Holder()
	if !s.mayStop(ctx, holder) {
		return &InUseError{Holder: holder, Err: err}
	}
	err = s.locked(func() error {
		if err := s.halt(both); err != nil {
			return err
		}
		return request()
	})
	return s.explain(err)
}

// mayStop asks whether what holder has may be stopped. After the end of ctx it
// may not.
func (s *Session) mayStop(ctx context.Context, holder string) bool {
	return s.Claim != nil && s.Claim(ctx, holder) && ctx.Err() == nil
}

// explain adds who is in the way, if somebody is.
func (s *Session) explain(err error) error {
	if !refused(err) {
		return err
	}
	return &InUseError{Holder: s.Holder(), Err: err}
}

// Listen gives a run that only listens to what others have switched on.
func (s *Session) Listen(cfg netlink.ListenConfig) (*Run, error) {
	l, err := s.listen(cfg)
	if err != nil {
		return nil, err
	}
	return newRun(s, l), nil
}

// Start listens and then switches monitoring of origins on, where none means
// software. The run switches it off.
func (s *Session) Start(ctx context.Context, origins netlink.Origins, cfg netlink.ListenConfig) (run *Run, err error) {
	if origins == 0 {
		origins = netlink.Software
	}
	err = s.whenFree(ctx, func() error {
		run, err = s.start(origins, cfg)
		return err
	})
	return run, err
}

// start makes a run that has seen nothing of what was on before.
func (s *Session) start(origins netlink.Origins, listen netlink.ListenConfig) (*Run, error) {
	run, err := s.Listen(listen)
	if err != nil {
		return nil, err
	}
	if err := s.monitor.Start(origins); err != nil {
		run.listener.Close()
		return nil, err
	}
	s.on |= origins // beside what a STOP that failed has left on
	run.started = true
	return run, nil
}

// stop switches off what Start has switched on, if that is still to be done.
func (s *Session) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switchOff()
}

func (s *Session) switchOff() error {
	if s.on == 0 {
		return nil
	}
	if err := s.halt(s.on); err != nil {
		return err
	}
	s.on = 0
	return nil
}

// stillOn tells whether what Start has switched on is on. Once it is not, it is
// no more ours to switch off: whoever starts next would be silenced.
func (s *Session) stillOn() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on == 0 {
		return false, nil
	}
	on, err := s.monitor.Running()
	if err == nil && !on {
		s.on = 0
	}
	return on, err
}

// Release switches monitoring off that others have switched on. If one of them
// may be listening still, Claim is asked first.
func (s *Session) Release(ctx context.Context) error {
	if holder, alive := s.holder(); alive {
		on, err := s.monitor.Running()
		old := errors.Is(err, netlink.ErrUnsupported) // it cannot be asked: perhaps
		switch {
		case err != nil && !old:
			return err
		case (on || old) && !s.mayStop(ctx, holder):
			return &InUseError{Holder: holder, Err: netlink.ErrMonitoring}
		}
	}
	return s.Halt(both)
}

// Halt switches monitoring of origins off, whoever uses it.
func (s *Session) Halt(origins netlink.Origins) error {
	return s.locked(func() error { return s.halt(origins) })
}

// halt is STOP, of which old kernels say that there was nothing to stop.
func (s *Session) halt(origins netlink.Origins) error {
	err := s.monitor.Stop(origins)
	if errors.Is(err, netlink.ErrAlreadyOff) {
		return nil
	}
	return err
}
