package resolve

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Interfaces is the stage that names the interface where the source gave only
// its index. The network namespace that the index counts in goes by its inode, 0
// if the source did not give that. An index that name knows nothing of stays
// without one.
func Interfaces(name func(netns, index uint32) string) pipeline.Stage {
	return func(e *event.Event) bool {
		if p := &e.Port; p.IfIndex != 0 && p.IfName == "" {
			p.IfName = name(e.Netns.Inode, p.IfIndex)
		}
		return true
	}
}

// HostInterfaces knows the interfaces of our own network namespace. Where the
// kernel reports the drops of all of them without saying which, the name of
// another's interface, which has an index of its own counting, can be wrong.
// The zero value is ready; it is not safe for concurrent use.
type HostInterfaces struct {
	own   uint32 // inode of our namespace; 0 if it is not known
	names map[uint32]string
	read  time.Time
}

// interfacesAge is how long a table of interfaces is believed, and how often it
// is read at most: each time is a dump of all of them (RTM_GETLINK).
const interfacesAge = time.Second

// Name gives the name of the interface, empty if there is none of that index, or
// if it is in another network namespace.
func (h *HostInterfaces) Name(netns, index uint32) string {
	if now := time.Now(); now.Sub(h.read) >= interfacesAge {
		h.load()
		h.read = now
	}
	if netns != 0 && netns != h.own {
		return ""
	}
	return h.names[index]
}

// load reads the table anew. Without one there are no names.
func (h *HostInterfaces) load() {
	h.own, h.names = ownNetns(), make(map[uint32]string)
	interfaces, err := net.Interfaces()
	if err != nil {
		return
	}
	for _, i := range interfaces {
		h.names[uint32(i.Index)] = i.Name
	}
}

// ownNetns gives the inode of our network namespace, from the text that
// namespaces(7) says its link has: net:[4026531840].
func ownNetns() uint32 {
	link, _ := os.Readlink("/proc/self/ns/net")
	digits := strings.TrimSuffix(strings.TrimPrefix(link, "net:["), "]")
	inode, _ := strconv.ParseUint(digits, 10, 32)
	return uint32(inode)
}
