// Package netdm is the source of the drops that the kernel's drop monitor (NET_DM) reports over
// generic netlink. A [Session] configures and starts the monitor, and makes a [Run], which is
// the pipeline.Source.
package netdm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"dropwatch/internal/host"
	"dropwatch/netlink"
)

// Needs are what the source needs of a host. Since Linux 6.7 it also needs CAP_SYS_ADMIN, to
// receive alerts.
var Needs = host.Requirements{
	Options:      []string{"NET_DROP_MONITOR"},
	Capabilities: []host.Capability{host.CapNetAdmin},
}

// A Monitor controls the kernel's drop monitor. The methods are those of [netlink.Client].
type Monitor interface {
	// Config reads the configuration; those below set all or a part of it, which the kernel
	// refuses while monitoring is on.
	Config() (netlink.Config, error)
	SetConfig(netlink.Config) error       // all of it
	SetAlertMode(netlink.AlertMode) error // summary or packet
	SetTruncLen(uint32) error             // bytes of a packet, 0 for all
	SetQueueLen(uint32) error             // packets for each CPU
	Stats() (netlink.Stats, error)        // packets that found a queue full
	Start(netlink.Origins) error          // refused if one of them is on
	Stop(netlink.Origins) error           // whoever switched them on
	Running() (bool, error)               // whoever switched it on
	FamilyMessage() ([]byte, error)       // in which the kernel states the id of the family
	Group() uint32                        // multicast group of the alerts
	Refresh() error                       // after the module was unloaded
	Close() error                         // changes nothing in the kernel
}

// A Session is this process's use of the drop monitor, of which a host has one. At the latest
// at Close it switches off what it has switched on and restores what it has set. It is safe
// for concurrent use, so that a signal can close it while a run is stuck.
type Session struct {
	// ConfirmTakeover decides whether monitoring that holder has switched on may be stopped.
	// Nil means no. It may wait for a person: nothing is locked meanwhile.
	ConfirmTakeover func(ctx context.Context, holder string) bool

	// Notify is called with a line for the user when the session changes the configuration
	// without having been asked to, for example after a takeover. It may be nil.
	Notify func(text string)

	monitor Monitor                                      // the socket for commands
	listen  func(netlink.ListenConfig) (Listener, error) // opens the socket for alerts
	host    *host.Host

	mu      sync.Mutex // held during requests
	notices []string   // for Notify, when the session is unlocked
	closed  bool
	config  changes         // what was set, to put it back
	on      netlink.Origins // switched on by this session, and not off yet
}

// both are all origins. STOP of one that is off changes nothing.
const both = netlink.Software | netlink.Hardware

// Open connects to the drop monitor, for which the kernel may load its module. It changes
// nothing in it. The caller closes the Session.
func Open() (*Session, error) {
	c, err := netlink.Dial()
	if err != nil {
		return nil, err
	}
	listen := func(cfg netlink.ListenConfig) (Listener, error) { return c.Listen(cfg) }
	return New(c, listen), nil
}

// New returns a session that uses m and listens by listen. It changes nothing.
func New(m Monitor, listen func(netlink.ListenConfig) (Listener, error)) *Session {
	return &Session{monitor: m, listen: listen, host: host.New("/")}
}

// Close switches off what the session has switched on, restores the configuration, and closes
// the control socket. All later requests fail, those of a run that has not ended too.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.switchOff()
	if err == nil { // the kernel would refuse it while monitoring is on
		err = s.restore(changes{})
	}
	return errors.Join(err, s.monitor.Close())
}

// Config reads the monitor's configuration.
func (s *Session) Config() (netlink.Config, error) { return read(s, s.monitor.Config) }

// Stats reads how many packets found the kernel's queues full.
func (s *Session) Stats() (netlink.Stats, error) { return read(s, s.monitor.Stats) }

// FamilyMessage returns the kernel's description of the NET_DM family.
func (s *Session) FamilyMessage() ([]byte, error) { return read(s, s.monitor.FamilyMessage) }

// Running reports whether monitoring is on, whoever switched it on.
func (s *Session) Running() (bool, error) { return read(s, s.monitor.Running) }

// read makes a request that returns a value.
func read[T any](s *Session, request func() (T, error)) (v T, err error) {
	err = s.locked(func() error {
		v, err = request()
		return err
	})
	return v, err
}

