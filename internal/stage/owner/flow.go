package owner

import (
	"time"

	"dropwatch/internal/event"
)

// The ages of tables of sockets: one is read anew after tableAge if its namespace
// is asked for, and of no use after staleAge. There are maxTables of them before
// all are forgotten.
const (
	tableAge  = time.Second
	staleAge  = 10 * time.Second
	maxTables = 64
)

// noSocket is the reason of packets that no socket was there for.
const noSocket = "NO_SOCKET"

// find gives the socket that a packet was to be received by, or else was sent from,
// by its addresses. It is the host's memory, good until the next.
func (h *host) find(e *event.Event, now time.Time) *event.Socket {
	if e.Packet.Flow == nil || e.Netns.Inode == 0 {
		return nil
	}
	protocol, src, dst, ok := ends(&e.Packet.Flow.Headers)
	if !ok {
		return nil
	}
	t := h.table(scope{e.Netns.Inode, protocol}, now)
	switch {
	case t == nil:
		return nil
	case e.Reason != noSocket && t.match(protocol, dst, src, &h.socket):
		h.socket.Receiver = true
	case !t.match(protocol, src, dst, &h.socket):
		return nil
	}
	return &h.socket
}

// ends gives what tables have of a packet. ICMP and whatever has no ports that we
// have read is not found in any.
func ends(p *event.Headers) (protocol uint8, src, dst end, ok bool) {
	if !p.Has(event.FieldSrc | event.FieldDst | event.FieldProtocol) {
		return 0, src, dst, false
	}
	src.addr, dst.addr = p.Src.As16(), p.Dst.As16()
	switch p.Protocol {
	case icmp, icmp6:
		return 0, src, dst, false
	case tcp, udp, udplite:
		src.port, dst.port = p.SrcPort, p.DstPort
		return p.Protocol, src, dst, p.Has(event.FieldSrcPort | event.FieldDstPort)
	}
	src.port, dst.port = uint16(p.Protocol), uint16(p.Protocol)
	return rawIP, src, dst, true
}

// A scope is what a table is of. One of TCP takes milliseconds even with no socket,
// as the kernel goes through all of its hash table, and others do not.
type scope struct {
	netns    uint32
	protocol uint8
}

// table gives the sockets of a scope, nil if they are not known.
func (h *host) table(of scope, now time.Time) *table {
	r := h.tables[of]
	if r == nil {
		if len(h.tables) >= maxTables {
			clear(h.tables)
		}
		r = &reading[*table]{pace: &h.pace}
		h.tables[of] = r
	}
	if r.poll(); now.Sub(r.asOf) >= tableAge {
		if s, _ := h.spaces.find(of.netns, now); s.pid != 0 {
			dir := h.proc(decimal(s.pid), "net")
			r.renew(func() *table { return readTable(dir, of.protocol) })
		}
	}
	if now.Sub(r.asOf) >= staleAge {
		return nil
	}
	return r.value
}
