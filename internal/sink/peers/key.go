package peers

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// By is what rows are counted by. The zero value is by peer.
type By struct {
	what byWhat
	bits int // of a network
}

// A byWhat is a kind of what rows are counted by.
type byWhat uint8

const (
	byPeer byWhat = iota
	byNetwork
	byPort
	byProcess
	byInterface
)

// byNames are the names of --by. That of a network has any number of bits.
var byNames = [...]string{byPeer: "peer", byNetwork: "net/24", byPort: "port", byProcess: "process", byInterface: "iface"}

// NeedsOwner reports whether rows are counted by what an event says only once its owner was looked up.
func (b *By) NeedsOwner() bool { return b.what == byProcess }

// Names returns values of By, for help and completion.
func Names() []string { return byNames[:] }

// Set parses peer, net/BITS, port, process or iface.
func (b *By) Set(text string) error {
	if bits, ok := strings.CutPrefix(text, "net/"); ok {
		n, err := strconv.ParseUint(bits, 10, 8)
		if err != nil || n > 128 {
			return errors.New("give net/ and a number of bits from 0 to 128")
		}
		*b = By{byNetwork, int(n)}
		return nil
	}
	for what, name := range byNames {
		if name == text {
			*b = By{what: byWhat(what)}
			return nil
		}
	}
	return fmt.Errorf("give one of: %s", strings.Join(byNames[:], ", "))
}

// String formats the value for help.
func (b *By) String() string {
	if b.what == byNetwork {
		return fmt.Sprintf("net/%d", b.bits)
	}
	return byNames[b.what]
}

// Type names the value in help where its usage does not.
func (b *By) Type() string { return "key" }

// Names of rows that have no value of their own.
const (
	others  = "(others)"
	unknown = "-"
)

// A key is what a row counts: which of its fields are set depends on By. So counting an event needs no text.
type key struct {
	direction event.Direction
	addr      netip.Addr // of the peer, or of its network
	port      uint16     // of the peer
	name      string     // of a process, an interface, or rows that have no value of their own
}

// of returns what an event is counted by.
func (b *By) of(e *event.Event) key {
	k := key{direction: e.Segment.Direction}
	switch b.what {
	case byProcess:
		k.name = cmp.Or(string(e.Owner.AppendName(nil)), unknown)
	case byInterface:
		k.name = cmp.Or(event.Escape(e.Port.IfName), unknown)
	default:
		local, remote := ends(e)
		k, _ = b.ofEnds(k.direction, local, remote)
	}
	return k
}

// ofEnds returns what a connection is counted by. Ok is false if its ends do not say it.
func (b *By) ofEnds(d event.Direction, local, remote netip.AddrPort) (k key, ok bool) {
	k.direction = d
	switch b.what {
	case byPeer:
		k.addr = remote.Addr()
	case byNetwork:
		prefix, err := remote.Addr().Prefix(min(b.bits, remote.Addr().BitLen()))
		if k.addr = prefix.Addr(); err != nil { // there is no address
			k.name = unknown
		}
	case byPort:
		k.port = min(local.Port(), remote.Port())
	default:
		return k, false
	}
	return k, true
}

// text returns what a table shows of a key.
func (b *By) text(k key) string {
	switch {
	case k.name != "":
		return k.name
	case b.what == byPort:
		return strconv.Itoa(int(k.port))
	case b.what == byNetwork:
		return netip.PrefixFrom(k.addr, min(b.bits, k.addr.BitLen())).String()
	}
	return k.addr.String()
}

// ends returns the addresses of this host and of its peer. In a capture file, the sender counts as this
// host.
func ends(e *event.Event) (local, remote netip.AddrPort) {
	f := e.Packet.Flow
	local, remote = netip.AddrPortFrom(f.Src, f.SrcPort), netip.AddrPortFrom(f.Dst, f.DstPort)
	if e.Segment.Direction == event.Incoming {
		return remote, local
	}
	return local, remote
}

// A connection identifies one of a network namespace. Addresses of IPv4 are IPv4-mapped.
type connection struct {
	netns                 uint32 // its inode
	localPort, remotePort uint16
	local, remote         [16]byte
}

// connectionOf returns the key of a connection. IPv4 addresses become IPv4-mapped ones, so that both families have one
// form.
func connectionOf(netns uint32, local, remote netip.AddrPort) connection {
	return connection{netns, local.Port(), remote.Port(), local.Addr().As16(), remote.Addr().As16()}
}

// A sent is how many segments a connection had sent at its last event, which was counted in a row.
type sent struct {
	connection
	row, segments uint32
}

// maxConnections is how many connections are remembered, those that came first. Each takes some 100 bytes.
const maxConnections = 1 << 17

// keepSent keeps how many segments the connection of an event has sent, of a live run. A connection is found by its socket,
// in much less time than by its addresses. That may be of another one by now, or have got a cookie since.
func (s *Sink) keepSent(e *event.Event, row uint32) {
	if e.Segment.Sent == 0 || e.Owner.Socket == nil || s.opts.Connections == nil {
		return
	}
	local, remote := ends(e)
	c := connectionOf(e.Netns.Inode, local, remote)
	i, known := s.bySocket[e.Owner.Socket.Cookie]
	if !known || s.sent[i].connection != c {
		if len(s.sent) >= maxConnections {
			return
		}
		i = uint32(len(s.sent))
		s.bySocket[e.Owner.Socket.Cookie], s.sent = i, append(s.sent, sent{connection: c})
	}
	s.sent[i].row, s.sent[i].segments = row, e.Segment.Sent
}
