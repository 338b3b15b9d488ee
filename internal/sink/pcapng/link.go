package pcapng

import (
	"encoding/binary"
	"errors"
	"slices"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A Link is how packets of different link types share a file. Wireshark reads a file
// with several, tcpdump and other readers of libpcap only one.
type Link uint8

const (
	AsReported   Link = iota // each packet has the link type with which it was reported
	OnlyEthernet             // packets without a link header get an Ethernet header of zeros
	OnlyRaw                  // packets begin with the IP header; others are kept without bytes
)

// linkNames are the values of the flag, by Link.
var linkNames = [...]string{"any", "ethernet", "raw"}

// LinkNames returns the values that [Link.Set] accepts.
func LinkNames() []string { return slices.Clone(linkNames[:]) }

// Set sets the link from the value of a flag.
func (l *Link) Set(text string) error {
	n := slices.Index(linkNames[:], text)
	if n < 0 {
		return errors.New("give any, ethernet or raw")
	}
	*l = Link(n)
	return nil
}

// String returns the value that Set accepts for it.
func (l *Link) String() string { return linkNames[*l] }

// Type returns the word for a value in the help of the flag.
func (l *Link) Type() string { return "string" }

// Link types of https://www.tcpdump.org/linktypes.html.
const (
	linkEthernet = 1   // LINKTYPE_ETHERNET
	linkRaw      = 101 // LINKTYPE_RAW
	linkNone     = 147 // LINKTYPE_USER0, for packets without bytes
)

// of returns the link type that a packet has in the file.
func (l Link) of(p *event.Packet) uint16 {
	switch {
	case l == OnlyEthernet:
		return linkEthernet
	case l == OnlyRaw:
		return linkRaw
	case len(p.Data) == 0:
		return linkNone
	case p.Link == event.LinkRaw:
		return linkRaw
	}
	return linkEthernet
}

// A content is the bytes of a packet as they are in the file.
type content struct {
	header [etherLen]byte // a made-up header, of which the first made bytes are used
	made   int
	data   []byte // behind the header
	size   uint32 // bytes of the whole packet, with the header
	note   string // for the comment: what was changed
}

// etherLen is the length of an Ethernet header in bytes.
const etherLen = 14

// content returns the bytes of a packet for a file with this Link. They share the packet's memory.
func (l Link) content(p *event.Packet) content {
	c := content{data: p.Data, size: max(uint32(len(p.Data)), p.Len)}
	switch {
	case len(p.Data) == 0:
	case l == OnlyEthernet && p.Link == event.LinkRaw:
		c.made, c.note = etherLen, ", with an Ethernet header made up of zeros"
		binary.BigEndian.PutUint16(c.header[12:], protocolOf(p))
		c.size += etherLen
	case l == OnlyRaw && p.Link == event.LinkEthernet:
		c.stripLink()
	}
	return c
}

// stripLink removes the Ethernet header and VLAN tags. If no IP packet follows, it removes all bytes.
func (c *content) stripLink() {
	at := 12 // of the ethertype
	for len(c.data) >= at+2 && slices.Contains(condition.Tags[:], binary.BigEndian.Uint16(c.data[at:])) {
		at += 4
	}
	if len(c.data) < at+2 || !isIP(binary.BigEndian.Uint16(c.data[at:])) {
		c.data, c.note = nil, ", without its bytes, which are not IP"
		return
	}
	c.data, c.size = c.data[at+2:], c.size-uint32(at+2)
}

// isIP reports whether an ethertype is one of those that LINKTYPE_RAW is for, which has none of its own.
func isIP(ethertype uint16) bool { return ethertype == event.EtherIPv4 || ethertype == event.EtherIPv6 }

// protocolOf returns the ethertype of a packet that begins with its network header.
func protocolOf(p *event.Packet) uint16 {
	switch {
	case p.HasProto && p.Proto != 0:
		return p.Proto
	case p.Data[0]>>4 == 6:
		return event.EtherIPv6
	}
	return event.EtherIPv4
}
