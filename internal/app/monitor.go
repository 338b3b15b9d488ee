package app

import (
	"context"
	"sync"

	"dropwatch/internal/source/netdm"
)

// monitor is the one netdm.Session of the program, opened when it is needed
// first, so that Main can close it whatever became of the command.
type monitor struct {
	open  func() (*netdm.Session, error)
	claim func(ctx context.Context, holder string) bool // see netdm.Session

	mu     sync.Mutex
	opened *netdm.Session
}

func (m *monitor) get() (*netdm.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opened == nil {
		opened, err := m.open()
		if err != nil {
			return nil, advise(err)
		}
		opened.Claim = m.claim
		m.opened = opened
	}
	return m.opened, nil
}

// close closes it. One that is still being opened, by a module loader that
// hangs say, has nothing to put back and is not waited for.
func (m *monitor) close() error {
	if !m.mu.TryLock() {
		return nil
	}
	defer m.mu.Unlock()
	if m.opened == nil {
		return nil
	}
	return m.opened.Close()
}
