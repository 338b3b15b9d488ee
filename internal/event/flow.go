package event

import (
	"fmt"
	"iter"
	"net/netip"
)

// A Flow is what the headers of a packet say. It holds no pointer to the
// packet's bytes: a copy of it is independent.
type Flow struct {
	Headers         // of the packet itself, the outermost
	Tunnel  Tunnel  // that the packet is in
	Stop    Stop    // where decoding ended, and why
	Inner   Headers // of the packet in the tunnel; zero without one
	Quoted  Headers // of the packet that an ICMP error is about; zero of all others
}

// hasPacket reports whether there may be another packet in the packet.
func (f *Flow) hasPacket() bool {
	return f.Tunnel.Kind != NoLayer || f.Transport == ICMP || f.Transport == ICMPv6
}

// cloneInto is as the function of that name. The headers of a packet in the packet, which are two thirds of a flow, are
// copied only if there is one.
func (f *Flow) cloneInto(to *Flow) *Flow {
	if f == nil || to == nil || f.hasPacket() || to.hasPacket() {
		return cloneInto(to, f)
	}
	to.Headers, to.Tunnel, to.Stop = f.Headers, f.Tunnel, f.Stop
	return to
}

// Headers are those of one packet, from the link to the transport. A field
// means something only if Has says so: a port may well be 0.
type Headers struct {
	Fields Fields // those that the packet had

	Network   Layer // ARP, IPv4, IPv6, or none that we know
	Transport Layer // what Protocol stands for, also without a byte of its header
	TCPFlags  TCPFlags

	EthDst, EthSrc MAC
	EtherType      uint16  // of what follows the Ethernet header and the tags
	VLAN           [2]VLAN // the outer tag, the inner one

	ARPOp          uint16
	ARPSrc, ARPDst MAC // hardware addresses of sender and target

	Src, Dst       netip.Addr // of IP; of ARP the protocol addresses
	TTL            uint8      // of IPv6 the hop limit
	DSCP, ECN      uint8      // the two parts of the IPv4 TOS, or of the IPv6 traffic class
	Protocol       uint8      // of the transport, behind all extension headers
	Extensions     uint8      // extension headers that were passed
	DontFragment   bool       // IPv4
	SourceRoute    bool       // IPv4, an option LSRR or SSRR (RFC 791)
	MoreFragments  bool       // a further fragment follows
	FragmentOffset uint16     // in bytes
	FragmentID     uint32     // IPv4 identification; of IPv6 only with a fragment header
	FlowLabel      uint32     // IPv6
	TotalLen       uint32     // bytes of IP header and payload, 0 if the header does not say

	SrcPort, DstPort uint16 // TCP, UDP, SCTP
	Seq, Ack         uint32 // TCP
	Window           uint16 // TCP, not scaled
	WindowScale      uint8  // of a SYN, the bits by which its sender shifts the windows after it
	TCPLen           uint32 // bytes of payload, by the lengths in the headers
	TSVal            uint32 // TCP, the clock of the sender (RFC 7323)
	UDPLen           uint16 // bytes of header and payload, by the header
	NoChecksum       bool   // of UDP, by the header, which is known

	ICMPType, ICMPCode uint8 // of ICMP or ICMPv6, as Transport says
	SCTPChunk          uint8 // type of the first chunk
	ICMPID, ICMPSeq    uint16
	MTU                uint32 // of the next hop, in an ICMP error
	SCTPTag            uint32 // verification tag
	SPI                uint32 // ESP, AH; of the outermost if there are several
}

// Has says whether the packet had all of these fields.
func (h *Headers) Has(f Fields) bool { return h.Fields&f == f }

// Fields is a set of fields of Headers.
type Fields uint64

// The fields, each named for its field in Headers.
const (
	FieldEthDst Fields = 1 << iota
	FieldEthSrc
	FieldEtherType
	FieldVLAN      // the outer tag
	FieldVLANInner // the inner tag, which is never without an outer one
	FieldARPOp
	FieldARPSrc
	FieldARPDst
	FieldSrc
	FieldDst
	FieldTTL
	FieldTOS // DSCP and ECN
	FieldProtocol
	FieldFragment // FragmentOffset and MoreFragments; of IPv4 DontFragment
	FieldFragmentID
	FieldFlowLabel
	FieldTotalLen
	FieldSrcPort
	FieldDstPort
	FieldSeq
	FieldAck
	FieldWindow
	FieldTCPFlags
	FieldUDPLen
	FieldICMPType
	FieldICMPCode
	FieldICMPID
	FieldICMPSeq
	FieldMTU
	FieldSCTPChunk
	FieldSCTPTag
	FieldSPI
	FieldWindowScale
	FieldTCPLen
	FieldTSVal
	FieldIPOptions // of IPv4, if it has any: SourceRoute
)

// A MAC is an Ethernet address.
type MAC [6]byte

