package event

import "hash/maphash"

// A PacketType says to whom a packet was addressed, as the kernel classified it
// (skb->pkt_type, include/uapi/linux/if_packet.h).
type PacketType uint8

const (
	PacketTypeUnknown PacketType = iota
	PacketHost                   // to this host, and what this host sends
	PacketBroadcast              // to all on the link
	PacketMulticast              // to a group
	PacketOtherHost              // to another MAC address, or in a VLAN that no interface here has
	PacketOutgoing               // a copy of what this host sends; in a socket's error queue
	PacketLoopback               // this host's own copy of a broadcast or multicast that it sends
)

// packetTypeNames are those of PACKET_* in include/uapi/linux/if_packet.h, in the order of the constants.
var packetTypeNames = [...]string{"", "host", "broadcast", "multicast", "otherhost", "outgoing", "loopback"}

// String returns the name, nothing for PacketTypeUnknown.
func (t PacketType) String() string {
	if int(t) < len(packetTypeNames) {
		return packetTypeNames[t]
	}
	return "unknown"
}

// Traits are what a source knows of a packet beside its headers.
type Traits uint8

const (
	NoPayload    Traits = 1 << iota // the socket buffer has no bytes left: in a receive queue of TCP, a FIN alone
	ToCapture                       // it belongs to a packet socket (AF_PACKET)
	InErrorQueue                    // it was in the error queue of a socket
	QueueMessage                    // it is no packet, but a netlink message about one for NFQUEUE
	ToDevice                        // a PacketOtherHost for its interface's own MAC address; source bpf alone reads that
)

// Has reports whether all of some traits are set.
func (t Traits) Has(all Traits) bool { return t&all == all }

// seed is that of hashes of this process: they differ in each run, so that nobody can choose packets whose hashes are
// equal.
var seed = maphash.MakeSeed()

// SocketID returns the number that stands for a socket in this run of the program: its
// cookie or, of a socket that has none yet, a hash of its address in the kernel, which
// nobody outside is to learn. A hash is above every cookie, and no number that JSON
// would round.
func SocketID(cookieOrAddress uint64) uint64 {
	const address, hash = 1 << 63, 1 << 52
	if cookieOrAddress&address == 0 {
		return cookieOrAddress
	}
	return maphash.Comparable(seed, cookieOrAddress)%hash | hash
}
