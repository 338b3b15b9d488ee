package diagnose

import (
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// ofFunction is a finding of drops by a function without a reason, on an interface of the namespace blue.
func ofFunction(symbol, ifname string) *Finding {
	e := &event.Event{Kind: event.Drop, Count: 1, Reason: event.NotSpecified, Port: event.Port{IfName: ifname}}
	e.Where = event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: symbol}}
	x, _ := knowledge.Of(e)
	return &Finding{Meaning: x, IfName: ifname, Netns: event.Netns{Inode: 7, Name: "blue"}}
}

// TestPorts: the ports where frames arrived and behind which their destination is choose the cause and the port to change, if
// they do so for all destinations.
func TestPorts(t *testing.T) {
	p1, p2 := counters.Port{IfName: "p1", Isolated: true}, counters.Port{IfName: "p2", Isolated: true}
	open, blocked := counters.Port{IfName: "p3"}, counters.Port{IfName: "p4", State: "blocking"}
	for name, test := range map[string]struct {
		ports []portsAnswer
		cause string
		fix   string
	}{
		"isolated": {
			[]portsAnswer{{p1, p2}, {p1, p2}}, "sends nothing between them", "ip netns exec blue bridge link set dev p2 isolated off",
		},
		"hairpin": {[]portsAnswer{{p1, p1}}, "and hairpin is off.", "ip netns exec blue bridge link set dev p1 hairpin on"},
		"blocked": {[]portsAnswer{{p1, blocked}}, "does not forward", ""},
		"one of two isolated": {
			[]portsAnswer{{p1, open}}, "or the port's state", "bridge link set dev p1 hairpin on",
		},
		"several causes": {
			[]portsAnswer{{p1, p2}, {p1, p1}}, "or the port's state", "bridge link set dev p1 hairpin on",
		},
		"an unknown destination": {
			[]portsAnswer{{p1, counters.Port{}}}, "or the port's state", "bridge link set dev p1 hairpin on",
		},
	} {
		f := ofFunction("br_handle_frame_finish", "p1")
		f.narrowByPorts(test.ports)
		m := &f.Meaning
		if !strings.Contains(m.Cause, test.cause) || strings.Join(m.Apply, "; ") != test.fix {
			t.Errorf("%s: %s %q", name, m.Cause, m.Apply)
		}
		if general := test.cause == "or the port's state"; general != (f.Evidence == nil) {
			t.Errorf("%s: evidence %q", name, f.Evidence)
		}
	}
}

// TestPeer: the other end of a veth is named with its MTU, its network namespace and the lengths of the frames, and the
// commands are for that end.
func TestPeer(t *testing.T) {
	own := counters.Veth{IfName: "va", MTU: 1500, Up: true}
	small, down := counters.Veth{IfName: "vb", MTU: 1000, Up: true}, counters.Veth{IfName: "vb", MTU: 1500}
	for name, test := range map[string]struct {
		pair     pairAnswer
		lengths  lengths
		cause    string
		evidence string
		fix      string
	}{
		"its MTU": {
			pairAnswer{own, small, 9, "green"}, lengths{1342, 1442}, "exceeds the MTU of the other end",
			"frames of 1342 to 1442 bytes; the MTU of vb in network namespace green is 1000 (frames of 1018 bytes), that of va 1500",
			"ip netns exec green ip link set dev vb mtu 1500",
		},
		"in the same namespace": {
			pairAnswer{own, small, 7, "blue"}, lengths{1342, 1342}, "exceeds the MTU of the other end",
			"frames of 1342 bytes; the MTU of vb is 1000 (frames of 1018 bytes), that of va 1500",
			"ip netns exec blue ip link set dev vb mtu 1500",
		},
		"down": {
			pairAnswer{own, down, 9, "green"}, lengths{60, 60}, "is down", "vb in network namespace green, the other end of va, is down",
			"ip netns exec green ip link set dev vb up",
		},
		"short frames": {pairAnswer{own, small, 9, "green"}, lengths{60, 1442}, "is down, or the packet", "", ""},
		"not known":    {pairAnswer{}, lengths{1342, 1442}, "is down, or the packet", "", ""},
	} {
		f := ofFunction("__dev_forward_skb2", "va")
		f.lengths = test.lengths
		f.narrowByPeer(test.pair)
		m := &f.Meaning
		if !strings.Contains(m.Cause, test.cause) || strings.Join(m.Apply, "; ") != test.fix {
			t.Errorf("%s: %s %q", name, m.Cause, m.Apply)
		}
		if strings.Join(f.Evidence, "; ") != test.evidence {
			t.Errorf("%s: evidence %q", name, f.Evidence)
		}
	}
}
