// Package live counts drops by the second while they happen, for somebody who
// looks on: how many there are of each kind, in the last minute and in all, and
// what the latest of them were. Its memory is bounded.
package live

import (
	"fmt"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// A Key is something that drops are told apart by.
type Key uint8

const (
	Place Key = iota
	Reason
	Interface
	Owner
	Netns
	Protocol // of the network layer: all that a count of drops has

	Keys = iota // how many there are
)

var keyNames = [Keys]string{"place", "reason", "interface", "owner", "netns", "protocol"}

// String gives the name in small letters.
func (k Key) String() string {
	if int(k) < len(keyNames) {
		return keyNames[k]
	}
	return "unknown"
}

// Names are what a drop is by each Key, ready to print: escaped, and "-" if that
// is not known. Those of keys that are not asked for are empty.
type Names [Keys]string

// A Group is a set of keys.
type Group uint8

// GroupOf gives the set of these keys.
func GroupOf(keys ...Key) (g Group) {
	for _, k := range keys {
		g |= 1 << k
	}
	return g
}

// Has says whether k is in the set.
func (g Group) Has(k Key) bool { return g&GroupOf(k) != 0 }

// of gives only the names of the set.
func (g Group) of(n Names) Names {
	for k := range Key(Keys) {
		if !g.Has(k) {
			n[k] = ""
		}
	}
	return n
}

// appendNames appends what a drop of an owner is by each key, each followed by a
// NUL, which no name has.
func appendNames(b []byte, e *event.Event, o *event.Owner) []byte {
	b = append(e.Where.AppendTo(b), 0)
	b = append(appendName(b, e.Reason), 0)
	b = append(appendPort(b, &e.Port), 0)
	b = append(appendOwner(b, o), 0)
	b = append(appendNetns(b, &e.Netns), 0)
	return append(appendProtocol(b, &e.Packet), 0)
}

// splitNames is the reverse of appendNames.
func splitNames(b string) (n Names) {
	for k := range n {
		n[k], b, _ = strings.Cut(b, "\x00")
	}
	return n
}

func appendName(b []byte, name string) []byte {
	if name == "" {
		return append(b, '-')
	}
	return append(b, event.Escape(name)...)
}

func appendPort(b []byte, p *event.Port) []byte {
	if p.IfName == "" && p.IfIndex != 0 {
		return strconv.AppendUint(append(b, '#'), uint64(p.IfIndex), 10)
	}
	return appendName(b, p.IfName)
}

func appendNetns(b []byte, n *event.Netns) []byte {
	if n.Name == "" && n.Inode != 0 {
		return strconv.AppendUint(b, uint64(n.Inode), 10)
	}
	return appendName(b, n.Name)
}

// likely stands before an owner that is not certain.
const likely = '~'

// shortID is how much of a container's ID is shown, as its runtime does.
const shortID = 12

// appendOwner appends the pod that the packet was of, or else the container, the
// unit, the process.
func appendOwner(b []byte, o *event.Owner) []byte {
	start := len(b)
	if !certain(o) {
		b = append(b, likely)
	}
	switch {
	case o.Pod.Name != "" && o.Pod.Namespace != "":
		b = append(append(b, event.Escape(o.Pod.Namespace)...), '/')
		return appendName(b, o.Pod.Name)
	case o.Pod.Name != "":
		return appendName(b, o.Pod.Name)
	case o.Container.Name != "":
		return appendName(b, o.Container.Name)
	case o.Container.ID != "":
		return appendName(b, o.Container.ID[:min(len(o.Container.ID), shortID)])
	case o.Unit != "":
		return appendName(b, o.Unit)
	case o.Process.PID != 0:
		b = append(appendName(b, o.Process.Comm), '/')
		return strconv.AppendUint(b, uint64(o.Process.PID), 10)
	}
	return append(b[:start], '-')
}

// certain tells whether nothing about the owner is a guess.
func certain(o *event.Owner) bool {
	return (o.Socket == nil || o.Socket.Confidence != event.Likely) && o.Process.Confidence != event.Likely
}

// appendProtocol appends the network protocol by name, or its ethertype.
func appendProtocol(b []byte, p *event.Packet) []byte {
	switch p.Proto {
	case 0x0800:
		return append(b, event.IPv4.String()...)
	case 0x86dd:
		return append(b, event.IPv6.String()...)
	case 0x0806:
		return append(b, event.ARP.String()...)
	}
	if !p.HasProto {
		return append(b, '-')
	}
	return fmt.Appendf(b, "0x%04x", p.Proto)
}
