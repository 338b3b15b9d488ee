package filter

import (
	"net/netip"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	probed "dropwatch/internal/point"
)

// nodeOf returns where in the network stack an event was, as far as its point, reason, trap or function says.
func nodeOf(e *event.Event) (layer knowledge.Layer, module string, ok bool) {
	if p, ok := probed.Lookup(e.Point); ok {
		return p.Layer, p.Module, true
	}
	if en := knowledge.Find(e); en != nil {
		return en.Layer, en.Module, true
	}
	return knowledge.AnyLayer, "", false
}

// The attributes of a drop.
var (
	reason   = text(func(e *event.Event) string { return e.Reason })
	trap     = text(func(e *event.Event) string { return e.Where.Trap })
	group    = text(func(e *event.Event) string { return e.Where.TrapGroup })
	ifName   = text(func(e *event.Event) string { return e.Port.IfName })
	harmless = text(func(e *event.Event) string { return e.Harmless })

	pointName = text(func(e *event.Event) string { return e.Point })

	segments = one(func(e *event.Event) (uint64, bool) { return e.Segments, e.Segments != 0 })
	count    = one(func(e *event.Event) (uint64, bool) { return e.Count, true })
	pc       = one(func(e *event.Event) (uint64, bool) { return e.Where.PC, e.Where.HasPC })
	origin   = one(func(e *event.Event) (uint64, bool) { return uint64(e.Origin), e.Origin < event.Unstated })
	tcpLost  = one(func(e *event.Event) (uint64, bool) {
		if e.Segment == nil || e.Segment.Fate == event.FateUnstated {
			return 0, false
		}
		return uint64(e.Segment.Fate), true
	})
	tcpCause = text(func(e *event.Event) string {
		if drop, ok := e.Dropped(); ok && e.Segment != nil {
			return drop.Reason
		}
		return ""
	})
	tcpRule = text(func(e *event.Event) string {
		if e.Segment == nil {
			return ""
		}
		return e.Segment.Drop.Rule
	})
	kindOf  = one(func(e *event.Event) (uint64, bool) { return uint64(e.Kind), true })
	tcpType = one(func(e *event.Event) (uint64, bool) {
		if e.Segment == nil {
			return 0, false
		}
		return uint64(e.Segment.Type), e.Segment.Type != event.SegmentUnknown
	})
	ifIndex = one(func(e *event.Event) (uint64, bool) { return uint64(e.Port.IfIndex), e.Port.IfIndex != 0 })
	cookie  = one(func(e *event.Event) ([]byte, bool) { return e.Cookie, len(e.Cookie) > 0 })

	// Where in the network stack it was dropped: see nodeOf.
	layerOfDrop = one(func(e *event.Event) (uint64, bool) {
		layer, _, ok := nodeOf(e)
		return uint64(layer), ok
	})
	moduleOfDrop = text(func(e *event.Event) string {
		_, module, _ := nodeOf(e)
		return module
	})

	function = text(func(e *event.Event) string {
		symbol, _, _, _ := e.Where.Name()
		return symbol
	})
	module = text(func(e *event.Event) string {
		_, _, module, _ := e.Where.Name()
		return module
	})
	offset = one(func(e *event.Event) (uint64, bool) {
		_, offset, _, ok := e.Where.Name()
		return offset, ok
	})

	decoded = one(func(e *event.Event) (uint64, bool) {
		if e.Packet.Flow == nil {
			return 0, false
		}
		return uint64(e.Packet.Flow.Stop.Why), true
	})
	tunnel = one(func(e *event.Event) (uint64, bool) {
		if e.Packet.Flow == nil {
			return 0, false
		}
		kind := e.Packet.Flow.Tunnel.Kind
		return uint64(kind), kind != event.NoLayer
	})
	tunnelID = one(func(e *event.Event) (uint64, bool) {
		if e.Packet.Flow == nil {
			return 0, false
		}
		t := &e.Packet.Flow.Tunnel
		return uint64(t.ID), t.HasID
	})
)