// locked makes a request while the session is locked. It fails if the session is closed, as
// nobody would switch off what the request switches on. If the monitor's module was unloaded,
// it is loaded and configured again first.
func (s *Session) locked(request func() error) error {
	defer s.sendNotices() // after Unlock, because a terminal may block
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("use the drop monitor: %w", os.ErrClosed)
	}
	err := request()
	if !errors.Is(err, netlink.ErrNoFamily) {
		return err
	}
	if err := s.reload(); err != nil {
		return err
	}
	return request()
}

// notify queues a line for Notify until the session is unlocked.
func (s *Session) notify(format string, args ...any) {
	s.notices = append(s.notices, fmt.Sprintf(format, args...))
}

// sendNotices passes the queued lines to Notify.
func (s *Session) sendNotices() {
	s.mu.Lock()
	notices := s.notices
	s.notices = nil
	s.mu.Unlock()
	for _, text := range notices {
		if s.Notify != nil {
			s.Notify(text)
		}
	}
}

// An InUseError is a request that the kernel refused because another program has switched
// monitoring on.
type InUseError struct {
	Holder string // who uses the monitor, in words: see [Session.Holder]
	Err    error  // of the request
}

// Error says what was refused, and who uses the monitor.
func (e *InUseError) Error() string { return fmt.Sprintf("%v, %s", e.Err, e.Holder) }

// Unwrap returns the error of the request.
func (e *InUseError) Unwrap() error { return e.Err }

// refused reports whether the kernel refused a request because monitoring is on.
func refused(err error) bool {
	return errors.Is(err, netlink.ErrMonitoring) || errors.Is(err, netlink.ErrAlreadyOn)
}

// whenFree makes a request that the kernel refuses while monitoring is on. If it is refused and
// ConfirmTakeover agrees, whenFree stops monitoring and makes the request again.
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
		if err := s.reset(); err != nil {
			return err
		}
		return request()
	})
	return s.explain(err)
}

// mayStop reports whether holder's monitoring may be stopped. It may not if ctx has ended.
func (s *Session) mayStop(ctx context.Context, holder string) bool {
	return s.ConfirmTakeover != nil && s.ConfirmTakeover(ctx, holder) && ctx.Err() == nil
}

// explain adds to the error of a refused request who uses the monitor.
func (s *Session) explain(err error) error {
	if !refused(err) {
		return err
	}
	return &InUseError{Holder: s.Holder(), Err: err}
}

// Listen returns a run that only receives alerts, and switches nothing on or off.
func (s *Session) Listen(cfg netlink.ListenConfig) (*Run, error) {
	l, err := s.listen(cfg)
	if err != nil {
		return nil, err
	}
	return newRun(s, l), nil
}

// Start begins to receive alerts and then switches monitoring of origins on; none means
// software. The run switches it off when it ends.
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

// start makes a run and switches monitoring on for it.
func (s *Session) start(origins netlink.Origins, listen netlink.ListenConfig) (*Run, error) {
	run, err := s.Listen(listen)
	if err != nil {
		return nil, err
	}
	if err := s.monitor.Start(origins); err != nil {
		run.listener.Close()
		return nil, err
	}
	s.on |= origins // in addition to what a failed STOP has left on
	run.origins = origins
	return run, nil
}

// stop switches off what Start has switched on, unless that was done.
func (s *Session) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switchOff()
}

// switchOff is stop for a session that is locked.
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

// Release switches off monitoring that others have switched on. If one of them may still be
// listening, ConfirmTakeover is asked first.
func (s *Session) Release(ctx context.Context) error {
	if holder, alive := s.holder(); alive {
		on, err := s.Running()
		old := errors.Is(err, netlink.ErrUnsupported) // this kernel does not say: it may be on
		switch {
		case err != nil && !old:
			return err
		case (on || old) && !s.mayStop(ctx, holder):
			return &InUseError{Holder: holder, Err: netlink.ErrMonitoring}
		}
	}
	return s.Halt(both)
}

// Halt switches monitoring of origins off, whoever uses it. If none is on then, what the other
// program had set is reset to the defaults.
func (s *Session) Halt(origins netlink.Origins) error {
	return s.locked(func() error {
		on, running := s.monitor.Running()
		if err := s.halt(origins); err != nil || running != nil || !on {
			return err
		}
		if err := s.reset(); !refused(err) {
			return err
		}
		return nil // other origins are on still
	})
}

// halt sends STOP. Old kernels refuse it if monitoring is off, which is no error here.
func (s *Session) halt(origins netlink.Origins) error {
	err := s.monitor.Stop(origins)
	if errors.Is(err, netlink.ErrAlreadyOff) {
		return nil
	}
	return err
}
