package diagnose

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
)

// A Sender is who on this host sends the packets of a finding. The zero Sender is not known.
type Sender struct {
	Netns   event.Netns   // the only one that has the source address, or of several the only one with such a socket
	Process event.Process // that has the only socket with the source address and port; zero if none is known
	OneOf   []event.Netns // those that have the source address, where none of them alone is Netns
}

// A senderAnswer is where the socket of a sender is, or where it may be: in a network namespace of several.
type senderAnswer struct {
	Netns  uint32         `json:"netns,omitempty"` // inode
	Name   string         `json:"name,omitempty"`  // of it
	Inode  uint64         `json:"inode,omitempty"` // of the socket, 0 if it is not known
	Others []senderAnswer `json:"others,omitempty"`
}

func (a *senderAnswer) netns() event.Netns { return event.Netns{Inode: a.Netns, Name: a.Name} }

// findSenders finds who sends what no socket accepts, what belongs to no connection, or what goes in a circle, of the
// flow with the most drops: the packets may come from this host, as from a container.
func (d *Diagnosis) findSenders(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		first, protocol := f.largest()
		if first == nil || !f.is(knowledge.Stray) && !f.ttlExpired() && !f.mayBe(knowledge.Listens|protocol.evidence) {
			continue
		}
		a := h.sender(f.Netns.Inode, protocol.name, first.Src, first.Dst)
		switch {
		case a.Netns == 0:
			continue
		case len(a.Others) == 0:
			f.Sender.Netns = a.netns()
		default:
			f.Sender.OneOf = append(f.Sender.OneOf, a.netns())
			for i := range a.Others {
				f.Sender.OneOf = append(f.Sender.OneOf, a.Others[i].netns())
			}
		}
		if a.Inode != 0 {
			f.Sender.Process = h.ownerOf(a.Inode).Process
		}
	}
}

// sender is where a packet that came to a network namespace was sent: in the one that has the address, of several the
// only one with a socket that sends such packets, or one of them. Namespaces without a process are left out.
func (h *Host) sender(netns uint32, protocol string, src, dst netip.AddrPort) senderAnswer {
	return ask(h, fmt.Sprintf("sender %d %s %v %v", netns, protocol, src, dst), func() senderAnswer {
		var all, sending []senderAnswer
		namespaces := h.liveNamespaces()
		for _, inode := range slices.Sorted(maps.Keys(namespaces)) {
			n := namespaces[inode]
			isLocal := src.Addr().IsLoopback() || src.Addr().IsLinkLocalUnicast() // which every namespace may have
			if n.PID == 0 || isLocal && inode != netns || !h.live.Addresses(n.PID).Has(src.Addr().As16()) {
				continue
			}
			one := senderAnswer{Netns: inode, Name: n.Name, Inode: h.socketOf(n.PID, protocol, src, dst)}
			if all = append(all, one); one.Inode != 0 {
				sending = append(sending, one)
			}
		}
		switch {
		case len(sending) == 1:
			return sending[0]
		case len(all) == 0:
			return senderAnswer{}
		case len(all) == 1:
			return all[0]
		}
		return senderAnswer{Netns: all[0].Netns, Name: all[0].Name, Others: all[1:]}
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

// sender says who on this host sends the packets: "ntpd/42 in network namespace blue of this host".
func (f *Finding) sender() string {
	s := &f.Sender
	if s.Netns.Inode == 0 {
		return s.oneOf()
	}
	text := describeNetns(s.Netns, event.Process{}) + " of this host"
	if s.Process.PID == 0 {
		return text
	}
	return string(s.Process.AppendTo(nil)) + " in " + text
}

// oneOf says which network namespaces may send them, nothing if none is known.
func (s *Sender) oneOf() string {
	if len(s.OneOf) == 0 {
		return ""
	}
	var names []string
	for _, n := range s.OneOf[:min(len(s.OneOf), maxNamed)] {
		names = append(names, strings.TrimPrefix(describeNetns(n, event.Process{}), "network namespace "))
	}
	if more := len(s.OneOf) - maxNamed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return "one of the network namespaces " + strings.Join(names, ", ") + " of this host"
}

// senderJSON is who on this host sends the packets.
type senderJSON struct {
	netnsJSON
	Process *processJSON `json:"process,omitempty"`
	OneOf   []senderJSON `json:"one_of,omitempty"` // network namespaces that have the source address
}

// json is nil if no sender is known.
func (s *Sender) json() *senderJSON {
	if s.Netns.Inode == 0 && s.OneOf == nil {
		return nil
	}
	j := &senderJSON{netnsJSON: netnsJSONOf(s.Netns, event.Process{}), Process: inNetnsJSON(s.Process)}
	for _, n := range s.OneOf {
		j.OneOf = append(j.OneOf, senderJSON{netnsJSON: netnsJSONOf(n, event.Process{})})
	}
	return j
}
