package owner

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// Ages of socket tables: a table is read again after tableTTL, when it is needed, and not used after
// tableMaxAge. When there are maxTables, all are forgotten.
const (
	tableTTL    = time.Second
	tableMaxAge = 10 * time.Second
	maxTables   = 64
)

// noSocket is the reason of packets for which there was no socket.
const noSocket = "NO_SOCKET"

// findSocket finds, by the addresses of a packet, the socket that was to receive it, or else the one
// that sent it. The result is valid until the next call. Pending reports that the sockets of the
// namespace have not been read yet.
func (f *finder) findSocket(e *event.Event, now time.Time) (s *event.Socket, pending bool) {
	if e.Packet.Flow == nil || e.Netns.Inode == 0 {
		return nil, false
	}
	protocol, src, dst, ok := endpoints(&e.Packet.Flow.Headers)
	if !ok {
		return nil, false
	}
	t, pending := f.table(scope{e.Netns.Inode, protocol}, now)
	switch {
	case t == nil:
		return nil, pending
	case e.Reason != noSocket && t.match(protocol, dst, src, &f.socket):
		f.socket.Receiver = true
	case !t.match(protocol, src, dst, &f.socket):
		return nil, false
	}
	return &f.socket, false
}

// endpoints returns the protocol and addresses by which tables list the sockets of a packet. Ok is
// false if none does: for ICMP, and if ports are not known.
func endpoints(p *event.Headers) (protocol uint8, src, dst host.Endpoint, ok bool) {
	if !p.Has(event.FieldSrc | event.FieldDst | event.FieldProtocol) {
		return 0, src, dst, false
	}
	src.Addr, dst.Addr = p.Src.As16(), p.Dst.As16()
	switch p.Protocol {
	case icmp, icmp6:
		return 0, src, dst, false
	case tcp, udp, udplite:
		src.Port, dst.Port = p.SrcPort, p.DstPort
		return p.Protocol, src, dst, p.Has(event.FieldSrcPort | event.FieldDstPort)
	}
	src.Port, dst.Port = uint16(p.Protocol), uint16(p.Protocol)
	return rawIP, src, dst, true
}

// A scope is what a table has the sockets of. There is a table for each protocol because that of TCP
// takes milliseconds to read, even without sockets: the kernel walks its whole hash table.
type scope struct {
	netns    uint32 // its inode
	protocol uint8
}

// table returns the table of a scope, or nil if it was not read. Pending reports that it may be soon.
func (f *finder) table(of scope, now time.Time) (t *table, pending bool) {
	r := f.tables[of]
	if r == nil {
		if len(f.tables) >= maxTables {
			clear(f.tables)
		}
		r = &reading[*table]{pace: &f.pace}
		f.tables[of] = r
	}
	pending = true
	if r.poll(); now.Sub(r.asOf) >= tableTTL {
		n, _, unread := f.netns.find(of.netns, now)
		if pending = n.PID != 0 || unread; n.PID != 0 {
			r.renew(func() *table { return readTable(f.host, n.PID, of.protocol) })
		}
	}
	if now.Sub(r.asOf) >= tableMaxAge {
		return nil, pending
	}
	return r.value, false
}
