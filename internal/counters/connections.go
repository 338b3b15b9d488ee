package counters

import (
	"context"
	"encoding/binary"
	"net/netip"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/kernel"
)

// A Connection is a TCP connection of a host, with what it has sent since it was made.
type Connection struct {
	Netns         event.Netns
	Inode         uint64 // of its socket; 0 if no program has it open any more
	Local, Remote netip.AddrPort
	Sent          uint64 // segments, with those sent again (tcpi_segs_out)
	Retransmitted uint64 // of these (tcpi_total_retrans)
	Arrived       uint64 // of these, those that had arrived, as the peer says (tcpi_dsack_dups); 0 before Linux 4.19
	RTT           time.Duration
}

// Connections returns the TCP connections in the namespaces that r reads. It fails only if ctx
// ends: a namespace that cannot be read has none. It takes about a microsecond for each.
func (r *Reader) Connections(ctx context.Context) (all []Connection, err error) {
	read := func(n event.Netns) {
		for _, family := range []uint8{kernel.AFInet, kernel.AFInet6} {
			request := inetDiagRequest(family, protocolTCP, tcpStates&^(1<<stateListen))
			request[2] = 1 << (inetDiagInfo - 1)
			_ = sockets(request, func(message []byte) error {
				c, err := parseConnection(message)
				if c.Netns = n; err == nil {
					all = append(all, c)
				}
				return err
			})
		}
	}
	if r.Netns == nil {
		read(event.Netns{Inode: r.Host.Netns()})
	} else {
		r.eachNamespace(ctx, read)
	}
	return all, ctx.Err()
}

// Places in struct tcp_info (include/uapi/linux/tcp.h).
const (
	protocolTCP  = 6
	inetDiagInfo = 2

	infoRTT, infoTotalRetrans, infoSegsOut, infoDSACKDups = 68, 100, 136, 216
)

// parseConnection reads a struct inet_diag_msg with a struct tcp_info. Of IPv4 on an IPv6 socket the
// addresses are IPv4, as on the wire.
func parseConnection(message []byte) (c Connection, err error) {
	s, err := parseInetDiag(message)
	if err != nil {
		return c, err
	}
	c.Inode, c.Local, c.Remote = uint64(s.inode), unmapped(s.local), unmapped(s.remote)
	info := kernel.Attribute(message[sizeofInetDiagMsg:], inetDiagInfo)
	c.RTT = time.Duration(infoNumber(info, infoRTT)) * time.Microsecond
	c.Retransmitted, c.Sent = infoNumber(info, infoTotalRetrans), infoNumber(info, infoSegsOut)
	c.Arrived = infoNumber(info, infoDSACKDups)
	return c, nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// infoNumber returns a number of 32 bits, 0 if an older kernel does not have it.
func infoNumber(info []byte, at int) uint64 {
	if at+4 > len(info) {
		return 0
	}
	return uint64(binary.NativeEndian.Uint32(info[at:]))
}
