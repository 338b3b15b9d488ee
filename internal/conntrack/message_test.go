package conntrack

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"
)

// TestTuples: what is asked for is what an answer has, and the tuple of an answer is the inverse.
func TestTuples(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for name, test := range map[string]struct {
		tuple     Tuple
		trackable bool
	}{
		"UDP":               {Tuple{Protocol: 17, Src: netip.AddrPortFrom(v4, 9), Dst: netip.AddrPortFrom(v4.Next(), 7)}, true},
		"TCP of IPv6":       {Tuple{Protocol: 6, Src: netip.AddrPortFrom(v6, 9), Dst: netip.AddrPortFrom(v6.Next(), 7)}, true},
		"a later fragment":  {Tuple{Protocol: 17, Src: netip.AddrPortFrom(v4, 0), Dst: netip.AddrPortFrom(v4.Next(), 0)}, false},
		"ping":              {Tuple{1, netip.AddrPortFrom(v4, 0), netip.AddrPortFrom(v4.Next(), 0), Echo{7, 8, 0}}, true},
		"ping of IPv6":      {Tuple{58, netip.AddrPortFrom(v6, 0), netip.AddrPortFrom(v6.Next(), 0), Echo{7, 129, 0}}, true},
		"an ICMP error":     {Tuple{1, netip.AddrPortFrom(v4, 0), netip.AddrPortFrom(v4.Next(), 0), Echo{0, 3, 4}}, false},
		"another protocol":  {Tuple{Protocol: 47, Src: netip.AddrPortFrom(v4, 0), Dst: netip.AddrPortFrom(v4.Next(), 0)}, false},
		"what is not known": {Tuple{}, false},
	} {
		if test.tuple.Trackable() != test.trackable {
			t.Errorf("%s: trackable is not %t", name, test.trackable)
		}
		if !test.trackable {
			continue
		}
		body, err := request(&test.tuple)
		c, failed := parse(body)
		if err != nil || failed != nil || c.orig != test.tuple {
			t.Errorf("%s: %v, %v, %v; want %v", name, c.orig, err, failed, test.tuple)
		}
		inverse := test.tuple.inverse()
		if inverse == test.tuple || inverse.inverse() != test.tuple {
			t.Errorf("%s: the inverse is %v", name, inverse)
		}
	}
}

// entryOf makes a message about a connection of a protocol.
func entryOf(t testing.TB, protocol uint8, status uint32, info uint16, state byte) []byte {
	t.Helper()
	body, err := request(&Tuple{
		Protocol: protocol, Src: netip.MustParseAddrPort("192.0.2.1:4000"), Dst: netip.MustParseAddrPort("192.0.2.2:80"),
	})
	if err != nil {
		t.Fatal(err)
	}
	a := netlink.NewAttributeEncoder()
	a.ByteOrder = binary.BigEndian
	a.Uint32(ctaStatus, status)
	a.Uint16(ctaZone, 5)
	a.Nested(ctaProtoinfo, func(a *netlink.AttributeEncoder) error {
		a.Nested(info, func(a *netlink.AttributeEncoder) error {
			a.Uint8(ctaProtoState, state)
			return nil
		})
		return nil
	})
	more, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return append(body, more...)
}

// TestStates: those of the protocol, or whether an answer was seen.
func TestStates(t *testing.T) {
	for want, message := range map[string][]byte{
		"ESTABLISHED, zone 5":   entryOf(t, 6, 0, 1, 3),
		"SYN_SENT2, zone 5":     entryOf(t, 6, 0, 1, 9),
		"SHUTDOWN_SENT, zone 5": entryOf(t, sctp, 0, 3, 5),
		"UNREPLIED, zone 5":     entryOf(t, 17, 0, 1, 3),
	} {
		c, err := parse(message)
		if got := c.entry().String(); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	if c, err := parse(entryOf(t, 17, seenReply, 0, 0)); err != nil || c.entry().State != "ESTABLISHED" {
		t.Errorf("answered: %v, %v", c.entry(), err)
	}
	if c, err := parse(entryOf(t, 6, 0, 1, 99)); err != nil || c.entry().State != "UNREPLIED" {
		t.Errorf("a state of a later kernel: %v, %v", c.entry(), err)
	}
	if _, err := parse(make([]byte, sizeofNfgenmsg-1)); err == nil {
		t.Error("a message without a header is no error")
	}
}

// FuzzParse: no message makes it fail.
func FuzzParse(f *testing.F) {
	f.Add(entryOf(f, 6, sourceNAT|destNAT, 1, 3))
	f.Fuzz(func(t *testing.T, message []byte) {
		if c, err := parse(message); err == nil && c.entry().State == "" {
			t.Error("an entry without a state")
		}
	})
}
