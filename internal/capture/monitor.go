package capture

import (
	"context"
	"errors"
	"sync"

	"dropwatch/internal/host"
	"dropwatch/internal/source/netdm"
	"dropwatch/netlink"
)

// A Monitor owns the one netdm.Session of the program. The session is opened when
// it is first needed and then kept, so that Close can restore the drop monitor
// whatever happened to the command that used it. It is safe for concurrent use. Set
// the fields before the first call.
type Monitor struct {
	Open func() (*netdm.Session, error) // called until it succeeds once

	// Host says why there is no drop monitor. Nil: that is not known.
	Host *host.Host

	// ConfirmTakeover decides whether the monitoring of another program may be stopped.
	// Holder describes that program. Nil means no.
	ConfirmTakeover func(ctx context.Context, holder string) bool

	// Notify is called with what the user should know, such as that the session changed
	// the configuration.
	Notify func(text string)

	mu     sync.Mutex
	opened *netdm.Session // nil: not needed yet
}

// Session returns the session, and opens it if necessary. The error has advice. The
// Monitor keeps the session: do not close it.
func (m *Monitor) Session() (*netdm.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opened == nil {
		opened, err := m.Open()
		if err != nil {
			return nil, Advise(m.explain(err))
		}
		opened.ConfirmTakeover, opened.Notify = m.ConfirmTakeover, m.Notify
		m.opened = opened
	}
	return m.opened, nil
}

// explain says what is wrong where modprobe would not help.
func (m *Monitor) explain(err error) error {
	if errors.Is(err, netlink.ErrNoFamily) && m.Host != nil && m.Host.BuiltWithout("NET_DROP_MONITOR") {
		return &notBuiltError{err}
	}
	return err
}

// Close stops monitoring if this program started it, and restores the
// configuration. It does not block: a session that is still being opened, behind a
// module loader that hangs for example, has changed nothing yet and is left behind.
func (m *Monitor) Close() error {
	if !m.mu.TryLock() {
		return nil
	}
	defer m.mu.Unlock()
	if m.opened == nil {
		return nil
	}
	return m.opened.Close()
}

// takeOver is the answer of --takeover: yes, whoever uses the monitor.
func takeOver(context.Context, string) bool { return true }

// withConfirm sets s.ConfirmTakeover. Undo restores what was set before.
func withConfirm(s *netdm.Session, confirm func(context.Context, string) bool) (undo func()) {
	before := s.ConfirmTakeover
	s.ConfirmTakeover = confirm
	return func() { s.ConfirmTakeover = before }
}
