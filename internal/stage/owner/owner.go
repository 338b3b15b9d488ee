// Package owner finds the owner of a dropped packet: the socket, if the kernel did not name it, and
// the process, the systemd unit, the container and the pod of the socket. It also finds the names of
// network namespaces. It only reads files, of procfs, cgroupfs and container runtimes, and uses no
// daemon.
//
// # What is stated
//
// A socket that the kernel has not named is found by the addresses of the packet among the sockets of
// its namespace: one that is connected, bound to the address, or bound to any address if it is the
// namespace's own. Its confidence is likely. For a packet without a socket (NO_SOCKET) only a sender
// on this host is looked for. Whether the packet was to or from the socket is decided by the addresses
// of both, if they can decide it.
//
// If several processes have a socket open, the one with the lowest PID is stated, which mostly is the
// parent; process 1 only if no other has it, because systemd keeps the sockets of services that it
// starts on demand. The confidence is then likely, as it is if not all processes can be read.
//
// Control groups and files that a user may have created are used for containers of that user only.
//
// # What it costs
//
// A known socket costs a look-up in a map. Everything else is read in goroutines, each kind of table
// for at most a fiftieth of the time. The pipeline waits for a reading for at most 20 ms, and 300 ms
// for the first; meanwhile the process that the CPU ran is probed, which often is the sender. A drop
// whose process is not known by then is marked Pending; a later drop of that socket has it. What was
// not found is not looked for again for 5 s. Reading the open files of 400 processes takes some 15 ms.
package owner

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
)

// Stage returns the stage that sets the owner of a drop and the name of its network namespace. It comes
// after the one that decodes headers. A stage serves one pipeline.
func Stage(h *host.Host) pipeline.Stage {
	f := newFinder(h)
	f.netns.start(f.netns.read)
	f.groups.start(f.groups.read)
	return func(e *event.Event) bool {
		f.fill(e, time.Now())
		return true
	}
}

// ttl is how long an answer is used without a new look-up. A process is stated as the owner until
// heldTTL after it has closed the socket, because drops from before may come later.
const (
	ttl     = time.Second
	heldTTL = 30 * time.Second
)

// A finder finds owners on a host, and caches them.
type finder struct {
	host *host.Host

	holders index[uint64, holder]     // by the inode of the socket
	groups  index[uint64, string]     // paths by the ID of the control group
	netns   index[uint32, host.Netns] // by inode
	tables  map[scope]*reading[*table]
	pace    pace // of all tables

	probes pace // of probing single processes

	processes  cache[uint32, process]
	places     cache[string, place] // by the path of the control group
	containers cache[containerKey, labels]
	stores     cache[store, map[string]string] // names of containers by ID
	names      cache[uint32, string]           // of network namespaces

	answers answers
	socket  event.Socket // of the event, if the kernel did not name one
}

// newFinder returns a finder that has read nothing yet.
func newFinder(h *host.Host) *finder {
	f := &finder{host: h, tables: make(map[scope]*reading[*table]), answers: answers{at: make(map[key]int)}}
	f.holders = newIndex(f.readHolders)
	f.groups = newIndex(h.UnifiedCgroups)
	f.netns = newIndex(h.NetworkNamespaces)
	f.processes = newCache(ttl, f.readProcess)
	f.places = newCache(ttl, func(path string, _ time.Time) place { return f.placeOf(path) })
	f.containers = newCache(rowTTL, f.readLabels)
	f.stores = newCache(ttl, f.readStore)
	f.names = newCache(ttl, f.netnsName)
	return f
}

// A key identifies a socket: by its cookie, or by its inode if it was found by addresses.
type key struct{ cookie, inode uint64 }

// An answer is what is known of a socket.
type answer struct {
	of            key
	inode, cgroup uint64
	expires       time.Time
	held          time.Time // when a process last had it
	owner         event.Owner
}

// answers are those of the sockets that were met last, maxKept at most. Their memory is used again: so a host of many
// sockets needs none for each look-up.
type answers struct {
	at   map[key]int // where in all
	all  []answer
	next int // which is forgotten next, once there are maxKept
}

// get returns the answer of a socket, an empty one if there is none. It is valid until the next call.
func (s *answers) get(k key) *answer {
	i, known := s.at[k]
	switch {
	case known:
		return &s.all[i]
	case len(s.all) < maxKept:
		i, s.all = len(s.all), append(s.all, answer{})
	default:
		i, s.next = s.next, (s.next+1)%maxKept
		delete(s.at, s.all[i].of)
	}
	s.at[k], s.all[i] = i, answer{of: k}
	return &s.all[i]
}

