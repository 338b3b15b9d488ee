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
