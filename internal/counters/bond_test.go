package counters

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"
)

// bondMember is the kernel's message about a member p0 of a bond (drivers/net/bonding/bond_netlink.c
// bond_fill_slave_info). Without LACP the bond has another mode.
func bondMember(t *testing.T, state, link uint8, lacp int) []byte {
	t.Helper()
	message := make([]byte, sizeofIfInfomsg)
	binary.NativeEndian.PutUint32(message[8:12], flagUp)
	return append(message, attributes(t, func(e *netlink.AttributeEncoder) {
		e.String(iflaIfname, "p0")
		e.Nested(iflaLinkinfo, func(info *netlink.AttributeEncoder) error {
			info.String(infoSlaveKind, "bond")
			info.Nested(infoSlaveData, func(data *netlink.AttributeEncoder) error {
				data.Uint8(portState, state)
				data.Uint8(bondLink, link)
				data.Uint32(bondFailures, 7)
				data.Bytes(4, []byte{2, 0, 0, 0, 0, 1}) // permanent address
				data.Uint16(5, 0)                       // queue
				if lacp >= 0 {
					data.Uint16(6, 1) // aggregator
					data.Uint8(bondLACP, uint8(lacp))
					data.Uint16(8, 0x3f) // the partner's states
				}
				return nil
			})
			return nil
		})
	})...)
}

// TestBondMember: a member whose link is down, or that LACP does not use, is a level at its limit.
func TestBondMember(t *testing.T) {
	const noLACP = -1
	for _, test := range []struct {
		name        string
		state, link uint8
		lacp        int
		want, about string
	}{
		{"up", 0, 0, noLACP, "", ""},
		{"down", 0, 2, noLACP, "bond_member_down", "down"},
		{"updelay", 0, 3, noLACP, "bond_member_down", "going up"},
		{"in use by LACP", 0, 0, 0x3d, "", ""},
		{"no partner", 0, 0, 0x4d, "bond_lacp_unused", "no partner"},
		{"silent partner", 0, 0, 0x8d, "bond_lacp_unused", "the partner fell silent"},
		{"another key", 0, 0, 0x05, "bond_lacp_unused", "not in sync"},
		{"partner not in sync", 0, 0, 0x0d, "bond_lacp_unused", "the partner is not in sync, or another aggregator is active"},
		{"down, so LACP cannot", 0, 2, 0x45, "bond_member_down", "down"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := parseLink(bondMember(t, test.state, test.link, test.lacp))
			if err != nil {
				t.Fatal(err)
			}
			got := reads(t, Interface, func(r *reading) error { r.linkStates(&l); r.linkFailures(&l); return nil })
			if c := got["p0 bond_link_failures"]; c.Value != 7 || c.Gauge {
				t.Errorf("failures: %+v", c)
			}
			delete(got, "p0 bond_link_failures")
			c, ok := got["p0 "+test.want]
			if ok != (test.want != "") || len(got) > 1 || c.About != test.about {
				t.Errorf("got %+v", got)
			}
			if row := Rows([]Change{{Counter: c}})[0]; ok && (!row.Known || !row.Matters()) {
				t.Errorf("%s does not matter", c.ID())
			}
		})
	}
}

// TestCarrier: hardware that had a carrier and lost it differs from a port that nothing was ever connected to.
func TestCarrier(t *testing.T) {
	for _, test := range []struct {
		flags uint32
		oper  uint8
		kind  string
		ups   uint32
		want  []string
	}{
		{flagUp, 6, "", 1, []string{"carrier_down_count"}},
		{flagUp, 2, "", 0, []string{"carrier_down_count", "no_carrier"}},
		{flagUp, 2, "", 1, []string{"carrier_down_count", "carrier_lost"}},
		{0, 2, "", 1, nil},
		{flagUp, 2, "tun", 1, []string{"no_carrier"}},
		{flagUp, 3, "veth", 1, []string{"no_carrier"}},
	} {
		message := append(linkMessage(t, test.flags, test.oper, test.kind, "", 0), attributes(t, func(e *netlink.AttributeEncoder) {
			e.Uint32(iflaCarrierUpCount, test.ups)
			e.Uint32(iflaCarrierDownCount, 7)
		})...)
		l, err := parseLink(message)
		if err != nil {
			t.Fatal(err)
		}
		got := reads(t, Interface, func(r *reading) error { r.linkStates(&l); r.linkFailures(&l); return nil })
		var names []string
		for _, c := range got {
			names = append(names, c.Name)
			if row := Rows([]Change{{Counter: c}})[0]; !row.Known || c.Name == "carrier_lost" != row.Matters() {
				t.Errorf("%s matters: %t", c.ID(), row.Matters())
			}
		}
		if slices.Sort(names); !slices.Equal(names, test.want) {
			t.Errorf("%+v: got %+v", test, got)
		}
		if c, ok := got["p0 carrier_down_count"]; ok && (c.Value != 7 || c.Gauge) {
			t.Errorf("%+v", c)
		}
	}
}

// TestNoBond: attributes of other ports that have the same numbers say nothing of a bond.
func TestNoBond(t *testing.T) {
	l, err := parseLink(linkMessage(t, flagUp, 6, "veth", "bridge", 3))
	if err != nil || l.bond != (bondPort{}) {
		t.Errorf("%+v: %v", l.bond, err)
	}
	if got := reads(t, Interface, func(r *reading) error { r.linkFailures(&l); return nil }); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
