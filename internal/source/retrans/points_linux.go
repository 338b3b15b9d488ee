package retrans

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"dropwatch/internal/perf"
)

// A point is a tracepoint as this kernel has it (include/trace/events/tcp.h). All but the addresses may be
// missing: their Size is 0 then.
type point struct {
	name string // as tracefs has it
	kind retransKind
	id   uint64

	number, state, err, reason perf.Field // number is that of the event
	src, dst, srcPort, dstPort perf.Field // of this host, and of its peer
	size                       int        // bytes that a hit has at least
	reasons                    map[uint64]string
}

// tracepoints are those that are read, in this order; the last two with Options.Resets.
var tracepoints = []point{
	{name: "tcp/tcp_retransmit_skb", kind: retransKindRETRANSMIT},
	{name: "tcp/tcp_retransmit_synack", kind: retransKindSYNACK},
	{name: "tcp/tcp_send_reset", kind: retransKindSEND_RESET},
	{name: "tcp/tcp_receive_reset", kind: retransKindRECEIVE_RESET},
}

// Sizes of addresses in bytes: of IPv6, in which IPv4 is mapped, and of a struct sockaddr_in6, in which
// tcp_send_reset has addresses and ports since Linux 6.10.
const addressLen, sockaddrLen = 16, 28

// with returns the tracepoint by its format.
func (p point) with(f perf.Format) (point, error) {
	p.id, p.reasons = f.ID, f.Symbols["reason"]
	p.number, p.state, p.err, p.reason = f.Fields[perf.EventField], f.Fields["state"], f.Fields["err"], f.Fields["reason"]
	p.src, p.dst, p.srcPort, p.dstPort = f.Fields["saddr_v6"], f.Fields["daddr_v6"], f.Fields["sport"], f.Fields["dport"]
	if p.src.Size == 0 {
		p.src, p.dst = f.Fields["saddr"], f.Fields["daddr"]
	}
	mapped := p.src.Size == addressLen && p.dst.Size == addressLen && p.srcPort.Size == 2 && p.dstPort.Size == 2
	whole := p.src.Size == sockaddrLen && p.dst.Size == sockaddrLen
	if !p.number.Integer() || !mapped && !whole {
		return p, fmt.Errorf("read %s: %w: it has no addresses and ports that can be read", p.name, perf.ErrFormat)
	}
	for _, d := range []*perf.Field{&p.state, &p.err, &p.reason} {
		if !d.Integer() {
			*d = perf.Field{}
		}
	}
	for _, d := range []perf.Field{p.number, p.state, p.err, p.reason, p.src, p.dst, p.srcPort, p.dstPort} {
		p.size = max(p.size, d.Offset+d.Size)
	}
	return p, nil
}

// value returns an integer of a hit, 0 if this kernel does not have it.
func value(d perf.Field, raw []byte) uint64 {
	if d.Size == 0 {
		return 0
	}
	return d.Load(raw)
}

// ends returns the addresses and ports of a hit: of this host and of its peer.
func (p *point) ends(raw []byte) (local, remote netip.AddrPort) {
	if p.src.Size == sockaddrLen {
		return sockaddr(raw[p.src.Offset:]), sockaddr(raw[p.dst.Offset:])
	}
	end := func(address, port perf.Field) netip.AddrPort {
		a := netip.AddrFrom16([addressLen]byte(raw[address.Offset:])).Unmap()
		return netip.AddrPortFrom(a, uint16(port.Load(raw)))
	}
	return end(p.src, p.srcPort), end(p.dst, p.dstPort)
}

// sockaddr returns what a struct sockaddr_in or sockaddr_in6 has; nothing of another family.
func sockaddr(b []byte) netip.AddrPort {
	port := binary.BigEndian.Uint16(b[2:])
	switch binary.NativeEndian.Uint16(b) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([addressLen]byte(b[8:])).Unmap(), port)
	}
	return netip.AddrPort{}
}