// fits reports whether the answer is about that socket. The cookie may stand for an address in the
// kernel, which another socket may have later. A socket that was closed has no inode.
func (a *answer) fits(o *event.Owner) bool {
	return (o.Cgroup.ID == 0 || o.Cgroup.ID == a.cgroup) && (o.Socket.Inode == 0 || o.Socket.Inode == a.inode)
}

// fill sets the owner of an event, and the names of its network namespace and that of the drop behind it.
func (f *finder) fill(e *event.Event, now time.Time) {
	f.nameNetns(&e.Netns, now)
	if e.Segment != nil {
		f.nameNetns(&e.Segment.Drop.Netns, now)
	}
	if e.Owner.Socket == nil {
		e.Owner.Socket, e.Owner.Pending = f.findSocket(e, now)
	} else {
		setDirection(e)
	}
	if e.Owner.Socket != nil {
		f.complete(&e.Owner, &e.Task, now)
	}
}

// nameNetns sets the name of a network namespace, if there is one.
func (f *finder) nameNetns(n *event.Netns, now time.Time) {
	if n.Inode != 0 && n.Name == "" {
		n.Name = f.names.get(n.Inode, now)
	}
}

// complete sets everything of an owner that its socket leads to.
func (f *finder) complete(o *event.Owner, t *event.Task, now time.Time) {
	k := key{cookie: o.Socket.Cookie}
	if k.cookie == 0 {
		k.inode = o.Socket.Inode
	}
	a := f.answers.get(k)
	if !a.fits(o) {
		*a = answer{of: k, inode: o.Socket.Inode, cgroup: o.Cgroup.ID}
	}
	if !now.Before(a.expires) {
		f.refresh(a, t, now)
	}
	socket := o.Socket
	*o = a.owner
	o.Socket = socket
	if o.Process.Confidence == event.Certain && (socket.Confidence != event.Certain || socket.Inode == 0) {
		o.Process.Confidence = event.Likely
	}
}

// refresh looks up the owner of a socket again. What is not found any more stays as it was.
func (f *finder) refresh(a *answer, t *event.Task, now time.Time) {
	a.expires = now.Add(ttl)
	o := &a.owner
	p, pending := f.findProcess(a, t, now)
	o.Pending = pending
	o.Cgroup.ID = a.cgroup
	path, ok, unread := f.group(a.cgroup, now)
	if ok {
		o.Cgroup.Path = path
	}
	if o.Pending = o.Pending || unread; o.Pending {
		a.expires = now.Add(pause)
	}
	if a.cgroup == 0 && p.cgroup != "" {
		o.Cgroup.Path = p.cgroup
	}
	where := p.place
	if where == (place{}) {
		where = f.places.get(path, now)
	}
	if where != (place{}) {
		f.label(&where, now)
		o.Unit, o.Container, o.Pod = where.unit, where.container, where.pod
	}
}

// findProcess sets the process of a socket, and returns what its files say; nothing if no process is known. Pending
// reports that it was not found, but may be when the processes have been read.
func (f *finder) findProcess(a *answer, t *event.Task, now time.Time) (of process, pending bool) {
	p := &a.owner.Process
	held, ok, pending := f.holder(a.inode, now)
	if !ok {
		held, ok = f.probe(a.inode, t, now)
	}
	if !ok {
		a.expires = now.Add(pause) // a reading may come soon
		p.Confidence = min(p.Confidence, event.Likely)
		if now.Sub(a.held) >= heldTTL {
			*p = event.Process{}
		}
		if p.PID == 0 {
			return process{}, pending
		}
		return f.processes.get(p.PID, now), false
	}
	if of = f.processes.get(held.pid, now); of.comm != "" || held.pid != p.PID {
		p.Comm = of.comm
	}
	a.held, p.PID, p.Confidence = now, held.pid, event.Certain
	if held.shared {
		p.Confidence = event.Likely
	}
	return of, false
}

// holder returns the process that has a socket; none if the socket has no inode.
func (f *finder) holder(inode uint64, now time.Time) (held holder, ok, pending bool) {
	if inode == 0 {
		return held, false, false
	}
	return f.holders.find(inode, now)
}

// group returns the path of a control group; none if its ID is not known.
func (f *finder) group(id uint64, now time.Time) (path string, ok, pending bool) {
	if id == 0 {
		return "", false, false
	}
	return f.groups.find(id, now)
}
