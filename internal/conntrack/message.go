package conntrack

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Messages and attributes of include/uapi/linux/netfilter/{nfnetlink,nfnetlink_conntrack}.h.
const (
	subsystem      = 1 // NFNL_SUBSYS_CTNETLINK
	getMessage     = 1 // IPCTNL_MSG_CT_GET
	sizeofNfgenmsg = 4 // struct nfgenmsg

	ctaTupleOrig  = 1  // CTA_TUPLE_ORIG
	ctaTupleReply = 2  // CTA_TUPLE_REPLY
	ctaStatus     = 3  // CTA_STATUS
	ctaProtoinfo  = 4  // CTA_PROTOINFO
	ctaZone       = 18 // CTA_ZONE

	ctaTupleIP    = 1 // CTA_TUPLE_IP
	ctaTupleProto = 2 // CTA_TUPLE_PROTO

	ctaIPv4Src = 1 // CTA_IP_V4_SRC
	ctaIPv4Dst = 2 // CTA_IP_V4_DST
	ctaIPv6Src = 3 // CTA_IP_V6_SRC
	ctaIPv6Dst = 4 // CTA_IP_V6_DST

	ctaProtoNum   = 1 // CTA_PROTO_NUM
	ctaSrcPort    = 2 // CTA_PROTO_SRC_PORT
	ctaDstPort    = 3 // CTA_PROTO_DST_PORT
	ctaICMPID     = 4 // and its type and its code
	ctaICMPv6ID   = 7 // CTA_PROTO_ICMPV6_ID
	ctaProtoState = 1 // within that of the protocol
)

// Status bits of include/uapi/linux/netfilter/nf_conntrack_common.h.
const (
	seenReply = 1 << 1 // IPS_SEEN_REPLY
	sourceNAT = 1 << 4 // IPS_SRC_NAT
	destNAT   = 1 << 5 // IPS_DST_NAT
)

// sctp is IPPROTO_SCTP, which package syscall has not on every system.
const sctp = 132

// A connection is an entry as the kernel gives it.
type connection struct {
	orig, reply Tuple
	status      uint32 // IPS_* (include/uapi/linux/netfilter/nf_conntrack_common.h)
	state       string // of its protocol
	zone        uint16 // 0: the default one
}

func (c *connection) has(t *Tuple) bool { return c.orig == *t || c.reply == *t }

// entry translates it for people: an answer goes to what the source was translated to, and
// comes from what the destination was.
func (c *connection) entry() Entry {
	e := Entry{State: c.state, Zone: c.zone}
	switch {
	case e.State != "":
	case c.status&seenReply != 0:
		e.State = "ESTABLISHED"
	default:
		e.State = "UNREPLIED"
	}
	var nat []string
	if c.status&destNAT != 0 {
		nat = append(nat, "destination NAT to "+endpoint(c.reply.Src))
	}
	if c.status&sourceNAT != 0 {
		nat = append(nat, "source NAT to "+endpoint(c.reply.Dst))
	}
	e.NAT = strings.Join(nat, ", ")
	return e
}

