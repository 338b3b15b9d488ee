package netlink_test

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/netlink"
)

// The numbers of include/uapi/linux/net_dropmon.h, written down a second time
// so that a slip in the package shows.
const (
	cmdAlert       = 1
	cmdPacketAlert = 5

	attrPC, attrSymbol, attrInPort, attrTimestamp = 2, 3, 4, 5
	attrProto, attrPayload, attrPad, attrOrigLen  = 6, 7, 8, 10
	attrOrigin, attrTrapGroup, attrTrapName       = 14, 15, 16
	attrHWEntries, attrHWEntry, attrHWTrapCount   = 17, 18, 19
	attrCookie, attrReason                        = 22, 23

	nested = 0x8000 // NLA_F_NESTED
)

// Attrs are encoded attributes, to which each method appends one.
type attrs []byte

func (a attrs) bytes(typ uint16, data []byte) attrs {
	a = binary.NativeEndian.AppendUint16(a, uint16(4+len(data)))
	a = binary.NativeEndian.AppendUint16(a, typ)
	a = append(a, data...)
	return append(a, make([]byte, -len(a)&3)...)
}

func (a attrs) u16(typ, v uint16) attrs {
	return a.bytes(typ, binary.NativeEndian.AppendUint16(nil, v))
}

func (a attrs) u32(typ uint16, v uint32) attrs {
	return a.bytes(typ, binary.NativeEndian.AppendUint32(nil, v))
}

func (a attrs) u64(typ uint16, v uint64) attrs {
	return a.bytes(typ, binary.NativeEndian.AppendUint64(nil, v))
}

func (a attrs) str(typ uint16, s string) attrs { return a.bytes(typ, append([]byte(s), 0)) }

// message puts the two headers before the attributes.
func message(cmd uint8, a attrs) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(20+len(a)))
	b = binary.NativeEndian.AppendUint16(b, 0x20) // a family
	b = append(b, make([]byte, 10)...)            // flags, sequence, port
	b = append(b, cmd, 2, 0, 0)
	return append(b, a...)
}

// encodePacket is net_dm_packet_report_fill, and net_dm_hw_packet_report_fill
// for a hardware drop. What a does not have is left out.
func encodePacket(a netlink.Alert) []byte {
	var b attrs
	b = b.u16(attrOrigin, uint16(a.Origin))
	if a.Origin == netlink.OriginHardware {
		b = b.str(attrTrapGroup, a.TrapGroup).str(attrTrapName, a.TrapName)
	} else {
		b = b.bytes(attrPad, nil).u64(attrPC, a.PC).str(attrReason, a.Reason).str(attrSymbol, a.Symbol)
	}
	if a.Port != (netlink.Port{}) {
		port := attrs(nil).u32(0, a.Port.IfIndex)
		if a.Port.Name != "" {
			port = port.str(1, a.Port.Name)
		}
		b = b.bytes(attrInPort|nested, port)
	}
	if a.Cookie != nil {
		b = b.bytes(attrCookie, a.Cookie)
	}
	b = b.u64(attrTimestamp, a.Timestamp).u32(attrOrigLen, a.OrigLen)
	if a.Payload != nil {
		b = b.u16(attrProto, a.Proto).bytes(attrPayload, a.Payload)
	}
	return message(cmdPacketAlert, b)
}

// summaryPoints is struct net_dm_alert_msg, which claims to hold n points.
func summaryPoints(n uint32, points ...netlink.Point) []byte {
	b := binary.NativeEndian.AppendUint32(nil, n)
	for _, p := range points {
		b = binary.NativeEndian.AppendUint64(b, p.PC)
		b = binary.NativeEndian.AppendUint32(b, p.Count)
	}
	return b
}

// hwEntries is the nest of hardware entries of a summary.
func hwEntries(traps ...netlink.Trap) (b attrs) {
	for _, t := range traps {
		b = b.bytes(attrHWEntry|nested, attrs(nil).str(attrTrapName, t.Name).u32(attrHWTrapCount, t.Count))
	}
	return b
}

// encodeSummary is reset_per_cpu_data, and net_dm_hw_summary_report_fill where
// there are traps.
func encodeSummary(points []netlink.Point, traps []netlink.Trap) []byte {
	b := attrs(nil).bytes(0, summaryPoints(uint32(len(points)), points...))
	if traps != nil {
		b = b.bytes(attrHWEntries|nested, hwEntries(traps...))
	}
	return message(cmdAlert, b)
}

const fixtures = "../testdata/alerts/"

// fixture reads a captured message: lines of hex, and comments.
func fixture(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		tb.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			digits.WriteString(strings.TrimSpace(line))
		}
	}
	msg, err := hex.DecodeString(digits.String())
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return msg
}