// The owner of a drop, and what the CPU was running.
var (
	nsName  = nameOf(nsInode, func(e *event.Event) string { return e.Netns.Name })
	nsInode = number32(func(e *event.Event) uint32 { return e.Netns.Inode })

	processName      = nameOf(pid, func(e *event.Event) string { return e.Owner.Process.Comm })
	pid              = number32(func(e *event.Event) uint32 { return e.Owner.Process.PID })
	unit             = text(func(e *event.Event) string { return e.Owner.Unit })
	containerName    = either(text(func(e *event.Event) string { return e.Owner.Container.Name }), containerID)
	containerID      = text(func(e *event.Event) string { return e.Owner.Container.ID })
	containerRuntime = text(func(e *event.Event) string { return e.Owner.Container.Runtime })
	podName          = either(text(func(e *event.Event) string { return e.Owner.Pod.Name }), podUID)
	podUID           = text(func(e *event.Event) string { return e.Owner.Pod.UID })
	podNamespace     = text(func(e *event.Event) string { return e.Owner.Pod.Namespace })
	cgroupPath       = nameOf(cgroupID, func(e *event.Event) string { return e.Owner.Cgroup.Path })
	cgroupID         = one(func(e *event.Event) (uint64, bool) { return e.Owner.Cgroup.ID, e.Owner.Cgroup.ID != 0 })
	socketState      = ofSocket(func(s *event.Socket) uint64 { return uint64(s.State) })
	socketCookie     = ofSocket(func(s *event.Socket) uint64 { return s.Cookie })
	socketInode      = ofSocket(func(s *event.Socket) uint64 { return s.Inode })

	comm    = text(func(e *event.Event) string { return e.Task.Comm })
	taskPID = one(func(e *event.Event) (uint64, bool) { return uint64(e.Task.PID), e.Task.Known })
	tid     = one(func(e *event.Event) (uint64, bool) { return uint64(e.Task.TID), e.Task.Known })
	cpu     = one(func(e *event.Event) (uint64, bool) { return uint64(e.Task.CPU), e.Task.Known })
)

// These are attributes of the owner. A guess counts as an owner; what is not known has none of them.
func hasOwner(e *event.Event) bool   { return e.Owner != event.Owner{} }
func isCertain(e *event.Event) bool  { return e.Owner.Process.Confidence == event.Certain }
func isReceiver(e *event.Event) bool { return e.Owner.Socket != nil && e.Owner.Socket.Receiver }

