package drops

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// The two ends of the wire.
const (
	NearMAC = "02:00:00:00:00:01"
	FarMAC  = "02:00:00:00:00:02"
)

// An IPv4 is a packet that is built here, so that its headers can be wrong.
type IPv4 struct {
	Src, Dst string
	ID       uint16
	TTL      byte   // 0 means 64
	Flags    uint16 // and the offset of a fragment, in 8 bytes
	Protocol byte
	Payload  []byte
}

// Flags of an IP header (include/net/ip.h).
const (
	DontFragment  = 0x4000
	MoreFragments = 0x2000
)

// Frame returns the packet with an Ethernet header, addressed to the far end of the wire,
// and with a correct IP checksum.
func (p IPv4) Frame() []byte {
	h := []byte{0x45, 0, 0, 0, byte(p.ID >> 8), byte(p.ID), byte(p.Flags >> 8), byte(p.Flags), cmp.Or(p.TTL, 64), p.Protocol, 0, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(p.Payload)))
	h = append(h, netip.MustParseAddr(p.Src).AsSlice()...)
	h = append(h, netip.MustParseAddr(p.Dst).AsSlice()...)
	binary.BigEndian.PutUint16(h[10:], Checksum(h))
	return Ethernet(FarMAC, 0x0800, append(h, p.Payload...))
}

// Ethernet returns a frame from the near end of the wire.
func Ethernet(dst string, ethertype uint16, payload []byte) []byte {
	to, _ := net.ParseMAC(dst)
	from, _ := net.ParseMAC(NearMAC)
	return append(append(append(to, from...), byte(ethertype>>8), byte(ethertype)), payload...)
}

// Checksum returns the checksum of RFC 1071.
func Checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// UDPHeader returns a datagram to Port without data, with this checksum.
func UDPHeader(sum uint16) []byte {
	b := []byte{0x30, 0x39, 0, Port, 0, 8, 0, 0}
	binary.BigEndian.PutUint16(b[6:], sum)
	return b
}

// BadSYN returns a request for a connection to Port, with a wrong checksum.
func BadSYN() []byte {
	return []byte{0x30, 0x39, 0, Port, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0xba, 0xad, 0, 0}
}

// inject sends a frame n times to an interface, by a packet socket.
func inject(iface string, frame []byte, n int) error {
	return injectWith(iface, slices.Repeat([][]byte{frame}, n), func(int) error { return nil })
}

// injectWith sends frames to an interface by one socket with an option: to close one takes
// milliseconds.
func injectWith(iface string, frames [][]byte, option func(fd int) error) error {
	link, err := net.InterfaceByName(iface)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := option(fd); err != nil {
		return err
	}
	for _, frame := range frames {
		if err := syscall.Sendto(fd, frame, 0, &syscall.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
			return err
		}
	}
	return nil
}

// Inject sends a frame n times to an interface of the namespace.
func (ns *Namespace) Inject(iface string, frame []byte, n int) {
	ns.t.Helper()
	ns.Do(func() error { return inject(iface, frame, n) })
}

// ProbeType is the ethertype of the packets of [DropProbes]: Local Experimental Ethertype 1
// of IEEE 802.
const ProbeType = 0x88b5

// DropProbes drops n packets of [ProbeType] on lo of the host. A source that reports them
// is running.
func DropProbes(n int) error {
	return inject("lo", append(make([]byte, 12), ProbeType>>8, ProbeType&0xff), n)
}

// InjectAll sends frames to an interface of the namespace, in their order.
func (ns *Namespace) InjectAll(iface string, frames ...[]byte) {
	ns.t.Helper()
	ns.Do(func() error { return injectWith(iface, frames, func(int) error { return nil }) })
}

// InjectJoined is Inject of TCP segments that were joined to one packet (GRO), each with so
// many bytes of data. The kernel completes its checksum.
func (ns *Namespace) InjectJoined(iface string, frame []byte, size, n int) {
	ns.t.Helper()
	const vnetHeader = 15                            // PACKET_VNET_HDR
	header := []byte{1, 1, 0, 0, 0, 0, 34, 0, 16, 0} // struct virtio_net_hdr: VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4
	binary.NativeEndian.PutUint16(header[2:], 54)
	binary.NativeEndian.PutUint16(header[4:], uint16(size))
	ns.Do(func() error {
		return injectWith(iface, slices.Repeat([][]byte{append(header, frame...)}, n), func(fd int) error {
			return syscall.SetsockoptInt(fd, syscall.SOL_PACKET, vnetHeader, 1)
		})
	})
}

// DropStrays drops n datagrams on lo of the host that no socket has sent.
func DropStrays(n int) error {
	p := IPv4{Src: "127.0.0.1", Dst: "127.0.0.1", Protocol: syscall.IPPROTO_UDP, Payload: UDPHeader(0)}
	return inject("lo", append(make([]byte, 12), p.Frame()[12:]...), n)
}
