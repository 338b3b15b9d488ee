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

type byWhat uint8

const (
	byPeer byWhat = iota
	byNetwork
	byPort
	byProcess
	byInterface
)

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

// name returns what an event is counted by.
func (b *By) name(e *event.Event) string {
	local, remote := ends(e)
	switch b.what {
	case byProcess:
		return cmp.Or(string(e.Owner.AppendName(nil)), unknown)
	case byInterface:
		return cmp.Or(event.Escape(e.Port.IfName), unknown)
	}
	return b.ofEnds(local, remote)
}

// ofEnds returns what a connection is counted by, nothing if its ends do not say it.
func (b *By) ofEnds(local, remote netip.AddrPort) string {
	switch b.what {
	case byPeer:
		return remote.Addr().String()
	case byNetwork:
		addr := remote.Addr()
		prefix, err := addr.Prefix(min(b.bits, addr.BitLen()))
		if err != nil { // there is no address
			return unknown
		}
		return prefix.String()
	case byPort:
		return strconv.Itoa(int(min(local.Port(), remote.Port())))
	}
	return ""
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

// A connection identifies one of a network namespace. It has no pointers: so it is found in a map in less time. Addresses
// of IPv4 are IPv4-mapped.
type connection struct {
	netns                 uint32
	localPort, remotePort uint16
	local, remote         [16]byte
}

func connectionOf(netns uint32, local, remote netip.AddrPort) connection {
	return connection{netns, local.Port(), remote.Port(), local.Addr().As16(), remote.Addr().As16()}
}

// ends returns the addresses of this host and of its peer.
func (c *connection) ends() (local, remote netip.AddrPort) {
	end := func(address [16]byte, port uint16) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom16(address).Unmap(), port)
	}
	return end(c.local, c.localPort), end(c.remote, c.remotePort)
}

// keepSent keeps how many segments the connection of an event has sent.
func (r *row) keepSent(e *event.Event) {
	if e.Segment.Sent == 0 {
		return
	}
	if r.sent == nil {
		r.sent = make(map[connection]uint32)
	}
	local, remote := ends(e)
	c := connectionOf(e.Netns.Inode, local, remote)
	if len(r.sent) >= maxRows {
		if _, kept := r.sent[c]; !kept {
			return
		}
	}
	r.sent[c] = e.Segment.Sent
}
