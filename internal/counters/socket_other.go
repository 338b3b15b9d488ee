package counters

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/host"
	"dropwatch/internal/kernel"
)

// Sizes and values of include/uapi/linux/packet_diag.h.
const (
	sizeofPacketDiagReq = 20
	sizeofPacketDiagMsg = 16

	packetShowInfo    = 0x01
	packetShowMemInfo = 0x10
	packetDiagInfo    = 0
	packetDiagMemInfo = 6

	afPacket = 17
)

// netlinkNames are the families of netlink sockets by the names of ss.
var netlinkNames = map[string]string{
	"0": "rtnl", "4": "tcpdiag", "6": "xfrm", "7": "selinux", "8": "iscsi", "9": "audit", "10": "fiblkup", "12": "nft", "15": "uevent",
	"16": "genl", "18": "scsi-trans",
}

// packetSockets reads the drops and the receive buffer of each packet socket. What a
// socket with a ring (PACKET_RX_RING, as of tcpdump) drops, the kernel tells its owner
// only.
func (r *reading) packetSockets() error {
	names, err := r.linkNames()
	if err != nil {
		return err
	}
	request := make([]byte, sizeofPacketDiagReq)
	request[0] = afPacket
	binary.NativeEndian.PutUint32(request[8:], packetShowInfo|packetShowMemInfo)
	return sockets(request, func(message []byte) error { return r.packetSocket(message, names) })
}

// packetSocket adds the counters of one (struct packet_diag_msg, struct
// packet_diag_info). One of all interfaces belongs to none. What it drops are copies, so
// that they are counted under a name of their own.
func (r *reading) packetSocket(message []byte, names map[uint32]string) error {
	if err := kernel.CheckSize(message, sizeofPacketDiagMsg, "a packet socket"); err != nil {
		return err
	}
	protocol, inode := binary.NativeEndian.Uint16(message[2:]), binary.NativeEndian.Uint32(message[4:])
	c := Counter{Key: Key{Object: fmt.Sprintf("packet protocol 0x%04x inode %d", protocol, inode)}, Inode: uint64(inode)}
	var memory []byte
	err := kernel.EachAttribute(message[sizeofPacketDiagMsg:], func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case packetDiagInfo:
			if b := a.Bytes(); len(b) >= 4 {
				c.IfName = names[binary.NativeEndian.Uint32(b)]
			}
		case packetDiagMemInfo:
			memory = a.Bytes()
		}
	})
	if err == nil {
		r.socketMemory(c, "capture_drops", memory, true)
	}
	return err
}

// netlinkSockets reads the drops of the netlink sockets of programs (net/netlink/
// af_netlink.c netlink_native_seq_show), which are messages of the kernel, not packets, so that
// they are counted under a name of their own. A socket is known by its inode.
func (r *reading) netlinkSockets() error {
	text, err := r.host.ReadFile(netFile("netlink"))
	if err != nil {
		return err
	}
	_, rows, _ := strings.Cut(string(text), "\n")
	for line := range strings.Lines(rows) {
		f := strings.Fields(line) // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
		if len(f) < 10 || f[2] == "0" {
			continue // what is of the kernel has port 0
		}
		drops, err := strconv.ParseUint(f[8], 10, 32)
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		family := netlinkNames[f[1]]
		if family == "" {
			family = f[1]
		}
		object := fmt.Sprintf("netlink %s:%s inode %s", family, f[2], f[9])
		inode, _ := strconv.ParseUint(f[9], 10, 64)
		r.addSparse(Counter{Key: Key{Object: object}, Inode: inode}, "netlink_drops", uint32(drops))
	}
	return nil
}

// rawSockets reads the drops of raw sockets from /proc/net/raw or raw6 (net/ipv4/raw.c
// raw_sock_seq_show, net/ipv6/datagram.c __ip6_dgram_sock_seq_show), which do not say how large
// their buffers are. The port of a raw socket is its protocol, as sock_diag has it.
func (r *reading) rawSockets(file string) error {
	text, err := r.host.ReadFile(netFile(file))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		host.ParseSockets(strings.NewReader(line), file == "raw6", func(s host.Socket) {
			f := strings.Fields(line) // drops are the last
			drops, _ := strconv.ParseUint(f[len(f)-1], 10, 32)
			raw := inetSocket{local: netip.AddrPortFrom(netip.AddrFrom16(s.Local.Addr).Unmap(), s.Local.Port), inode: uint32(s.Inode)}
			r.addSparse(Counter{Key: Key{Object: raw.object("raw")}, Inode: s.Inode, Part: true}, "drops", uint32(drops))
		})
	}
	return nil
}
