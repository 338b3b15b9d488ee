package diagnose

import (
	"fmt"
	"strings"

	"dropwatch/internal/counters"
)

// addSharing narrows a finding that is about some of the sockets that share an address
// (SO_REUSEPORT), while others of them lose nothing: those are not read, or accept no
// connection, or too slowly, and more room helps nobody.
func (f *Finding) addSharing() {
	full := make(map[uint64]*counters.Row) // by inode
	var first *counters.Row
	for i := range f.Objects {
		o := &f.Objects[i]
		if o.ID() != "socket.drops" && o.ID() != acceptQueue {
			continue
		}
		if first == nil {
			first = o
		}
		if full[o.Inode] = o; addressOf(o) != addressOf(first) {
			return
		}
	}
	if first == nil || first.Sharing <= uint32(len(full)) {
		return
	}
	idle := "they are not read"
	if first.ID() == acceptQueue {
		idle = "no connection is accepted from them"
	}
	f.Meaning.Cause = fmt.Sprintf("%d of %d sockets that share the address %s (SO_REUSEPORT) are full: %s, or too slowly. Each flow "+
		"belongs to one of them, so the others cannot help.", len(full), first.Sharing, addressOf(first), idle)
	f.Meaning.Fix = "Find why that process does nothing, or is slower than the others. An old worker after a reload has to end, or to " +
		"close the socket. A larger buffer or queue does not help."
	f.Meaning.Apply, f.shared = nil, true
}

// addressOf returns the protocol and the address of a socket.
func addressOf(r *counters.Row) string {
	address, _, _ := strings.Cut(r.Object, " inode ")
	return address
}
