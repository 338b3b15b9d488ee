package diagnose

import (
	"fmt"
	"net"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// maxSearched is how many network namespaces are searched for the other end of a veth.
const maxSearched = 256

// A pairAnswer is both ends of a veth; zero ones are not known.
type pairAnswer struct {
	Own   counters.Veth `json:"own"`
	Peer  counters.Veth `json:"peer"`
	Netns uint32        `json:"netns,omitempty"` // of the peer, 0 if it is not known
	Name  string        `json:"name,omitempty"`  // of that namespace, empty if it has none
}

// findPeers narrows findings of packets that one end of a veth did not hand to the other, by what that is now: down, or
// with an MTU that is too small for them.
func (d *Diagnosis) findPeers(h *Host) {
	for i := range d.Findings {
		if f := &d.Findings[i]; f.IfName != "" && len(f.Namespaces) == 0 && f.mayBe(knowledge.PeerMTU) {
			f.narrowByPeer(h.pair(f.Netns.Inode, f.IfName))
		}
	}
}

// overhead is how much longer than the MTU a frame may be: an Ethernet header and a VLAN tag (net/core/dev.c
// is_skb_forwardable, include/linux/netdevice.h __is_skb_forwardable).
const overhead = 14 + 4

// narrowByPeer gives the finding the cause that the other end shows. Its commands are for that one, in its network namespace.
func (f *Finding) narrowByPeer(p pairAnswer) {
	e := &event.Event{Netns: event.Netns{Inode: p.Netns, Name: p.Name}, Port: event.Port{IfName: p.Peer.IfName}}
	where := event.Quote(p.Peer.IfName)
	switch in := describeNetns(e.Netns, event.Process{}); {
	case in == "":
		where += " in another network namespace"
	case p.Netns != f.Netns.Inode:
		where += " in " + in
	}
	switch {
	case p.Peer.IfName == "":
	case !p.Peer.Up:
		f.Meaning = f.Meaning.With(knowledge.PeerDown, e)
		f.Evidence = append(f.Evidence, where+", the other end of "+event.Quote(f.IfName)+", is down")
	case f.lengths.least > p.Peer.MTU+overhead:
		m := f.Meaning.With(knowledge.PeerMTU, e)
		if knowledge.IsWord(p.Peer.IfName) {
			m = m.WithFix(e, m.Check[0], m.Fix, fmt.Sprintf("ip link set dev %s mtu %d", p.Peer.IfName, max(p.Own.MTU, p.Peer.MTU)))
		}
		f.Meaning = m
		f.Evidence = append(f.Evidence, fmt.Sprintf("frames of %v; the MTU of %s is %d (frames of %d bytes), that of %s %d",
			f.lengths, where, p.Peer.MTU, p.Peer.MTU+overhead, event.Quote(f.IfName), p.Own.MTU))
	}
}

// pair is both ends of a veth, with the network namespace of the second if it can be found.
func (h *Host) pair(netns uint32, ifname string) pairAnswer {
	return ask(h, fmt.Sprintf("veth %d %s", netns, ifname), func() (a pairAnswer) {
		err := h.within(netns, func() (err error) {
			a.Own, a.Peer, err = counters.ReadPair(ifname)
			return err
		})
		if err != nil || a.Peer.IfName == "" {
			return pairAnswer{}
		}
		a.Netns, a.Name = h.namespaceOf(a.Peer)
		return a
	})
}

// namespaceOf is the network namespace of a veth on a running host, by its name and MAC address: zero if none is found, or
// they are too many to be searched.
func (h *Host) namespaceOf(v counters.Veth) (inode uint32, name string) {
	namespaces := h.liveNamespaces()
	if len(namespaces) > maxSearched {
		return 0, ""
	}
	for inode, n := range namespaces {
		is := false
		_ = h.within(inode, func() error {
			device, err := net.InterfaceByName(v.IfName)
			is = err == nil && device.HardwareAddr.String() == v.MAC
			return err
		})
		if is {
			return inode, n.Name
		}
	}
	return 0, ""
}
