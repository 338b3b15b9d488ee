package owner

import (
	"cmp"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// Namespaces returns the names that drops in the host's network namespaces have, in any order:
// those without a name are left out.
func Namespaces(h *host.Host) (names []string) {
	f, now := newFinder(h), time.Now()
	for inode := range h.NetworkNamespaces() {
		if name := f.netnsName(inode, now); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// NetnsNames returns what gives the names that network namespaces have now, by inode; empty for one without a name. It
// is for one goroutine.
func NetnsNames(h *host.Host) func(inode uint32) string {
	f := newFinder(h)
	return func(inode uint32) string { return f.netnsName(inode, time.Now()) }
}

// netnsName returns the name of a network namespace: its own, or that of the pod or the container in it;
// empty if it has none.
func (f *finder) netnsName(inode uint32, now time.Time) string {
	n, _, _ := f.netns.find(inode, now)
	switch {
	case n.Initial:
		return event.InitNetns
	case n.Name != "" || n.PID == 0:
		return n.Name
	}
	where := f.processes.get(n.PID, now).place
	f.label(&where, now)
	return cmp.Or(where.pod.Name, where.container.Name)
}
