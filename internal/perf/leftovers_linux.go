package perf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// thisProcess returns this process as a maker of probes.
func thisProcess(h *host.Host) (m maker, err error) {
	namespace, ok := h.PIDNamespace()
	start, ok2 := h.StartedAfterBoot(uint32(os.Getpid()))
	if !ok || !ok2 {
		return m, errors.New("name probes after this process: /proc does not show it: mount /proc")
	}
	return maker{namespace: namespace, pid: uint32(os.Getpid()), start: uint64(start)}, nil
}

// removeLeftovers removes the probes of processes that are dead. One that is in use nevertheless stays.
func (p *Probes) removeLeftovers() error {
	list, err := p.read(probesFile)
	if err != nil {
		return fmt.Errorf("read tracefs's %s: %w", probesFile, err)
	}
	for _, event := range p.leftovers(list) {
		if err := p.remove(event); err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// leftovers returns the events in a list that dead processes made.
func (p *Probes) leftovers(list string) (events []string) {
	dead := make(map[maker]bool)
	for _, event := range listedEvents(list) {
		group, _ := splitEvent(event)
		m, ours := parseGroup(group)
		if !ours {
			continue
		}
		if _, known := dead[m]; !known {
			dead[m] = p.dead(m)
		}
		if dead[m] {
			events = append(events, event)
		}
	}
	return events
}

// dead reports whether a process has ended for certain. Of one in another PID namespace that is known only
// when the namespace has no processes any more, and only where all processes of the host can be seen.
func (p *Probes) dead(m maker) bool {
	if m.namespace == p.self.namespace {
		start, ok := p.host.StartedAfterBoot(m.pid)
		return !ok || uint64(start) != m.start
	}
	return p.host.SeesAllProcesses() && !slices.Contains(p.host.PIDNamespaces(), m.namespace)
}

// splitEvent divides the full name of an event.
func splitEvent(event string) (group, name string) {
	group, name, _ = strings.Cut(event, "/")
	return group, name
}
