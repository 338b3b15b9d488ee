package netdm

import (
	"encoding/binary"
	"slices"

	"dropwatch/netlink"
)

// attr encodes an attribute, struct nlattr, with its padding.
func attr(typ netlink.Attr, data ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	b = binary.NativeEndian.AppendUint16(b, uint16(typ))
	b = append(b, data...)
	return append(b, make([]byte, -len(b)&3)...)
}

func text(s string) []byte    { return append([]byte(s), 0) }
func u16(v uint16) []byte     { return binary.NativeEndian.AppendUint16(nil, v) }
func u32(v uint32) []byte     { return binary.NativeEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte     { return binary.NativeEndian.AppendUint64(nil, v) }
func flat(b ...[]byte) []byte { return slices.Concat(b...) }

// Commands of include/uapi/linux/net_dropmon.h.
const cmdAlert, cmdPacketAlert = 1, 5

// message encodes an alert: struct nlmsghdr, struct genlmsghdr, attributes.
func message(cmd byte, attrs ...[]byte) []byte {
	body := flat(attrs...)
	b := flat(u32(uint32(20+len(body))), make([]byte, 12), []byte{cmd, 2, 0, 0})
	return append(b, body...)
}

// packet is an alert for one packet.
func packet(reason string) []byte {
	return message(cmdPacketAlert, attr(netlink.AttrReason, text(reason)...))
}

// points is a summary of one drop at each of n places.
func points(n int) []byte {
	b := u32(uint32(n))
	for i := range n {
		b = flat(b, u64(uint64(0x1000+i)), u32(1))
	}
	return attr(netlink.AttrSummary, b...)
}

// traps is the hardware part of a summary: NET_DM_ATTR_HW_ENTRY 18,
// NET_DM_ATTR_HW_TRAP_COUNT 19.
func traps(name string, n uint32) []byte {
	entry := attr(18, flat(attr(netlink.AttrTrapName, text(name)...), attr(19, u32(n)...))...)
	return attr(netlink.AttrHWEntries, entry...)
}