// String gives the colon form, 02:00:5e:00:53:01.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// A VLAN is one tag, of IEEE 802.1Q or 802.1ad.
type VLAN struct {
	TPID     uint16 // the ethertype that announced the tag
	ID       uint16
	Priority uint8 // PCP
	DEI      bool  // drop eligible indicator: the bit beside the priority
}

// TCPFlags are the flags of RFC 9293 and, above CWR, AE of RFC 9768 and the
// reserved bits.
type TCPFlags uint16

const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH // what came until here is for the program
	ACK
	URG // some of it is urgent
	ECE // congestion was signalled (ECN), to the sender
	CWR // the sender has reduced its window for that
)

// flagNames are by bit; the reserved ones are named for their values.
var flagNames = [...]string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ae", "0x200", "0x400", "0x800"}

// Names gives the flags that are set, in small letters, the lowest bit first.
func (f TCPFlags) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, name := range flagNames {
			if f&(1<<i) != 0 && !yield(name) {
				return
			}
		}
	}
}

// AppendTo appends the names of the flags: "syn|ack", nothing if none is set.
func (f TCPFlags) AppendTo(b []byte) []byte {
	separate := false
	for name := range f.Names() {
		if separate {
			b = append(b, '|')
		}
		b, separate = append(b, name...), true
	}
	return b
}

// String gives what AppendTo appends.
func (f TCPFlags) String() string { return string(f.AppendTo(nil)) }

// tcpLetters are tcpdump's letters for the TCP flags, from bit 0 (FIN) on.
const tcpLetters = "FSRP.UEWe"

// AppendLetters appends the flags as tcpdump does: "[S.]" is SYN and ACK.
func (f TCPFlags) AppendLetters(b []byte) []byte {
	b = append(b, '[')
	start := len(b)
	for i := range len(tcpLetters) {
		if f>>i&1 != 0 {
			b = append(b, tcpLetters[i])
		}
	}
	if len(b) == start {
		b = append(b, "none"...)
	}
	return append(b, ']')
}

// A Tunnel is what carries an inner packet.
type Tunnel struct {
	Kind  Layer  // GRE, VXLAN, Geneve or IPinIP; NoLayer without a tunnel
	ID    uint32 // VNI of VXLAN and Geneve, key of GRE
	HasID bool   // the header has an ID
}

// A Layer is a protocol that has headers of its own.
type Layer uint8

const (
	NoLayer Layer = iota
	Ethernet
	VLANTag // IEEE 802.1Q or 802.1ad
	ARP
	IPv4
	IPv6
	TCP
	UDP
	SCTP
	ICMP
	ICMPv6
	ESP    // encrypted: what is in it cannot be known
	GRE    // RFC 2784, RFC 2890
	VXLAN  // RFC 7348
	Geneve // RFC 8926
	IPinIP // IPv4 or IPv6 in IPv4 or IPv6
)

// layerNames are the names of layers in JSON and in expressions, in the order of the constants; empty: none.
var layerNames = [...]string{
	"", "ethernet", "vlan", "arp", "ipv4", "ipv6", "tcp", "udp", "sctp", "icmp", "icmpv6", "esp",
	"gre", "vxlan", "geneve", "ipip",
}

// Ethertypes of the protocols that have a Layer (include/uapi/linux/if_ether.h).
const (
	EtherIPv4 = 0x0800 // ETH_P_IP
	EtherARP  = 0x0806 // ETH_P_ARP
	EtherIPv6 = 0x86dd // ETH_P_IPV6
)

// NetworkLayer returns the layer of an ethertype, NoLayer for others than these.
func NetworkLayer(ethertype uint16) Layer {
	switch ethertype {
	case EtherIPv4:
		return IPv4
	case EtherARP:
		return ARP
	case EtherIPv6:
		return IPv6
	}
	return NoLayer
}

// String gives the name in small letters, nothing for NoLayer.
func (l Layer) String() string {
	if int(l) < len(layerNames) {
		return layerNames[l]
	}
	return "unknown"
}

// A Stop is the end of decoding.
type Stop struct {
	Why    Why   // Complete, or what ended it before
	Layer  Layer // the last that was recognised
	Offset int   // of the first byte that was not decoded: the payload, if Complete
}

// A Why says why decoding stopped.
type Why uint8

const (
	Undone          Why = iota // nothing was decoded yet
	Complete                   // every header was read, the rest is payload
	Truncated                  // the bytes end within a header
	UnknownProtocol            // what follows is of a protocol that we do not decode
	Malformed                  // a header contradicts itself or the one before
)

// String gives the word.
func (w Why) String() string {
	switch w {
	case Complete:
		return "complete"
	case Truncated:
		return "truncated"
	case UnknownProtocol:
		return "unknown protocol"
	case Malformed:
		return "malformed"
	}
	return "not decoded"
}

// A LinkType says what the bytes of a packet begin with.
type LinkType uint8

const (
	LinkEthernet LinkType = iota // an Ethernet header, on lo too
	LinkRaw                      // the network header
)