// The fields of headers.
var (
	ethDst  = header(event.FieldEthDst, func(h *event.Headers) event.MAC { return h.EthDst })
	ethSrc  = header(event.FieldEthSrc, func(h *event.Headers) event.MAC { return h.EthSrc })
	ethType = number(event.FieldEtherType, func(h *event.Headers) uint16 { return h.EtherType })

	outerID       = number(event.FieldVLAN, func(h *event.Headers) uint16 { return h.VLAN[0].ID })
	outerTPID     = number(event.FieldVLAN, func(h *event.Headers) uint16 { return h.VLAN[0].TPID })
	outerPriority = number(event.FieldVLAN, func(h *event.Headers) uint8 { return h.VLAN[0].Priority })
	innerID       = number(event.FieldVLANInner, func(h *event.Headers) uint16 { return h.VLAN[1].ID })

	arpOp  = number(event.FieldARPOp, func(h *event.Headers) uint16 { return h.ARPOp })
	arpSrc = header(event.FieldARPSrc, func(h *event.Headers) event.MAC { return h.ARPSrc })
	arpDst = header(event.FieldARPDst, func(h *event.Headers) event.MAC { return h.ARPDst })

	srcAddr    = header(event.FieldSrc, func(h *event.Headers) netip.Addr { return h.Src })
	dstAddr    = header(event.FieldDst, func(h *event.Headers) netip.Addr { return h.Dst })
	anyAddr    = pair(srcAddr, dstAddr)
	ttl        = number(event.FieldTTL, func(h *event.Headers) uint8 { return h.TTL })
	dscp       = number(event.FieldTOS, func(h *event.Headers) uint8 { return h.DSCP })
	ecn        = number(event.FieldTOS, func(h *event.Headers) uint8 { return h.ECN })
	protocol   = number(event.FieldProtocol, func(h *event.Headers) uint8 { return h.Protocol })
	extensions = number(event.FieldProtocol, func(h *event.Headers) uint8 { return h.Extensions })
	totalLen   = number(event.FieldTotalLen, func(h *event.Headers) uint32 { return h.TotalLen })
	fragID     = number(event.FieldFragmentID, func(h *event.Headers) uint32 { return h.FragmentID })
	fragOffset = number(event.FieldFragment, func(h *event.Headers) uint16 { return h.FragmentOffset })
	flowLabel  = number(event.FieldFlowLabel, func(h *event.Headers) uint32 { return h.FlowLabel })

	srcPort  = number(event.FieldSrcPort, func(h *event.Headers) uint16 { return h.SrcPort })
	dstPort  = number(event.FieldDstPort, func(h *event.Headers) uint16 { return h.DstPort })
	anyPort  = pair(srcPort, dstPort)
	flags    = number(event.FieldTCPFlags, func(h *event.Headers) event.TCPFlags { return h.TCPFlags })
	seq      = number(event.FieldSeq, func(h *event.Headers) uint32 { return h.Seq })
	ack      = number(event.FieldAck, func(h *event.Headers) uint32 { return h.Ack })
	window   = number(event.FieldWindow, func(h *event.Headers) uint16 { return h.Window })
	udpLen   = number(event.FieldUDPLen, func(h *event.Headers) uint16 { return h.UDPLen })
	chunk    = number(event.FieldSCTPChunk, func(h *event.Headers) uint8 { return h.SCTPChunk })
	sctpTag  = number(event.FieldSCTPTag, func(h *event.Headers) uint32 { return h.SCTPTag })
	spi      = number(event.FieldSPI, func(h *event.Headers) uint32 { return h.SPI })
	icmpType = number(event.FieldICMPType, func(h *event.Headers) uint8 { return h.ICMPType })
	icmpCode = number(event.FieldICMPCode, func(h *event.Headers) uint8 { return h.ICMPCode })
	icmpID   = number(event.FieldICMPID, func(h *event.Headers) uint16 { return h.ICMPID })
	icmpSeq  = number(event.FieldICMPSeq, func(h *event.Headers) uint16 { return h.ICMPSeq })
	icmpMTU  = number(event.FieldMTU, func(h *event.Headers) uint32 { return h.MTU })
)

// Fields of headers that are yes or no.
var (
	isBroadcast = flag(event.FieldEthDst, func(h *event.Headers) bool {
		return h.EthDst == event.MAC{255, 255, 255, 255, 255, 255}
	})
	isMulticast  = flag(event.FieldEthDst, func(h *event.Headers) bool { return h.EthDst[0]&1 != 0 })
	dropEligible = flag(event.FieldVLAN, func(h *event.Headers) bool { return h.VLAN[0].DEI })
	isFragment   = flag(event.FieldFragment, func(h *event.Headers) bool { return h.MoreFragments || h.FragmentOffset > 0 })
	dontFragment = flag(event.FieldFragment, func(h *event.Headers) bool { return h.DontFragment })
)

// moreFragments returns the field of whether a further fragment follows, for IPv4 or IPv6.
func moreFragments(l event.Layer) kind {
	return flag(event.FieldFragment, func(h *event.Headers) bool { return h.Network == l && h.MoreFragments })
}

// layer returns the field of whether a packet has that transport layer.
func layer(l event.Layer) kind {
	return yesNo{is: func(_ *event.Event, h *event.Headers) bool { return h.Transport == l }}
}

// tunneled returns the field of whether a packet is in such a tunnel.
func tunneled(l event.Layer) kind {
	return yesNo{is: func(e *event.Event, _ *event.Headers) bool {
		return e.Packet.Flow != nil && e.Packet.Flow.Tunnel.Kind == l
	}}
}

// flag returns a field of headers that is yes or no; no without the header field f.
func flag(f event.Fields, get func(*event.Headers) bool) kind {
	return yesNo{is: func(_ *event.Event, h *event.Headers) bool { return h.Has(f) && get(h) }}
}

// attribute returns a field of the drop that is yes or no.
func attribute(get func(*event.Event) bool) kind {
	return yesNo{is: func(e *event.Event, _ *event.Headers) bool { return get(e) }}
}
