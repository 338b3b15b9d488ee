package diagnose_test

import (
	"net/netip"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// sending is a connection of blue to a peer, from a port, which has sent so many segments, of which some had arrived.
func sending(peer string, port uint16, sent, arrived uint64) counters.Connection {
	return counters.Connection{
		Netns: blue, Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port),
		Remote: netip.AddrPortFrom(netip.MustParseAddr(peer), 443), Sent: sent, Arrived: arrived,
	}
}

// TestPercentOfPeer: what was sent again is a part of what was sent to the peer meanwhile, by connections that were there
// before, are new, have ended, or have the addresses of one that was there before.
func TestPercentOfPeer(t *testing.T) {
	here, drop := refused(10)
	ended := again(5, "10.0.0.3", event.Segment{Fate: event.NotLostHere, Sent: 140})
	c := collect(t, here, drop, again(20, "", event.Segment{Fate: event.NotLostHere}), ended,
		again(4, "10.0.0.4", event.Segment{Fate: event.NotLostHere}))
	c.AddConnections(
		[]counters.Connection{sending("10.0.0.2", 1, 1000, 7), sending("10.0.0.2", 2, 5000, 50), sending("10.0.0.3", 40000, 40, 0)},
		[]counters.Connection{
			sending("10.0.0.2", 1, 1400, 9), sending("10.0.0.2", 2, 100, 1), sending("10.0.0.2", 3, 500, 0), sending("10.0.0.4", 1, 3, 0),
		},
	)
	d := diagnose.New(c, tcp(950, 39), nil)
	contains(t, textOf(t, d),
		"peers 10.0.0.2 20; with 10 lost here 3.00 % of 1000 sent; 3 had arrived 10.0.0.3 5, 5.00 % of 100 sent 10.0.0.4 4 counters",
		"29 segments sent again, 2.96 % of 979 sent", "lost here 10 more, by drops of finding 2 (NETFILTER_DROP)")
	contains(t, jsonOf(t, d), `{"peer":"10.0.0.2","beyond":20,"here":10,"spurious":3,"sent":1000,"percent":3}`,
		`{"peer":"10.0.0.3","beyond":5,"sent":100,"percent":5}`)
}

// TestPercentOfSelected: what an expression selects is a part of what was sent to these peers, not of all.
func TestPercentOfSelected(t *testing.T) {
	c := collect(t, again(20, "", event.Segment{Fate: event.NotLostHere}))
	c.AddConnections(nil, []counters.Connection{sending("10.0.0.2", 1, 400, 6)})
	d := diagnose.New(c, tcp(100_000, 5000), func(*counters.Row) condition.Truth { return condition.Unknown })
	contains(t, textOf(t, d), "retransmissions 20 segments sent again, 5.00 % of 400 sent",
		"spurious 6 that this host sent again had arrived (TCPDSACKRecv)", "peers 10.0.0.2 20, 5.00 % of 400 sent; 6 had arrived")
}
