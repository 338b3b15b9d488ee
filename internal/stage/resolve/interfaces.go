package resolve

import (
	"net"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
)

// Interfaces returns the stage that sets the name of the interface where the source gave
// only its index. Name gets the inode of the event's network namespace, 0 if it is not known,
// and returns the empty string for an index that it does not know.
func Interfaces(name func(netns, index uint32) string) pipeline.Stage {
	return func(e *event.Event) bool {
		if p := &e.Port; p.IfIndex != 0 && p.IfName == "" {
			p.IfName = name(e.Netns.Inode, p.IfIndex)
		}
		return true
	}
}

// HostInterfaces has the names of the interfaces in the network namespace of this process.
// Each namespace numbers its interfaces independently: where the namespace of an event is not
// known, only the loopback interface gets a name, unless the host has no other namespace. It
// is not safe for concurrent use.
type HostInterfaces struct {
	host    *host.Host
	own     uint32            // inode of this namespace; 0 if it is not known
	names   map[uint32]string // by index
	read    time.Time         // when names were read
	only    bool              // the host has no other namespace
	recheck time.Time         // when to find that out again
}

// NewHostInterfaces returns those of the running host.
func NewHostInterfaces(h *host.Host) *HostInterfaces { return &HostInterfaces{host: h} }

// interfacesTTL is how long the names are used before they are read again, by a dump of all
// interfaces (RTM_GETLINK). Whether there are other namespaces is found out as often, but
// more seldom if that takes more than a hundredth of the time.
const (
	interfacesTTL = time.Second
	checkCost     = 100
)

// The loopback interface has the same index in every namespace (LOOPBACK_IFINDEX,
// include/net/net_namespace.h), and the kernel gives it this name.
const (
	loopbackIndex = 1
	loopbackName  = "lo"
)

// Name returns the name of the interface, empty if it is not known: there is none of
// that index, it is in another network namespace, or it may be.
func (i *HostInterfaces) Name(netns, index uint32) string {
	if now := time.Now(); now.Sub(i.read) >= interfacesTTL {
		i.load()
		i.read = now
	}
	switch {
	case netns == i.own && netns != 0, netns == 0 && i.isOnly():
		return i.names[index]
	case netns == 0 && index == loopbackIndex:
		return loopbackName
	}
	return ""
}

// isOnly reports whether the host had no other network namespace at the last check.
func (i *HostInterfaces) isOnly() bool {
	if now := time.Now(); !now.Before(i.recheck) {
		i.only = i.host.OnlyNetns()
		i.recheck = now.Add(max(interfacesTTL, checkCost*time.Since(now)))
	}
	return i.only
}

// load reads the names again. If that fails, no interface has a name.
func (i *HostInterfaces) load() {
	i.own, i.names = i.host.Netns(), make(map[uint32]string)
	interfaces, err := net.Interfaces()
	if err != nil {
		return
	}
	for _, each := range interfaces {
		i.names[uint32(each.Index)] = each.Name
	}
}
