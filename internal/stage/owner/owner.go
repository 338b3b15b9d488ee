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
// for at most a fiftieth of the time; where no socket is new, every 10 s, or up to a minute if that
// takes long. The pipeline waits for a reading for at most 20 ms, and 300 ms for the first; meanwhile
// the process that the CPU ran is probed, which often is the sender. A drop whose process is not known
// by then is marked Pending; a later drop of that socket has it. What was not found is not looked for
// again for 5 s. Reading the open files of 400 processes takes some 15 ms.
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

// ttl is how long what files say of a process or a control group is used without a new look-up. A process is stated as
// the owner until heldTTL after it has closed the socket, because drops from before may come later.
const (
	ttl     = time.Second
	heldTTL = 30 * time.Second
)

// A finder finds owners on a host, and caches them.
type finder struct {
	host  *host.Host
	began time.Time // when it was made

	holders index[uint64, holder]      // by the inode of the socket
	groups  index[uint64, string]      // paths by the ID of the control group
	netns   index[uint32, host.Netns]  // by inode
	tables  map[scope]*reading[*table] // of the sockets by their addresses, at most maxTables
	pace    pace                       // of all tables

	probes pace // of probing single processes

	processes  cache[uint32, process]
	places     cache[string, place] // by the path of the control group
	containers cache[containerKey, labels]
	stores     cache[store, map[string]string] // names of containers by ID
	names      cache[uint32, string]           // of network namespaces

	answers    map[key]answer // by socket
	identities map[belonging]*identity
	socket     event.Socket // of the event, if the kernel did not name one
}

// newFinder returns a finder that has read nothing yet.
func newFinder(h *host.Host) *finder {
	f := &finder{
		host: h, began: time.Now(), tables: make(map[scope]*reading[*table]),
		answers: make(map[key]answer), identities: make(map[belonging]*identity),
	}
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
