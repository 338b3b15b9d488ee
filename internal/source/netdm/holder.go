package netdm

import (
	"fmt"
	"os"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// Holder describes who listens to the monitor besides this process. The kernel does not record
// who switched it on: those who listen are the best guess.
func (s *Session) Holder() string {
	words, _ := s.holder()
	return words
}

// holder also reports whether there may be such a program.
func (s *Session) holder() (words string, alive bool) {
	listeners, hidden, err := s.host.GenericListeners(s.monitor.Group())
	if err != nil {
		return fmt.Sprintf("used by an unknown program (%v)", err), true
	}
	var names []string
	for _, l := range listeners {
		if int(l.PID) != os.Getpid() {
			names = append(names, describe(&l))
		}
	}
	switch {
	case len(names) > 0:
		return "in use by " + strings.Join(names, " and "), true
	case hidden > 0:
		return "in use by a program of another user", true
	}
	return "left on by a program that exited (nobody listens)", false
}

// describe returns a listener in words: dropwatch (pid 812, started Nov 21 12:00:05). The
// name is quoted if it could be mistaken for other words.
func describe(l *host.Listener) string {
	name := fmt.Sprintf("%s (pid %d", event.Quote(l.Comm), l.PID)
	if !l.Started.IsZero() {
		name += ", started " + l.Started.Format("Jan _2 15:04:05")
	}
	return name + ")"
}