// endpoint is an address, with the port if there is one.
func endpoint(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// request is the body of a request for the entry of a tuple.
func request(t *Tuple) ([]byte, error) {
	family, src, dst := byte(kernel.AFInet), uint16(ctaIPv4Src), uint16(ctaIPv4Dst)
	if t.Src.Addr().Is6() {
		family, src, dst = kernel.AFInet6, ctaIPv6Src, ctaIPv6Dst
	}
	a := netlink.NewAttributeEncoder()
	a.ByteOrder = binary.BigEndian
	a.Nested(ctaTupleOrig, func(a *netlink.AttributeEncoder) error {
		a.Nested(ctaTupleIP, func(a *netlink.AttributeEncoder) error {
			a.Bytes(src, t.Src.Addr().AsSlice())
			a.Bytes(dst, t.Dst.Addr().AsSlice())
			return nil
		})
		a.Nested(ctaTupleProto, func(a *netlink.AttributeEncoder) error {
			a.Uint8(ctaProtoNum, t.Protocol)
			switch t.Protocol {
			case icmp:
				t.Echo.encode(a, ctaICMPID)
			case icmpv6:
				t.Echo.encode(a, ctaICMPv6ID)
			default:
				a.Uint16(ctaSrcPort, t.Src.Port())
				a.Uint16(ctaDstPort, t.Dst.Port())
			}
			return nil
		})
		return nil
	})
	attributes, err := a.Encode()
	return append([]byte{family, 0, 0, 0}, attributes...), err
}

// encode writes CTA_PROTO_ICMP_ID, or that of ICMPv6 by its number; type and code follow it in both.
func (e *Echo) encode(a *netlink.AttributeEncoder, id uint16) {
	a.Uint16(id, e.ID)
	a.Uint8(id+1, e.Type)
	a.Uint8(id+2, e.Code)
}

// parse reads a message about an entry (ctnetlink_fill_info).
func parse(message []byte) (c connection, err error) {
	if err := kernel.CheckSize(message, sizeofNfgenmsg, "a connection"); err != nil {
		return c, err
	}
	attributes := message[sizeofNfgenmsg:]
	c.orig, c.reply = parseTuple(kernel.Attribute(attributes, ctaTupleOrig)), parseTuple(kernel.Attribute(attributes, ctaTupleReply))
	c.status = kernel.BigEndian32(kernel.Attribute(attributes, ctaStatus))
	c.zone = bigEndian16(kernel.Attribute(attributes, ctaZone))
	info := kernel.Attribute(attributes, ctaProtoinfo)
	if p, ok := protocols[c.orig.Protocol]; ok {
		if state := kernel.Attribute(info, p.info, ctaProtoState); len(state) == 1 && int(state[0]) < len(p.states) {
			c.state = p.states[state[0]]
		}
	}
	return c, nil
}

// protocols have states of their own (include/uapi/linux/netfilter/nf_conntrack_{tcp,sctp}.h).
var protocols = map[uint8]struct {
	info   uint16 // attribute
	states []string
}{
	syscall.IPPROTO_TCP: {1, []string{
		"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
	}},
	sctp: {3, []string{
		"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT",
		"HEARTBEAT_SENT", "HEARTBEAT_ACKED",
	}},
}

// parseTuple reads CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. Without a protocol it is empty; ports are 0 where the protocol has
// none.
func parseTuple(attributes []byte) (t Tuple) {
	ip, proto := kernel.Attribute(attributes, ctaTupleIP), kernel.Attribute(attributes, ctaTupleProto)
	number := kernel.Attribute(proto, ctaProtoNum)
	if len(number) != 1 {
		return t
	}
	t.Protocol = number[0]
	t.Src = netip.AddrPortFrom(address(ip, ctaIPv4Src, ctaIPv6Src), bigEndian16(kernel.Attribute(proto, ctaSrcPort)))
	t.Dst = netip.AddrPortFrom(address(ip, ctaIPv4Dst, ctaIPv6Dst), bigEndian16(kernel.Attribute(proto, ctaDstPort)))
	switch t.Protocol {
	case icmp:
		t.Echo = parseEcho(proto, ctaICMPID)
	case icmpv6:
		t.Echo = parseEcho(proto, ctaICMPv6ID)
	}
	return t
}

// parseEcho reads what Echo.encode writes.
func parseEcho(proto []byte, id uint16) (e Echo) {
	e.ID = bigEndian16(kernel.Attribute(proto, id))
	if typ, code := kernel.Attribute(proto, id+1), kernel.Attribute(proto, id+2); len(typ) == 1 && len(code) == 1 {
		e.Type, e.Code = typ[0], code[0]
	}
	return e
}

// address is the one of either family that there is.
func address(ip []byte, v4, v6 uint16) netip.Addr {
	b := kernel.Attribute(ip, v4)
	if b == nil {
		b = kernel.Attribute(ip, v6)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// bigEndian16 reads a number, 0 if it has another size.
func bigEndian16(b []byte) uint16 {
	if len(b) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}
