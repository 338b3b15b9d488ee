package counters

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"
)

// TestTunnelDevices: a tunnel sends by the interface that it names, or else by that of the route to
// its remote end, with the headers of its kind; one whose lower interface is in another network
// namespace has none here.
func TestTunnelDevices(t *testing.T) {
	tunnel := func(kind string, lower uint32, elsewhere bool, typ uint16, remote string) link {
		message := make([]byte, sizeofIfInfomsg)
		binary.NativeEndian.PutUint32(message[4:8], 7)
		l, err := parseLink(append(message, attributes(t, func(e *netlink.AttributeEncoder) {
			e.String(iflaIfname, "tunnel")
			e.Uint32(iflaMTU, 1450)
			e.Uint32(iflaLink, lower)
			if elsewhere {
				e.Uint32(iflaLinkNetns, 0)
			}
			e.Nested(iflaLinkinfo, func(info *netlink.AttributeEncoder) error {
				info.String(infoKind, kind)
				info.Nested(infoData, func(data *netlink.AttributeEncoder) error {
					data.Bytes(typ, netip.MustParseAddr(remote).AsSlice())
					return nil
				})
				return nil
			})
		})...))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, test := range []struct {
		tunnel link
		lower  string
		inside uint32
	}{
		{tunnel("vxlan", 2, false, 2, "10.0.0.2"), "eth0", 50},
		{tunnel("vxlan", 0, false, 2, "10.0.0.2"), "eth1", 50},
		{tunnel("vxlan", 0, false, 16, "fd00::2"), "eth1", 70},
		{tunnel("vxlan", 0, false, 2, "0.0.0.0"), "", 50},
		{tunnel("geneve", 0, false, 7, "fd00::2"), "eth1", 70},
		{tunnel("gre", 0, false, 7, "10.0.0.2"), "eth1", 24},
		{tunnel("gre", 2, true, 7, "10.0.0.2"), "", 24},
		{tunnel("ip6tnl", 0, false, 3, "fd00::2"), "eth1", 40},
		{tunnel("ipip", 0, false, 3, "10.0.0.9"), "", 20}, // its route is into itself
		{tunnel("veth", 2, false, 1, "10.0.0.2"), "", 0},
	} {
		all := devicesOf([]link{{index: 2, name: "eth0"}, {index: 3, name: "eth1"}, test.tunnel}, func(to netip.Addr) uint32 {
			if to == netip.MustParseAddr("10.0.0.9") {
				return 7
			}
			return 3
		})
		if d := all[len(all)-1]; d.Lower != test.lower || d.Inside != test.inside || d.MTU != 1450 || d.Kind != test.tunnel.kind {
			t.Errorf("%+v, want below it %q and headers of %d", d, test.lower, test.inside)
		}
	}
}
