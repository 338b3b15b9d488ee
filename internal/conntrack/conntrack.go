// Package conntrack asks connection tracking what it knows of a packet: the state of its
// connection, how that is translated (NAT), and its zone.
package conntrack

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"syscall"

	"dropwatch/internal/kernel"
)

// A Tuple is what connection tracking knows a packet by (struct nf_conntrack_tuple). That of an
// answer, whose addresses and ports are exchanged, is of the same connection.
type Tuple struct {
	Protocol uint8          // of IP
	Src, Dst netip.AddrPort // of ICMP the ports are 0
	Echo     Echo           // of ICMP and ICMPv6
}

// An Echo is of an ICMP request or of an answer to one.
type Echo struct {
	ID         uint16 // by which answers are matched
	Type, Code uint8
}

// Protocols of IP with an Echo.
const (
	icmp   = 1
	icmpv6 = 58
)

// answers are the types of ICMP that belong together (invmap of
// net/netfilter/nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c).
var answers = map[uint8]map[uint8]uint8{
	icmp: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}, icmpv6: {128: 129, 129: 128, 139: 140, 140: 139},
}

// Trackable reports whether connection tracking knows such packets by a Tuple of their own: ICMP
// errors it knows by what they quote.
func (t *Tuple) Trackable() bool {
	switch t.Protocol {
	case icmp, icmpv6:
		_, ok := answers[t.Protocol][t.Echo.Type]
		return ok
	case syscall.IPPROTO_TCP, syscall.IPPROTO_UDP, sctp:
		return t.Src.Port() != 0 && t.Dst.Port() != 0
	}
	return false
}

// inverse is that of an answer (nf_ct_invert_tuple).
func (t *Tuple) inverse() Tuple {
	i := Tuple{t.Protocol, t.Dst, t.Src, t.Echo}
	i.Echo.Type = answers[t.Protocol][t.Echo.Type]
	return i
}

// An Entry is what connection tracking knows of a connection.
type Entry struct {
	State string `json:"state"`          // as conntrack(8) has it; of a protocol without states ESTABLISHED or UNREPLIED
	NAT   string `json:"nat,omitempty"`  // "source NAT to 10.0.0.1:1234"; empty: none
	Zone  uint16 `json:"zone,omitempty"` // where the connection's addresses are unique
}

// String is the entry for a person.
func (e Entry) String() string {
	text := e.State
	if e.NAT != "" {
		text += ", " + e.NAT
	}
	if e.Zone != 0 {
		text += fmt.Sprintf(", zone %d", e.Zone)
	}
	return text
}

// maxDump is how many entries are read at most to find one in a zone that is not known.
const maxDump = 16384

// ErrTooMany is the error where an entry may be in a zone, and there are too many to be read.
var ErrTooMany = errors.New("connection tracking has too many entries")

// Find returns the entry of a packet in the network namespace of the calling thread: it is
// looked for by the tuple before, and then by that after translation. Entries is how many
// there are. It fails with [fs.ErrNotExist] if there is none, and needs CAP_NET_ADMIN.
func Find(t Tuple, entries int) (Entry, error) {
	inverse := t.inverse()
	for _, one := range []*Tuple{&t, &inverse} {
		c, err := get(one)
		if !errors.Is(err, fs.ErrNotExist) {
			return c.entry(), err
		}
	}
	if entries > maxDump {
		return Entry{}, ErrTooMany
	}
	return findInZones(&t, &inverse)
}

// get looks up an entry in zone 0, by either of its tuples (ctnetlink_get_conntrack).
func get(t *Tuple) (c connection, err error) {
	body, err := request(t)
	if err != nil {
		return c, err
	}
	err = kernel.Get(kernel.Netfilter, subsystem<<8|getMessage, body, func(message []byte) (err error) {
		c, err = parse(message)
		return err
	})
	return c, err
}

// findInZones reads all entries, of all zones.
func findInZones(t, inverse *Tuple) (Entry, error) {
	found, err := Entry{}, fs.ErrNotExist
	body := make([]byte, sizeofNfgenmsg)
	failed := kernel.Dump(kernel.Netfilter, subsystem<<8|getMessage, body, func(message []byte) error {
		c, failed := parse(message)
		if failed == nil && (c.has(t) || c.has(inverse)) {
			found, err = c.entry(), nil
		}
		return failed
	})
	return found, errors.Join(failed, err)
}
