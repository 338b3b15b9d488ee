package diagnose

import (
	"net/netip"
	"slices"
	"strings"

	"dropwatch/internal/counters"
)

// receiveBuffer is the counter of the level of a socket's receive buffer.
const receiveBuffer = "receive_buffer"

// acceptQueue is the ID of the level of the accept queue of a socket that listens. Its limit is one
// more than the backlog, as the kernel tests whether there are more than that.
const acceptQueue = "socket.accept_queue"

// addObjects adds to a finding the objects that it is about, in its own network
// namespace: queues and buffers that are full, and what counts the same for one socket.
// Of sockets it keeps those that the drops are of, as far as that is known.
func (f *Finding) addObjects(rows []counters.Row) {
	for i := range rows {
		r := &rows[i]
		other := r.Group == counters.Interface && f.IfName != "" && r.IfName != f.IfName
		if slices.Contains(f.Meaning.Counters, r.ID()) && (r.Gauge || r.Part) && r.Matters() && !other && f.hasProtocol(r) && f.isIn(r) {
			f.Objects = append(f.Objects, *r)
		}
	}
	f.addBuffers(rows)
	f.keepSockets(f.hasPort)
	f.addSharing()
	if o := f.Owner.Socket; o != nil && !f.shared && f.OwnerCount >= f.Reported {
		f.keepSockets(func(r *counters.Row) bool { return r.Inode == o.Inode })
	}
}

// addBuffers adds the receive buffers of the sockets that dropped, unless they have room.
// The kernel drops a packet when it and what the buffer holds are more than the limit, so
// that the level stays below that.
func (f *Finding) addBuffers(rows []counters.Row) {
	dropped := make(map[uint64]bool) // by inode
	for i := range f.Objects {
		dropped[f.Objects[i].Inode] = !f.Objects[i].Gauge
	}
	for i := range rows {
		r := &rows[i]
		if r.Name == receiveBuffer && r.Inode != 0 && dropped[r.Inode] && r.Value < r.Limit && r.Value >= r.Limit/2 {
			f.Objects = append(f.Objects, *r)
		}
	}
}

// keepSockets leaves of the sockets those for which keep is true, unless that is none.
func (f *Finding) keepSockets(keep func(*counters.Row) bool) {
	isSocket := func(r counters.Row) bool { return r.Group == counters.Socket }
	if slices.ContainsFunc(f.Objects, func(r counters.Row) bool { return isSocket(r) && keep(&r) }) {
		f.Objects = slices.DeleteFunc(f.Objects, func(r counters.Row) bool { return isSocket(r) && !keep(&r) })
	}
}

// hasPort reports whether the local port of a socket is one of the ports of the flows.
func (f *Finding) hasPort(r *counters.Row) bool {
	words := strings.Fields(r.Object)
	if len(words) < 2 {
		return false
	}
	local, err := netip.ParseAddrPort(words[1])
	return err == nil && slices.ContainsFunc(f.Flows, func(c FlowCount) bool {
		return local.Port() != 0 && (local.Port() == c.Flow.Src.Port() || local.Port() == c.Flow.Dst.Port())
	})
}

// hasProtocol reports whether a socket is of the protocol of the packets, if both are
// known.
func (f *Finding) hasProtocol(r *counters.Row) bool {
	return r.Group != counters.Socket || len(f.Flows) == 0 || strings.HasPrefix(r.Object, f.Flows[0].Flow.Protocol+" ")
}
