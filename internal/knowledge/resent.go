package knowledge

import "dropwatch/internal/event"

// resent are what was sent again: of connections that are open, and of handshakes alone.
var resent = Entry{
	Name: "retransmissions", Kind: Counter, Layer: Transport, Module: "tcp", Class: Error, Severity: Maybe, Unit: Segments,
	Short: "segments sent again",
	Cause: "TCP sent segments again that were not acknowledged in time, and this host is not known to have dropped them.",
	Usual: []string{"loss on the path to the peer", "loss or delay of the acknowledgments", "a peer that is overloaded"},
	Check: []string{
		"ss -nti dst {addr}  # retrans: now and in all, rtt",
		"dropwatch retrans host {addr}",
		"tracepath -n {addr}",
	},
	Fix: "Check the path to these peers and the peers, not this host. A few per mille over the Internet are normal; in one data centre " +
		"there should be nearly none.",
	Cases: []Case{{
		Cause: "SYNs, or the answers to them, were sent again: the peers did not answer, and this host is not known to have dropped them.",
		Check: []string{"ping -c 3 {addr}", "tcpdump -ni any host {addr} and tcp", "tracepath -n {addr}"},
		Fix:   "Check that the peers are up, and that no firewall on the path drops SYNs or the answers.",
	}, {
		Cause: "TCP sent segments again that were not acknowledged in time: this host itself dropped some of them, or all.",
		Check: []string{
			"dropwatch retrans host {addr}  # lost here: where and why",
			"dropwatch diagnose  # without an expression: what dropped them",
		},
		Fix: "Find what drops them with these commands.",
	}},
}

// Resent explains segments that TCP sent again without a drop of this host that explains it, with commands for the
// destination of the event. Handshakes says that all of them open a connection, here that this host dropped some, by
// drops that are not shown.
func Resent(e *event.Event, handshakes, here bool) Explanation {
	c := new(Case)
	switch {
	case here:
		c = &resent.Cases[1]
	case handshakes:
		c = &resent.Cases[0]
	}
	x := resent.withCase(c)
	if here {
		x.Usual = nil
	}
	x.fill(e)
	return x
}
