package netlink_test

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dropwatch/netlink"
)

// diffAlerts compares what the fields of two alerts say.
func diffAlerts(want, got netlink.Alert) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(netlink.Alert{}), cmpopts.EquateEmpty())
}

// softwareDrop and hardwareDrop have all that the kernel can give.
var (
	softwareDrop = netlink.Alert{
		Packet: true, PC: 0xffffffff81234567, Symbol: "nf_hook_slow+0xa3/0xd0", Reason: "NETFILTER_DROP",
		Port: netlink.Port{IfIndex: 7}, Timestamp: 1_700_000_000_123_456_789, Proto: 0x86dd, OrigLen: 1514,
		Payload: []byte{1, 2, 3, 4, 5}, Cookie: []byte{0xde, 0xad},
	}
	hardwareDrop = netlink.Alert{
		Packet: true, Origin: netlink.OriginHardware, TrapName: "blackhole_route", TrapGroup: "l3_drops",
		Port: netlink.Port{IfIndex: 3, Name: "eth0"}, Timestamp: 1, Proto: 0x0800, OrigLen: 98, Payload: []byte{9},
	}
)

func TestDecode(t *testing.T) {
	full := make([]netlink.Point, netlink.MaxPoints)
	for i := range full {
		full[i] = netlink.Point{PC: 0xffffffff81000001 + uint64(i), Count: uint32(i)}
	}
	two := full[:2]
	traps := []netlink.Trap{{Name: "a", Count: 1}, {Name: "blackhole_route", Count: 1 << 31}}
	packet := func(a attrs) []byte { return message(cmdPacketAlert, a) }
	summary := func(a attrs) []byte { return message(cmdAlert, a) }

	tests := map[string]struct {
		msg  []byte
		want netlink.Alert
	}{
		"software packet":           {encodePacket(softwareDrop), softwareDrop},
		"hardware packet":           {encodePacket(hardwareDrop), hardwareDrop},
		"summary":                   {encodeSummary(full, nil), netlink.Alert{Points: full}},
		"empty summary":             {encodeSummary(nil, nil), netlink.Alert{}},
		"hardware summary":          {encodeSummary(nil, traps), netlink.Alert{Traps: traps}},
		"no attributes":             {packet(nil), netlink.Alert{Packet: true}},
		"bytes behind the message":  {append(encodeSummary(two, nil), 1, 2, 3, 4), netlink.Alert{Points: two}},
		"less than a header at end": {packet(append(attrs(nil).u16(attrProto, 8), 1, 2, 3)), netlink.Alert{Packet: true, Proto: 8}},
		"count claims too much":     {summary(attrs(nil).bytes(0, summaryPoints(1<<32-1, two...))), netlink.Alert{Points: two}},
		"count claims less":         {summary(attrs(nil).bytes(0, summaryPoints(1, two...))), netlink.Alert{Points: two[:1]}},
		"half a point":              {summary(attrs(nil).bytes(0, summaryPoints(2, two...)[:20])), netlink.Alert{Points: two[:1]}},
		"device count": {encodeSummary([]netlink.Point{{Count: 1}}, nil),
			netlink.Alert{Points: []netlink.Point{{Count: 1}}}},
		"nest without the flag": {packet(attrs(nil).bytes(attrInPort, attrs(nil).u32(0, 2))),
			netlink.Alert{Packet: true, Port: netlink.Port{IfIndex: 2}}},
		"both flags": {packet(attrs(nil).u16(attrProto|0xc000, 8)), netlink.Alert{Packet: true, Proto: 8}},
		"unknown attributes": {packet(attrs(nil).u32(24, 1).u32(0x3fff, 1).u16(attrProto, 8)),
			netlink.Alert{Packet: true, Proto: 8}},
		"unknown in nests": {summary(attrs(nil).bytes(attrHWEntries,
			append(attrs(nil).u64(99, 1), hwEntries(traps...)...))), netlink.Alert{Traps: traps}},
		"unknown in the port": {packet(attrs(nil).bytes(attrInPort, attrs(nil).u64(2, 1).str(1, "lo"))),
			netlink.Alert{Packet: true, Port: netlink.Port{Name: "lo"}}},
		"padding attribute": {packet(attrs(nil).bytes(attrPad, nil).u16(attrProto, 8)), netlink.Alert{Packet: true, Proto: 8}},
		"empty strings and bytes": {packet(attrs(nil).bytes(attrReason, nil).bytes(attrSymbol, []byte{0}).bytes(attrPayload,
			nil)), netlink.Alert{Packet: true}},
		"empty nests": {packet(attrs(nil).bytes(attrInPort, nil).bytes(attrHWEntries, nil)), netlink.Alert{Packet: true}},
		"string without a zero": {packet(attrs(nil).bytes(attrReason, []byte("NO_SOCKET"))),
			netlink.Alert{Packet: true, Reason: "NO_SOCKET"}},
		"string with bytes after": {packet(attrs(nil).bytes(attrReason, []byte("A\x00B\x00"))),
			netlink.Alert{Packet: true, Reason: "A"}},
		"string with control bytes": {packet(attrs(nil).str(attrTrapName, "a\x1b[31m\n\xff")),
			netlink.Alert{Packet: true, TrapName: "a\x1b[31m\n\xff"}},
		"origin that nobody has seen": {packet(attrs(nil).u16(attrOrigin, 9)), netlink.Alert{Packet: true, Origin: 9}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var d netlink.Decoder
			var got netlink.Alert
			if err := d.Decode(tt.msg, &got); err != nil {
				t.Fatal(err)
			}
			if diff := diffAlerts(tt.want, got); diff != "" {
				t.Error("(-want +got)", diff)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	whole := encodePacket(softwareDrop)
	lying := func(n uint32) []byte {
		b := append([]byte(nil), whole...)
		binary.NativeEndian.PutUint32(b, n)
		return b
	}
	packet := func(a attrs) []byte { return message(cmdPacketAlert, a) }
	tests := map[string]struct {
		msg  []byte
		want string
	}{
		"nothing":              {nil, "0 bytes are too few for its headers"},
		"short headers":        {whole[:19], "19 bytes are too few for its headers"},
		"cut by a buffer":      {whole[:len(whole)-1], "where"},
		"length less than its": {lying(19), "message of 19 bytes"},
		"length of all ones":   {lying(1<<32 - 1), "message of 4294967295 bytes"},
		"attribute of 3 bytes": {packet(attrs{3, 0, 3, 0}), "of 3 bytes where 4 are left"},
		"attribute cut":        {packet(attrs(nil).u64(attrPC, 1)[:8]), "attribute 2 of 12 bytes where 8 are left"},
		"short pc":             {packet(attrs(nil).u32(attrPC, 1)), "attribute 2 has 4 bytes, not 8"},
		"long length":          {packet(attrs(nil).u64(attrOrigLen, 1)), "attribute 10 has 8 bytes, not 4"},
		"empty protocol":       {packet(attrs(nil).bytes(attrProto, nil)), "attribute 6 has 0 bytes, not 2"},
		"short time":           {packet(attrs(nil).bytes(attrTimestamp, make([]byte, 7))), "attribute 5 has 7 bytes"},
		"long origin":          {packet(attrs(nil).u32(attrOrigin, 1)), "attribute 14 has 4 bytes, not 2"},
		"port index":           {packet(attrs(nil).bytes(attrInPort, attrs(nil).u16(0, 1))), "attribute 0 has 2 bytes, not 4"},
		"port cut":             {packet(attrs(nil).bytes(attrInPort, attrs(nil).u32(0, 1)[:6])), "attribute 0 of 8 bytes where 6 are left"},
		"summary of 3 bytes":   {message(cmdAlert, attrs(nil).bytes(0, []byte{1, 0, 0})), "summary of 3 bytes"},
		"trap cut": {message(cmdAlert, attrs(nil).bytes(attrHWEntries, hwEntries(netlink.Trap{Name: "x"})[:9])),
			"attribute 18 of"},
		"trap count": {message(cmdAlert,
			attrs(nil).bytes(attrHWEntries, attrs(nil).bytes(attrHWEntry, attrs(nil).u64(attrHWTrapCount, 1)))),
			"attribute 19 has 8 bytes"},
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		delete(tests, "attribute of 3 bytes") // written for little-endian machines
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var d netlink.Decoder
			var a netlink.Alert
			err := d.Decode(tt.msg, &a)
			if err == nil || !strings.HasPrefix(err.Error(), "decode alert: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if errors.Is(err, netlink.ErrNotAlert) {
				t.Error("broken, but said to be no alert")
			}
		})
	}
}

func TestDecodeNotAlert(t *testing.T) {
	for _, cmd := range []uint8{0, 2, 4, 6, 7, 9, 255} {
		var d netlink.Decoder
		var a netlink.Alert
		if err := d.Decode(message(cmd, nil), &a); !errors.Is(err, netlink.ErrNotAlert) {
			t.Errorf("command %d: %v", cmd, err)
		}
	}
}

// TestDecodeTruncated cuts an alert everywhere: by the header's length too, so
// that the attributes are what breaks. Where it is no error, less is there.
func TestDecodeTruncated(t *testing.T) {
	whole := encodePacket(hardwareDrop)
	var d netlink.Decoder
	var a netlink.Alert
	for n := range whole {
		if err := d.Decode(whole[:n], &a); err == nil {
			t.Errorf("cut at %d of %d: no error", n, len(whole))
		}
		if n < 20 {
			continue
		}
		short := append([]byte(nil), whole[:n]...)
		binary.NativeEndian.PutUint32(short, uint32(n))
		if err := d.Decode(short, &a); err == nil && a.Has(netlink.AttrPayload) && n < len(whole)-3 {
			t.Errorf("shortened to %d of %d: a whole alert", n, len(whole))
		}
	}
}

func TestDecodeHas(t *testing.T) {
	all := []netlink.Attr{
		netlink.AttrSummary, netlink.AttrPC, netlink.AttrSymbol, netlink.AttrPort, netlink.AttrTimestamp,
		netlink.AttrProto, netlink.AttrPayload, netlink.AttrOrigLen, netlink.AttrOrigin, netlink.AttrTrapGroup,
		netlink.AttrTrapName, netlink.AttrHWEntries, netlink.AttrCookie, netlink.AttrReason, 40,
	}
	packet := []netlink.Attr{netlink.AttrPort, netlink.AttrTimestamp, netlink.AttrProto, netlink.AttrPayload, netlink.AttrOrigLen,
		netlink.AttrOrigin}
	tests := map[string]struct {
		msg  []byte
		want []netlink.Attr
	}{
		"software": {encodePacket(softwareDrop),
			append([]netlink.Attr{netlink.AttrPC, netlink.AttrSymbol, netlink.AttrReason, netlink.AttrCookie}, packet...)},
		"hardware": {encodePacket(hardwareDrop), append([]netlink.Attr{netlink.AttrTrapGroup, netlink.AttrTrapName}, packet...)},
		"summary":  {encodeSummary(nil, nil), []netlink.Attr{netlink.AttrSummary}},
		"traps":    {encodeSummary(nil, []netlink.Trap{}), []netlink.Attr{netlink.AttrSummary, netlink.AttrHWEntries}},
		"nothing":  {message(cmdAlert, nil), nil},
	}
	var d netlink.Decoder
	var a netlink.Alert // used again: nothing may stay
	for name, tt := range tests {
		if err := d.Decode(tt.msg, &a); err != nil {
			t.Fatal(name, err)
		}
		var got []netlink.Attr
		for _, attr := range all {
			if a.Has(attr) {
				got = append(got, attr)
			}
		}
		less := cmpopts.SortSlices(func(a, b netlink.Attr) bool { return a < b })
		if diff := cmp.Diff(tt.want, got, less, cmpopts.EquateEmpty()); diff != "" {
			t.Error(name, "(-want +got)", diff)
		}
	}
}

// TestDecodeManyNames meets more and longer names than a Decoder keeps.
func TestDecodeManyNames(t *testing.T) {
	var d netlink.Decoder
	var a netlink.Alert
	for i := range 5000 {
		name := strings.Repeat("x", i)
		if err := d.Decode(message(cmdPacketAlert, attrs(nil).str(attrSymbol, name)), &a); err != nil {
			t.Fatal(err)
		}
		if a.Symbol != name {
			t.Fatalf("name of %d bytes came as %d", i, len(a.Symbol))
		}
	}
}

// TestDecodeCaptured decodes what real kernels sent.
func TestDecodeCaptured(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("captured on little-endian machines; this is a ", runtime.GOARCH)
	}
	for name, want := range captured(t) {
		t.Run(name, func(t *testing.T) {
			var d netlink.Decoder
			var got netlink.Alert
			if err := d.Decode(fixture(t, name), &got); err != nil {
				t.Fatal(err)
			}
			if diff := diffAlerts(want, got); diff != "" {
				t.Error("(-want +got)", diff)
			}
		})
	}
	files, err := os.ReadDir(fixtures)
	if err != nil || len(files) != len(captured(t)) {
		t.Errorf("%d fixtures, %d of them known: %v", len(files), len(captured(t)), err)
	}
}

func TestDecodeAllocates(t *testing.T) {
	for name, msg := range map[string][]byte{
		"packet":  encodePacket(softwareDrop),
		"summary": encodeSummary(make([]netlink.Point, netlink.MaxPoints), []netlink.Trap{{Name: "a"}}),
	} {
		var d netlink.Decoder
		var a netlink.Alert
		n := testing.AllocsPerRun(100, func() {
			if err := d.Decode(msg, &a); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	packet := softwareDrop
	packet.Payload = make([]byte, 64)
	for name, msg := range map[string][]byte{
		"packet":  encodePacket(packet),
		"summary": encodeSummary(make([]netlink.Point, netlink.MaxPoints), nil),
	} {
		b.Run(name, func(b *testing.B) {
			var d netlink.Decoder
			var a netlink.Alert
			b.ReportAllocs()
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				if err := d.Decode(msg, &a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
