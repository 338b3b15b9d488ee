package app

// manFollow and the texts below it are the help topic follow, in the markup of manDescription.
const manFollow = `
*dropwatch watch --follow EXPRESSION* also counts the packets that match where they are received, delivered, forwarded and sent.
Together with the drops of the same expression this shows whether this host lost any of them.
The kernel tests and counts every packet, so that the numbers are exact and no packet is copied.
That costs the CPU of each packet some 0.2 microseconds at each of these places and at the queue of an interface, whether it matches or not.
A table each second, and one at the end, has a row for each interface and network namespace: where the numbers of two
interfaces on the way differ, packets vanish between them.
At the end a line for each namespace says what became of the packets that it received.
That none was lost is said only where every packet is accounted for.

Numbers are of packets on the wire: GRO has joined some into one socket buffer, and GSO has not split others yet.
*--json* has the number of buffers, too.`

// manFollowList explains the columns.
var manFollowList = []entry{
	{"received", "The interface received the packet (*net:netif_receive_skb*) from a driver, the other end of a veth pair, or " +
		"itself, as lo does; or from another interface, as a bridge from its port or what ifb gives back. What a driver or its XDP " +
		"program drops is not received. VLAN interfaces, bonds and macvlan receive through the interface below them, and have no " +
		"number of their own."},
	{"delivered", "IP handed the packet to the protocol above, such as UDP or TCP, for a socket of this host. The protocol may " +
		"still drop it: that is a drop. Fragments are delivered as one packet. It needs " +
		"a kernel that lets BPF attach to functions (fentry)."},
	{"forwarded", "This interface received the packet, and another one sent it: by routing, a bridge or tc."},
	{"sent", "The packet was handed to the driver of the interface (*net:net_dev_start_xmit*), without what a busy driver returned. " +
		"A VLAN interface, a bond or a bridge hands it to the interface below, which sends it again."},
	{"waiting", "The packet was handed to the queueing discipline of the interface (*net:net_dev_queue*), and neither to its driver " +
		"nor dropped there yet: how many at that time, not in that second. The column is there only if there are any."},
	{"dropped", "Drops of the expression, as *watch* shows them, in packets on the wire."},
	{"undecided", "Packets that may match: the kernel's side cannot read ports behind a VLAN tag in the data, IPv6 extension headers or " +
		"headers that are cut short."},
}

const manFollowLimits = `
The expression may use addresses, ports and protocols, and *netns.inode*; not what only a drop has, such as a reason or an owner,
and not an interface, of which a packet passes several.
NAT changes addresses and ports: a packet may match before it and not after.
Then it is received and not accounted for; use what stays the same, as the address and port of the other end.
A packet that waits in the queue of an interface when counting begins is forwarded without having been received, and makes
*waiting* too small. One that waits for the address of a neighbour, or for a program that reads from NFQUEUE, when counting ends is
received and not accounted for. To avoid that, count for longer than the traffic lasts.
Each copy counts as forwarded: of a bridge that floods, multicast routing, a mirror of tc. So does a packet made here that tc
redirects to an ifb. The numbers do not add up then: *no drop seen* may be said, and *none was lost* is not, unless as many packets
vanished without a drop as were copied.
AF_XDP, PACKET_QDISC_BYPASS and hardware that forwards by itself pass the kernel without being counted.
A tunnel sends a packet of its own; whether that matches is up to the expression.`
