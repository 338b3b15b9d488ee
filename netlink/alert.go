package netlink

// An Alert is one message of the "events" group: a summary of drops by location, or one
// dropped packet. A field counts only if Has reports its attribute.
//
// Payload and Cookie share the memory of the message that was decoded.
type Alert struct {
	// Packet: the alert is about one packet, otherwise it is a summary.
	Packet bool

	// A summary: drops by the kernel, and by devices.
	Points []Point
	Traps  []Trap

	// One packet.
	Origin    Origin
	PC        uint64 // address in the kernel's code, of a software drop
	Symbol    string // the kernel's own "%pS" of PC, at most 39 characters
	Reason    string // why, as the kernel names it, "NO_SOCKET"
	TrapName  string // of a hardware drop, the devlink trap
	TrapGroup string // and its group
	Port      Port
	Timestamp uint64 // of the drop: nanoseconds since 1970
	Proto     uint16 // ethertype
	OrigLen   uint32 // bytes of the packet before it was truncated
	Payload   []byte // the packet, from its MAC header
	Cookie    []byte // of the tc or Open vSwitch action that dropped it

	attrs uint32
}

// Has reports whether the kernel gave the attribute.
func (a *Alert) Has(attr Attr) bool { return a.attrs&(1<<attr) != 0 }

// A Point is a location of a summary, struct net_dm_drop_point. PC 0 stands for a device
// whose own counter of dropped packets rose: the kernel compares every two seconds and
// reports 1, however many there were (trace_napi_poll_hit).
type Point struct {
	PC    uint64 // address in the kernel's code, or 0
	Count uint32 // drops since the summary before, up to a second
}

// A Trap is a hardware entry of a summary, NET_DM_ATTR_HW_ENTRY.
type Trap struct {
	Name  string // at most 39 characters
	Count uint32
}

// A Port is the interface that a packet came in by, NET_DM_ATTR_IN_PORT. Its
// namespace is not known: the same index may stand for several interfaces.
type Port struct {
	IfIndex uint32 // 0 if not given
	Name    string // given for hardware drops only
}
