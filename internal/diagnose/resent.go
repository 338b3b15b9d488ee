package diagnose

import (
	"net/netip"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// maxResent bounds what a Collector keeps of segments that were sent again: by peer and what became of them.
const maxResent = 1024

// A resentKey distinguishes segments that TCP sent again.
type resentKey struct {
	netns     uint32
	peer      netip.Addr // not valid: of those for which there was no room
	incoming  bool       // the peer sent them again, and they had arrived
	handshake bool       // they open a connection
	local     bool       // their sender and their receiver have the same address
	fate      event.Fate
	doubt     string // why the fate is not known
	by        lossAt // where this host dropped them; zero: it did not
}

// A lossAt is where and why this host dropped a segment that was sent again.
type lossAt struct {
	reason, location, ifname string
	netns                    uint32
}

// addResent counts segments that were sent again.
func (c *Collector) addResent(e *event.Event) {
	if e.Segment == nil || e.Packet.Flow == nil {
		return
	}
	if c.resent == nil {
		c.resent = tally.New[resentKey, event.Netns](maxResent, func(k resentKey) resentKey {
			return resentKey{incoming: k.incoming, fate: k.fate}
		})
	}
	c.keepSent(e)
	if e.Segment.Direction == event.Outgoing && e.Segment.Fate != event.LostHere { // the drop is one of the flow, too
		c.follow(e, max(e.Segments, e.Count))
	}
	entry, _ := c.resent.Add(resentKeyOf(e), max(e.Segments, e.Count))
	if entry.Value.Name == "" {
		entry.Value = e.Netns
	}
}

// resentKeyOf distinguishes what TCP sent again by the peer, whoever sent it, and by what became of the segment before.
func resentKeyOf(e *event.Event) resentKey {
	s := e.Segment
	k := resentKey{
		netns: e.Netns.Inode, peer: e.Packet.Flow.Dst, incoming: s.Direction == event.Incoming, fate: s.Fate, doubt: s.Doubt,
		handshake: s.Type == event.SYNRetransmit || s.Type == event.SYNACKRetransmit,
		local:     e.Packet.Flow.Src == e.Packet.Flow.Dst,
	}
	if k.incoming {
		k.peer = e.Packet.Flow.Src
	}
	if drop, ok := e.Dropped(); ok {
		k.by = lossOf(&drop)
	}
	return k
}

// lossOf returns where a segment was dropped.
func lossOf(drop *event.Event) lossAt {
	return lossAt{drop.Reason, locationOf(drop), drop.Port.IfName, drop.Netns.Inode}
}
