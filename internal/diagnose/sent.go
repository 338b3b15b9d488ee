package diagnose

import (
	"net/netip"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
)

// maxSenders bounds of how many connections a Collector keeps what they have sent.
const maxSenders = 1 << 12

// A sender is a connection of a network namespace.
type sender struct {
	netns         uint32
	local, remote netip.AddrPort
}

// A peerKey is a peer of connections in a network namespace.
type peerKey struct {
	netns uint32
	peer  netip.Addr
}

// A sentTo is what was sent to a peer.
type sentTo struct {
	segments uint64 // also those sent again
	arrived  uint64 // of these, those that had arrived before, as the peer says
}

// keepSent keeps what the connection of a segment that is sent again has sent, for when that ends before
// [Collector.AddConnections] is called.
func (c *Collector) keepSent(e *event.Event) {
	f := e.Packet.Flow
	if e.Segment.Sent == 0 || e.Segment.Direction != event.Outgoing {
		return
	}
	id := sender{e.Netns.Inode, netip.AddrPortFrom(f.Src, f.SrcPort), netip.AddrPortFrom(f.Dst, f.DstPort)}
	if c.senders == nil {
		c.senders = make(map[sender]uint64)
	}
	if _, known := c.senders[id]; known || len(c.senders) < maxSenders {
		c.senders[id] = uint64(e.Segment.Sent)
	}
}

// AddConnections adds what the TCP connections of the host have sent between two readings. Of connections that
// ended in between it is known if they sent again.
func (c *Collector) AddConnections(before, after []counters.Connection) {
	begin := make(map[sender]counters.Connection, len(before))
	for _, b := range before {
		begin[senderOf(&b)] = b
	}
	c.sent = make(map[peerKey]sentTo)
	there := make(map[sender]bool, len(after))
	for _, a := range after {
		id := senderOf(&a)
		there[id] = true
		c.addSent(id, a.Sent, a.Arrived, begin[id])
	}
	for id, sent := range c.senders {
		if !there[id] {
			c.addSent(id, sent, 0, begin[id])
		}
	}
}

// addSent adds what a connection has sent since the first reading.
func (c *Collector) addSent(id sender, sent, arrived uint64, begin counters.Connection) {
	if begin.Sent > sent { // another connection had these addresses
		begin = counters.Connection{}
	}
	key := peerKey{id.netns, id.remote.Addr()}
	to := c.sent[key]
	to.segments += sent - begin.Sent
	to.arrived += arrived - min(arrived, begin.Arrived)
	c.sent[key] = to
}

func senderOf(c *counters.Connection) sender { return sender{c.Netns.Inode, c.Local, c.Remote} }
