package routing

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"testing"
	"testing/fstest"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/host"
	"dropwatch/internal/kernel"
)

type encoder = netlink.AttributeEncoder

// message is one about a rule with some attributes.
func message(t testing.TB, action byte, encode func(*encoder)) []byte {
	t.Helper()
	a := netlink.NewAttributeEncoder()
	a.ByteOrder = binary.NativeEndian
	a.Uint32(fraPriority, 7)
	encode(a)
	attributes, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{kernel.AFInet, 24, 0, 0, tableMain, 0, 0, action, 0, 0, 0, 0}, attributes...)
}

// TestMatch: what a rule selects by and is not known of a packet leaves it open.
func TestMatch(t *testing.T) {
	known := Packet{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2"), 17, 9, 7, "far"}
	unknown := Packet{To: known.To}
	dst := []byte{198, 51, 100, 0}
	for text, test := range map[string]struct {
		encode         func(*encoder)
		known, unknown truth
	}{
		"7: from all lookup main":                    {func(*encoder) {}, yes, yes},
		"7: from all to 198.51.100.0/24 lookup main": {func(a *encoder) { a.Bytes(fraDst, dst) }, yes, yes},
		"7: from all iif near lookup main":           {func(a *encoder) { a.String(fraIifname, "near") }, no, perhaps},
		"7: from all oif near lookup main":           {func(a *encoder) { a.String(fraOifname, "near") }, no, perhaps},
		"7: from all ipproto 17 lookup main":         {func(a *encoder) { a.Uint8(fraIPProto, 17) }, yes, perhaps},
		"7: from all dport 7 lookup main":            {func(a *encoder) { a.Bytes(fraDportRange, ports(7, 7)) }, yes, perhaps},
		"7: from all sport 10-20 lookup main":        {func(a *encoder) { a.Bytes(fraSportRange, ports(10, 20)) }, no, perhaps},
		"7: from all uidrange ... lookup main":       {func(a *encoder) { a.Bytes(20, make([]byte, 8)) }, perhaps, perhaps},
		"7: from all fwmark 0x0/0x1 lookup main":     {func(a *encoder) { a.Uint32(fraFwmask, 1) }, perhaps, perhaps},
		"7: from all lookup 300":                     {func(a *encoder) { a.Uint32(fraTable, 300) }, yes, yes},
		"7: from all lookup [l3mdev-table]":          {func(a *encoder) { a.Uint8(fraL3mdev, 1) }, yes, yes},
	} {
		r, err := parseRule(message(t, toTable, test.encode))
		if err != nil || r.text(nil) != text {
			t.Errorf("%s, %v; want %s", r.text(nil), err, text)
		}
		if a, b := r.match(&known), r.match(&unknown); a != test.known || b != test.unknown {
			t.Errorf("%s: %d, and %d of an unknown packet; want %d and %d", text, a, b, test.known, test.unknown)
		}
		r.invert = true
		if got := r.match(&known); got != yes-test.known {
			t.Errorf("not %s: %d", text, got)
		}
	}
}

// ports is a struct fib_rule_port_range.
func ports(from, to uint16) []byte {
	return binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, from), to)
}

// TestGoto: the rules between are passed by.
func TestGoto(t *testing.T) {
	p := Packet{To: netip.MustParseAddr("198.51.100.2")}
	rules := []rule{{priority: 1, action: gotoRule, target: 9}, {priority: 5, action: 6}, {priority: 9, action: 6}}
	if got := walk(rules, "blackhole", &p, nil, nil); len(got) != 1 || got[0].Pref != 9 {
		t.Errorf("got %v", got)
	}
}

// TestVRF: the table of a VRF is one that no other rule names.
func TestVRF(t *testing.T) {
	p := Packet{To: netip.MustParseAddr("198.51.100.2")}
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	rules := []rule{{priority: 1, action: toTable, vrf: true}, {priority: 2, action: toTable, table: tableMain}}
	got := walk(rules, "unreachable", &p, map[uint32]netip.Prefix{1000: any4, tableMain: any4}, nil)
	if len(got) != 1 || got[0].String() != "unreachable 0.0.0.0/0, table 1000, by rule 1: from all lookup [l3mdev-table]" {
		t.Errorf("got %v", got)
	}
}

// TestTableNames: those of the host are stronger than those of iproute2, and other files than
// .conf name none.
func TestTableNames(t *testing.T) {
	h := host.FS(fstest.MapFS{
		"usr/share/iproute2/rt_tables":        {Data: []byte("254\tmain\n100 old\n0x65 hex\n")},
		"etc/iproute2/rt_tables":              {Data: []byte("# 7 none\n100 vpn # here\nword\n9999999999 many\n")},
		"etc/iproute2/rt_tables.d/a.conf":     {Data: []byte("102 first\n103 b\n")},
		"etc/iproute2/rt_tables.d/b.conf":     {Data: []byte("102 second\n")},
		"etc/iproute2/rt_tables.d/c.dpkg-old": {Data: []byte("103 c\n")},
	})
	want := map[uint32]string{254: "main", 100: "vpn", 101: "hex", 102: "second", 103: "b"}
	if got := TableNames(h); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzRule: no message makes it fail.
func FuzzRule(f *testing.F) {
	f.Add(message(f, 6, func(a *encoder) { a.Bytes(fraDst, []byte{10, 0, 0, 0}) }))
	f.Fuzz(func(t *testing.T, message []byte) {
		if r, err := parseRule(message); err == nil && r.match(&Packet{}) > yes {
			t.Error("a rule that matches more than certainly")
		}
	})
}
