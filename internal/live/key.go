// Package live counts drops, or what TCP sends again, by the second while it happens, for a
// screen: how many there are of each kind, in the last minute and in all, and what the latest
// of them were. Its memory is bounded.
package live

import (
	"cmp"
	"fmt"
	"strconv"

	"dropwatch/internal/event"
)

// A Key is a property by which events are grouped.
type Key uint8

const (
	Location Key = iota
	Reason
	Interface
	Owner
	Netns
	Protocol  // of the network layer: a count of drops has no other
	Peer      // the address at the other end of the connection
	Direction // of a segment: whether this host sent it
	Type      // why TCP sends a segment again, or that it is a RST
	Lost      // whether this host dropped what is sent again

	Keys = iota // the number of keys
)

// keyNames are the titles of columns.
var keyNames = [Keys]string{
	"location", "reason", "interface", "owner", "netns", "protocol", "peer", "direction", "type", "lost",
}

// String returns the name in small letters.
func (k Key) String() string {
	if int(k) < len(keyNames) {
		return keyNames[k]
	}
	return "unknown"
}

// Names has the text of an event for each Key of the Subject, ready to print: escaped, and "-"
// for what is not known. For other keys, and keys that are not in a Group, it is empty.
type Names [Keys]string

// A Group is a set of keys.
type Group uint16

// GroupOf returns the set of these keys.
func GroupOf(keys ...Key) (g Group) {
	for _, k := range keys {
		g |= 1 << k
	}
	return g
}

// Has reports whether k is in the set.
func (g Group) Has(k Key) bool { return g&GroupOf(k) != 0 }

// of returns n without the names of keys outside the set.
func (g Group) of(n Names) Names {
	for k := range Key(Keys) {
		if !g.Has(k) {
			n[k] = ""
		}
	}
	return n
}

// A kindKey has everything that distinguishes kinds of events. It is comparable.
type kindKey struct {
	where   event.Where
	reason  string     // empty: none
	port    event.Port // the interface
	netns   event.Netns
	proto   int // the ethertype; -1: not known
	owner   ownerKey
	guessed bool // the owner is only likely
	segment segmentKey
	point   pointKey
	other   bool // it stands for all kinds without room
}

// An ownerKey is what an owner is named by: less than the owner, of which each
// socket would be a kind.
type ownerKey struct {
	process     event.Process
	unit        string
	container   string // its name, or else its ID
	pod, podsNS string
}

// keyOf returns the key of the kind to which an event belongs.
func keyOf(e *event.Event) kindKey {
	k := kindKey{where: e.Where, reason: e.Reason, port: e.Port, netns: e.Netns, proto: -1, segment: segmentKeyOf(e), point: pointKeyOf(e)}
	if e.Packet.HasProto {
		k.proto = int(e.Packet.Proto)
	}
	o := &e.Owner
	k.owner = ownerKey{o.Process, o.Unit, cmp.Or(o.Container.Name, o.Container.ID), o.Pod.Name, o.Pod.Namespace}
	k.guessed = k.owner != (ownerKey{}) && o.Guessed()
	return k
}

// overflow returns the key of Other.
func (kindKey) overflow() kindKey { return kindKey{other: true} }

// unowned returns the key of the same kind without an owner.
func (k kindKey) unowned() kindKey {
	k.owner, k.guessed = ownerKey{}, false
	return k
}

// appendName appends a name, escaped, as a process or an interface may have any bytes; - for none.
func appendName(b []byte, name string) []byte {
	if name == "" {
		return append(b, '-')
	}
	return append(b, event.Escape(name)...)
}

// appendPort appends the name of an interface or, of one without, its index as in if7; - if neither is known.
func appendPort(b []byte, p *event.Port) []byte {
	if p.IfName == "" && p.IfIndex != 0 {
		return strconv.AppendUint(append(b, "if"...), uint64(p.IfIndex), 10)
	}
	return appendName(b, p.IfName)
}

// appendNetns appends the name of a network namespace or, of one without, its inode number; - if neither is known.
func appendNetns(b []byte, n *event.Netns) []byte {
	if n.Name == "" && n.Inode != 0 {
		return strconv.AppendUint(b, uint64(n.Inode), 10)
	}
	return appendName(b, n.Name)
}

// appendOwner appends the owner by its shortest name; "-" if nothing is known.
func appendOwner(b []byte, o *event.Owner) []byte {
	start := len(b)
	if b = o.AppendName(b); len(b) == start {
		b = append(b, '-')
	}
	return b
}

// appendProtocol appends the network protocol, or its ethertype if it has no name
// here.
func appendProtocol(b []byte, p *event.Packet) []byte {
	if l := event.NetworkLayer(p.Proto); l != event.NoLayer {
		return append(b, l.String()...)
	}
	if !p.HasProto {
		return append(b, '-')
	}
	return fmt.Appendf(b, "0x%04x", p.Proto)
}
