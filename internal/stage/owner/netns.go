package owner

import (
	"cmp"
	"time"

	"dropwatch/internal/event"
)

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
