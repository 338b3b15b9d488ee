package counters

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
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
	Sent          uint64        // segments, with those sent again (tcpi_segs_out)
	Retransmitted uint64        // of these (tcpi_total_retrans)
	Arrived       uint64        // of these, those that had arrived, as the peer says (tcpi_dsack_dups); 0 before Linux 4.19
	RTT           time.Duration // smoothed (tcpi_rtt); 0 if none was measured yet
}

// Connections returns the TCP connections in the namespaces that r reads, or with Helper in all. It fails if ctx ends or,
// with Helper, if that cannot be run, or if a connection is held ([ErrHeld]): then it returns those that were read before. A
// namespace that cannot be read has none. It takes some microseconds for each.
func (r *Reader) Connections(ctx context.Context) (all []Connection, err error) {
	if len(r.Helper) > 0 {
		return r.askHelper(ctx)
	}
	err = r.eachConnection(ctx, func(c *Connection) error {
		if c.Local.IsValid() {
			all = append(all, *c)
		}
		return nil
	})
	return all, err
}

// eachConnection calls use with each connection in the namespaces that r reads, and with an empty one before each question to
// the kernel. It fails as use does, or if ctx ends.
func (r *Reader) eachConnection(ctx context.Context, use func(*Connection) error) (failed error) {
	read := func(n event.Netns) {
		for _, family := range []uint8{kernel.AFInet, kernel.AFInet6} {
			if failed == nil {
				failed = connectionsOf(n, family, use)
			}
		}
	}
	if r.Netns == nil {
		read(event.Netns{Inode: r.Host.Netns()})
	} else {
		r.eachNamespace(ctx, read)
	}
	return errors.Join(failed, ctx.Err())
}

// connectionsOf calls use with each connection of a family in the network namespace of the thread. It fails as use does, and
// with ErrHeld if one is held for which segments wait.
func connectionsOf(n event.Netns, family uint8, use func(*Connection) error) error {
	request := inetDiagRequest(family, protocolTCP, tcpStates&^(1<<stateListen))
	if held(request) {
		return ErrHeld
	}
	failed := use(new(Connection))
	request[2] = 1 << (inetDiagInfo - 1)
	_ = sockets(request, func(message []byte) error {
		c, err := parseConnection(message)
		if c.Netns = n; err == nil && failed == nil {
			failed = use(&c)
		}
		return errors.Join(err, failed)
	})
	return failed
}

// Limits of held. A connection that receives fast has segments that wait at many looks, but not at each one.
const (
	looks    = 20
	lookTime = 50 * time.Millisecond
)

// held reports whether a system call holds one of the connections that a request selects: segments wait for it at each of
// several looks, in a second. The kernel waits for the end of the call, in which nothing can interrupt it, before it says what
// the connection has sent (tcp_get_info): also for ever, as if the call waits for a page that does not come. Before Linux 6.9 all
// others that ask for sockets, such as ss, then wait, too (sock_diag_mutex): so it is better not to ask. A connection
// without traffic that is held so is not noticed: for that there is [Reader.Helper].
func held(request []byte) bool {
	waiting := segmentsWait(request)
	for range looks {
		if len(waiting) == 0 {
			return false
		}
		time.Sleep(lookTime)
		again := segmentsWait(request)
		maps.DeleteFunc(waiting, func(c connection, _ bool) bool { return !again[c] })
	}
	return len(waiting) > 0
}

// A connection is one of a network namespace.
type connection struct{ local, remote netip.AddrPort }

// segmentsWait returns the connections for which segments wait until a system call ends (sk_backlog).
func segmentsWait(request []byte) map[connection]bool {
	all := make(map[connection]bool)
	_ = sockets(request, func(message []byte) error {
		s, err := parseInetDiag(message)
		if err == nil && memoryOf(s.memory, skMemBacklog) > 0 {
			all[connection{s.local, s.remote}] = true
		}
		return err
	})
	return all
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
