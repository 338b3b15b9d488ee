package netdm

import (
	"fmt"
	"os"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/netlink"
)

// Holder says in words who listens to the monitor besides us, which is who
// switched it on as far as can be told: the kernel keeps no record.
func (s *Session) Holder() string {
	words, _ := s.holder()
	return words
}

// holder tells also whether there may be somebody.
func (s *Session) holder() (words string, alive bool) {
	peers, hidden, err := netlink.Peers(s.proc, s.monitor.Group())
	if err != nil {
		return fmt.Sprintf("by whom cannot be told (%v)", err), true
	}
	var names []string
	for _, p := range peers {
		if p.PID != os.Getpid() {
			names = append(names, describe(p))
		}
	}
	switch {
	case len(names) > 0:
		return "in use by " + strings.Join(names, " and "), true
	case hidden > 0:
		return "in use by a program of another user", true
	}
	return "left on by a program that has ended (nobody listens)", false
}

func describe(p netlink.Peer) string {
	name := fmt.Sprintf("%s (pid %d", event.Escape(p.Command), p.PID)
	if !p.Started.IsZero() {
		name += ", started " + p.Started.Format("Jan _2 15:04:05")
	}
	return name + ")"
}
