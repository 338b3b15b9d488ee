package app

import (
	"sync"

	"dropwatch/internal/source/netdm"
)

// session is the one netdm.Session of the program, opened when it is needed
// first, so that Main can close it whatever became of the command.
type session struct {
	open func() (*netdm.Session, error)

	mu     sync.Mutex
	opened *netdm.Session
}

func (s *session) get() (*netdm.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil {
		opened, err := s.open()
		if err != nil {
			return nil, advise(err)
		}
		s.opened = opened
	}
	return s.opened, nil
}

// close closes it. One that is still being opened, by a module loader that
// hangs say, has nothing to put back and is not waited for.
func (s *session) close() error {
	if !s.mu.TryLock() {
		return nil
	}
	defer s.mu.Unlock()
	if s.opened == nil {
		return nil
	}
	return s.opened.Close()
}
