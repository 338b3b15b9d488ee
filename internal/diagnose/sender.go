package diagnose

import (
	"fmt"
	"net/netip"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
)

// A Sender is who on this host sends the packets of a finding. The zero Sender is not known.
type Sender struct {
	Netns   event.Netns   // the only one that has the source address
	Process event.Process // that has the only socket with the source address and port; zero if none is known
}

// A senderAnswer is where the socket of a sender is.
type senderAnswer struct {
	Netns uint32 `json:"netns,omitempty"` // inode
	Name  string `json:"name,omitempty"`  // of it
	Inode uint64 `json:"inode,omitempty"` // of the socket, 0 if it is not known
}

// findSenders finds who sends what no socket accepts, or what belongs to no connection, of the flow with the
// most drops: the packets may come from this host, as from a container.
func (d *Diagnosis) findSenders(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		first, protocol := f.largest()
		if first == nil || !f.is(knowledge.Stray) && !f.mayBe(knowledge.Listens|protocol.evidence) {
			continue
		}
		a := h.sender(f.Netns.Inode, protocol.name, first.Src, first.Dst)
		if a.Netns == 0 {
			continue
		}
		f.Sender.Netns = event.Netns{Inode: a.Netns, Name: a.Name}
		if a.Inode != 0 {
			f.Sender.Process = h.ownerOf(a.Inode).Process
		}
	}
}

// sender is where a packet that came to a network namespace was sent. Nothing is known if no
// namespace has the address, or several do, or none that has a process.
func (h *Host) sender(netns uint32, protocol string, src, dst netip.AddrPort) senderAnswer {
	return ask(h, fmt.Sprintf("sender %d %s %v %v", netns, protocol, src, dst), func() (a senderAnswer) {
		for inode, n := range h.liveNamespaces() {
			isLocal := src.Addr().IsLoopback() || src.Addr().IsLinkLocalUnicast() // which every namespace may have
			if n.PID == 0 || isLocal && inode != netns || !h.live.Addresses(n.PID).Has(src.Addr().As16()) {
				continue
			}
			if a.Netns != 0 {
				return senderAnswer{}
			}
			a = senderAnswer{inode, n.Name, h.socketOf(n.PID, protocol, src, dst)}
		}
		return a
	})
}

// socketOf is the inode number of the only socket that sends from src to dst, in the network namespace
// of a process; 0 if there is none, or several.
func (h *Host) socketOf(pid uint32, protocol string, src, dst netip.AddrPort) (inode uint64) {
	n := 0
	for _, table := range []host.SocketTable{{Name: protocol}, {Name: protocol + "6", IPv6: true}} {
		h.live.EachSocket(pid, table, func(s host.Socket) {
			reaches := table.IPv6 || src.Addr().Unmap().Is4()
			if reaches && s.Inode != 0 && s.Local.Port == src.Port() && isFor(s.Local, src) && isFor(s.Remote, dst) {
				inode = s.Inode
				n++
			}
		})
	}
	if n != 1 {
		return 0
	}
	return inode
}

// isFor reports whether the side of a socket is an address and port, or any.
func isFor(e host.Endpoint, a netip.AddrPort) bool {
	addr := netip.AddrFrom16(e.Addr).Unmap()
	return (addr.IsUnspecified() || addr == a.Addr().Unmap()) && (e.Port == 0 || e.Port == a.Port())
}

// sender says who on this host sends the packets.
func (f *Finding) sender() string {
	s := &f.Sender
	if s.Netns.Inode == 0 {
		return ""
	}
	text := describeNetns(s.Netns, event.Process{}) + " of this host"
	if s.Process.PID == 0 {
		return text
	}
	return string(s.Process.AppendTo(nil)) + " in " + text
}
