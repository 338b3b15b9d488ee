package owner

import (
	"errors"
	"io/fs"
	"time"

	"dropwatch/internal/event"
)

// maxHolders is how many sockets are recorded, those of the lowest PIDs first. Each takes some 30 bytes.
const maxHolders = 1 << 18

// A holder is the process that has a socket open.
type holder struct {
	pid    uint32
	shared bool // others have it open too, or may have
}

// readHolders finds the sockets among the open files of all processes.
func (f *finder) readHolders() map[uint64]holder {
	holders, hidden := make(map[uint64]holder), !f.host.SeesAllProcesses()
	for _, pid := range f.host.PIDs() {
		err := f.host.Sockets(pid, func(inode uint64) {
			first, known := holders[inode]
			switch {
			case known:
				holders[inode] = first.and(pid)
			case len(holders) < maxHolders:
				holders[inode] = holder{pid: pid}
			}
		})
		hidden = hidden || errors.Is(err, fs.ErrPermission)
	}
	if hidden {
		for inode, held := range holders {
			holders[inode] = holder{held.pid, true}
		}
	}
	return holders
}

// and returns the holder if the process pid, which is higher, has the socket open too.
func (h holder) and(pid uint32) holder {
	switch h.pid {
	case pid:
		return h
	case 1:
		return holder{pid, true}
	}
	return holder{h.pid, true}
}

// probe reports whether the process that the CPU ran has a socket open: most packets that are dropped on
// their way out are dropped while their sender runs. Others may have the socket too.
func (f *finder) probe(inode uint64, t *event.Task, now time.Time) (held holder, ok bool) {
	if inode == 0 || t.PID == 0 || now.Before(f.probes.next) {
		return held, false
	}
	began := time.Now()
	_ = f.host.Sockets(t.PID, func(n uint64) { ok = ok || n == inode }) // the process may have ended
	f.probes.spend(time.Since(began), now)
	return holder{pid: t.PID, shared: true}, ok
}

// A process is what its files in /proc say. It is empty if the process has ended.
type process struct {
	comm   string // of its main thread
	cgroup string // path of version 2
	place
}

// readProcess reads the files of a process.
func (f *finder) readProcess(pid uint32, _ time.Time) (p process) {
	p.comm = f.host.Comm(pid)
	for _, g := range f.host.Cgroups(pid) {
		if g.Unified {
			p.cgroup = g.Path
		}
		// Where hierarchies of version 1 are in use, the process may be at the root of
		// version 2: the first one that says anything counts.
		if p.place == (place{}) || g.Controllers == "name=systemd" {
			p.place = p.place.or(f.placeOf(g.Path))
		}
	}
	if !f.isOf(pid, p.place.user) {
		p.container, p.place.user = event.Container{}, 0
	}
	return p
}

// isOf reports whether a process belongs to a user, so that it can be in a container of that user. Every
// process can be in a container of root.
func (f *finder) isOf(pid, user uint32) bool {
	if user == 0 {
		return true
	}
	c, err := f.host.Credential(pid)
	return err == nil && f.host.IsUser(c.UID, user)
}
