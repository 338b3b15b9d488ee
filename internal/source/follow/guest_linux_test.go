package follow

import (
	"testing"

	"dropwatch/internal/flows"
)

// TestGuestAsHere repeats the tests where BPF can attach to functions: what is delivered is known.
func TestGuestAsHere(t *testing.T) {
	c := need(t, "udp")
	if c.refused != nil {
		t.Fatalf("%+v", c.refused)
	}
	t.Run("loopback", TestLoopback)
	t.Run("forwarded", TestForwarded)
	t.Run("not forwarded", TestNotForwarded)
	t.Run("waiting", TestWaiting)
	t.Run("bridge", TestBridge)
	t.Run("undecided", TestUndecided)
	t.Run("segments", TestSegments)
	t.Run("stop", TestStop)
	t.Run("largest", TestLargest)
}

// TestGuestVLAN: what a VLAN interface sends is sent by the one below it, and is forwarded once.
func TestGuestVLAN(t *testing.T) {
	const n = 50
	p := newPath(t)
	p.router.Batch("link add link s name s.5 type vlan id 5\naddr del 10.2.0.1/24 dev s\naddr add 10.2.0.1/24 dev s.5\nlink set s.5 up")
	p.server.Batch(`addr del 10.2.0.2/24 dev far
		link add link far name far.5 type vlan id 5
		addr add 10.2.0.2/24 dev far.5
		link set far.5 up
		route add default via 10.2.0.1`)
	p.meet()
	c := p.send(t, n)
	check(t, c, p.router, "c", numbers{flows.Received: n, flows.Forwarded: n})
	check(t, c, p.router, "s.5", numbers{flows.SentDown: n})
	check(t, c, p.router, "s", numbers{flows.SentOn: n})
	check(t, c, p.server, "far", numbers{flows.Received: n})
	check(t, c, p.server, "far.5", numbers{flows.Delivered: n})
}

// TestGuestIFB: what tc sends through an ifb device comes back to the interface that received it.
func TestGuestIFB(t *testing.T) {
	const n = 50
	p := newPath(t)
	p.router.Batch("link add ifb0 type ifb\nlink set ifb0 up")
	p.router.Run("tc", "qdisc", "add", "dev", "c", "ingress")
	p.router.Run("tc", "filter", "add", "dev", "c", "parent", "ffff:", "matchall", "action", "mirred", "egress", "redirect", "dev", "ifb0")
	p.meet()
	c := p.send(t, n)
	check(t, c, p.router, "c", numbers{flows.Received: n, flows.HandedUp: n, flows.Forwarded: n})
	check(t, c, p.router, "ifb0", numbers{flows.SentDown: n})
	check(t, c, p.router, "s", numbers{flows.SentOn: n})
}

// TestGuestBond: a bond sends by one of its members, and takes over what they receive.
func TestGuestBond(t *testing.T) {
	const n = 50
	p := newPath(t)
	p.router.Batch(`addr del 10.2.0.1/24 dev s
		link add bond0 type bond mode active-backup miimon 100
		link set s down
		link set s master bond0
		link set bond0 up
		addr add 10.2.0.1/24 dev bond0`)
	p.meet()
	c := p.send(t, n)
	check(t, c, p.router, "c", numbers{flows.Received: n, flows.Forwarded: n})
	check(t, c, p.router, "bond0", numbers{flows.SentDown: n})
	check(t, c, p.router, "s", numbers{flows.SentOn: n})
}
