// Package owner says whose a dropped packet was: it finds the socket that the
// kernel did not name, and the process, the systemd unit, the container and the
// pod of a socket, and names network namespaces. It reads files only, of procfs,
// of cgroupfs and of container runtimes, and asks no daemon.
//
// # What is stated
//
// Only what fits is stated. A socket that the kernel has not named is found by the
// addresses of the packet among those of its namespace: connected, bound to the
// address, or bound to any if the address is the namespace's own. It is only
// likely. For a packet that no socket was there for (NO_SOCKET) only a sender on
// this host is looked for.
//
// If several processes have a socket, the one with the lowest number is named,
// which mostly is the parent, but process 1 only if no other has it: systemd keeps
// the sockets of services that it starts on demand. The process is then likely, as
// it is where we may not look into each process.
//
// # What it costs
//
// What was met already costs a look-up in a map. All else is read beside the
// pipeline, each kind of table at most a fiftieth of the time, and the pipeline
// waits for a reading 20 ms at most, and 300 ms for the first. Meanwhile the process
// that the CPU ran is looked at, which often is the sender. A drop whose process is
// not known by then goes without, and a later one of that socket has it. What is
// not there is not looked for again for 5 s. To look at the open files of 400
// processes takes some 15 ms.
package owner

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Stage is the stage that says whose a drop was, as the files below root, which is
// "/" but in tests, tell. It comes after the one that reads headers. A stage serves
// one pipeline.
func Stage(root string) pipeline.Stage {
	h := newHost(root)
	h.spaces.start(h.spaces.read)
	h.groups.start(h.groups.read)
	return func(e *event.Event) bool {
		h.own(e, time.Now())
		return true
	}
}

// believed is how long an answer is given again without looking; a process that
// was found to have a socket is still named for heldAge after it has closed it, as
// a drop of before may come later.
const (
	believed = time.Second
	heldAge  = 30 * time.Second
)

// A host answers from the files of one.
type host struct {
	root string

	holders index[uint64, holder] // by the socket's inode
	groups  index[uint64, string] // paths, by the cgroup's ID
	spaces  index[uint32, space]  // by the network namespace's inode
	tables  map[scope]*reading[*table]
	pace    pace // of all tables

	peeks pace // of single processes

	processes  memory[uint32, process]
	containers memory[string, labels]
	netns      memory[uint32, string]

	answers map[key]*answer
	socket  event.Socket // of the event, if the kernel has not named one
}

func newHost(root string) *host {
	h := &host{root: root, tables: make(map[scope]*reading[*table]), answers: make(map[key]*answer)}
	h.holders = newIndex(h.readHolders)
	h.groups = newIndex(h.readGroups)
	h.spaces = newIndex(h.readSpaces)
	h.processes = newMemory(believed, h.readProcess)
	h.containers = newMemory(rowAge, h.readLabels)
	h.netns = newMemory(believed, h.netnsName)
	return h
}

// A key tells sockets apart. One that we have found by ourselves has no cookie.
type key struct{ cookie, inode uint64 }

// An answer is what we know of a socket.
type answer struct {
	inode, cgroup uint64
	until         time.Time // when it is to be looked at again
	held          time.Time // when a process had it
	owner         event.Owner
}

// is says whether the answer is still of that socket: an address in the kernel,
// which may stand for a cookie, can be another's later. A socket that its process
// has closed has no inode any more.
func (a *answer) is(o *event.Owner) bool {
	return (o.Cgroup.ID == 0 || o.Cgroup.ID == a.cgroup) && (o.Socket.Inode == 0 || o.Socket.Inode == a.inode)
}

func (h *host) own(e *event.Event, now time.Time) {
	if n := &e.Netns; n.Inode != 0 && n.Name == "" {
		n.Name = h.netns.get(n.Inode, now)
	}
	if e.Owner.Socket == nil {
		e.Owner.Socket = h.find(e, now)
	}
	if e.Owner.Socket != nil {
		h.tell(&e.Owner, &e.Task, now)
	}
}

// tell completes an owner of whom the socket is known.
func (h *host) tell(o *event.Owner, t *event.Task, now time.Time) {
	k := key{cookie: o.Socket.Cookie}
	if k.cookie == 0 {
		k.inode = o.Socket.Inode
	}
	a := h.answers[k]
	if a == nil || !a.is(o) {
		a = &answer{inode: o.Socket.Inode, cgroup: o.Cgroup.ID}
		keep(h.answers, k, a)
	}
	if !now.Before(a.until) {
		h.look(a, t, now)
	}
	socket := o.Socket
	*o = a.owner
	o.Socket = socket
	if o.Process.Confidence == event.Certain && (socket.Confidence != event.Certain || socket.Inode == 0) {
		o.Process.Confidence = event.Likely
	}
}

// look finds out what is to be known of a socket now. What is not there any more
// stays as it was.
func (h *host) look(a *answer, t *event.Task, now time.Time) {
	a.until = now.Add(believed)
	h.lookProcess(a, t, now)
	o := &a.owner
	o.Cgroup.ID = a.cgroup
	if path, ok := h.group(a.cgroup, now); ok {
		o.Cgroup.Path = path
	}
	where := parsePath(o.Cgroup.Path)
	if o.Process.PID != 0 {
		p := h.processes.get(o.Process.PID, now)
		if p.place != (place{}) {
			where = p.place
		}
		if a.cgroup == 0 && p.cgroup != "" {
			o.Cgroup.Path = p.cgroup
		}
	}
	if where != (place{}) {
		h.label(&where, now)
		o.Unit, o.Container, o.Pod = where.unit, where.container, where.pod
	}
}

func (h *host) lookProcess(a *answer, t *event.Task, now time.Time) {
	p := &a.owner.Process
	held, ok := h.holder(a.inode, now)
	if !ok {
		held, ok = h.runner(a.inode, t, now)
	}
	if !ok {
		a.until = now.Add(pause) // a reading may come soon
		p.Confidence = min(p.Confidence, event.Likely)
		if now.Sub(a.held) >= heldAge {
			*p = event.Process{}
		}
		return
	}
	if comm := h.processes.get(held.pid, now).comm; comm != "" || held.pid != p.PID {
		p.Comm = comm
	}
	a.held, p.PID, p.Confidence = now, held.pid, event.Certain
	if held.shared {
		p.Confidence = event.Likely
	}
}

// holder and group ask for what has a number only.
func (h *host) holder(inode uint64, now time.Time) (holder, bool) {
	if inode == 0 {
		return holder{}, false
	}
	return h.holders.find(inode, now)
}

func (h *host) group(id uint64, now time.Time) (string, bool) {
	if id == 0 {
		return "", false
	}
	return h.groups.find(id, now)
}
