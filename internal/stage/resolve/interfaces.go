package resolve

import (
	"net"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Interfaces is the stage that names the interface where the source gave only
// its index. An index that name knows nothing of stays without one.
func Interfaces(name func(index uint32) string) pipeline.Stage {
	return func(e *event.Event) bool {
		if p := &e.Port; p.IfIndex != 0 && p.IfName == "" {
			p.IfName = name(p.IfIndex)
		}
		return true
	}
}

// HostInterfaces knows the interfaces of our own network namespace. The kernel
// reports the drops of all of them without saying which, so that the name of
// another's interface, which has an index of its own counting, can be wrong.
// The zero value is ready; it is not safe for concurrent use.
type HostInterfaces struct {
	names map[uint32]string
	read  time.Time
}

// interfacesAge is how long a table of interfaces is believed, and how often it
// is read at most: each time is a dump of all of them (RTM_GETLINK).
const interfacesAge = time.Second

// Name gives the name of the interface, empty if there is none of that index.
func (h *HostInterfaces) Name(index uint32) string {
	if now := time.Now(); now.Sub(h.read) >= interfacesAge {
		h.load()
		h.read = now
	}
	return h.names[index]
}

// load reads the table anew. Without one there are no names.
func (h *HostInterfaces) load() {
	h.names = make(map[uint32]string)
	interfaces, err := net.Interfaces()
	if err != nil {
		return
	}
	for _, i := range interfaces {
		h.names[uint32(i.Index)] = i.Name
	}
}
