package drops

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
)

// The two ends of the wire.
const (
	nearMAC = "02:00:00:00:00:01"
	farMAC  = "02:00:00:00:00:02"
)

// An ipv4 is a packet to be sent by hand.
type ipv4 struct {
	src, dst  string
	ttl       byte // 0 means 64
	transport byte // protocol
	payload   []byte
}

// frame gives the packet with an Ethernet header, addressed to the far end, and
// the right checksum of its IP header.
func (p ipv4) frame() []byte {
	far, _ := net.ParseMAC(farMAC)
	near, _ := net.ParseMAC(nearMAC)
	b := append(append(far, near...), 8, 0)
	ttl := p.ttl
	if ttl == 0 {
		ttl = 64
	}
	h := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, ttl, p.transport, 0, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(p.payload)))
	h = append(h, netip.MustParseAddr(p.src).AsSlice()...)
	h = append(h, netip.MustParseAddr(p.dst).AsSlice()...)
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(append(b, h...), p.payload...)
}

// checksum is that of RFC 1071, of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// udpHeader is a datagram to Port without data, with this checksum.
func udpHeader(sum uint16) []byte {
	b := []byte{0x30, 0x39, 0, Port, 0, 8, 0, 0}
	binary.BigEndian.PutUint16(b[6:], sum)
	return b
}

// badSYN asks Port for a connection, with a checksum that is wrong.
func badSYN() []byte {
	return []byte{0x30, 0x39, 0, Port, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0xba, 0xad, 0, 0}
}

// inject sends a frame n times into an interface, as if it came from the wire.
func inject(iface string, frame []byte, n int) error {
	link, err := net.InterfaceByName(iface)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	for range n {
		if err := syscall.Sendto(fd, frame, 0, &syscall.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
			return err
		}
	}
	return nil
}

// MarkType is the ethertype of [Mark]'s packets: local experiments (IEEE 802).
const MarkType = 0x88b5

// Mark loses n packets on the machine's own lo. Who sees one is watching.
func Mark(n int) error {
	return inject("lo", append(make([]byte, 12), MarkType>>8, MarkType&0xff), n)
}
