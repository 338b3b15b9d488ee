package knowledge

// bothIsolated, portBlocked and samePort are the cases of a frame that a bridge knew the port for (net/bridge/br_forward.c
// should_deliver). The interface in their commands is that port.
var (
	bothIsolated = Case{
		If: BothIsolated,
		Cause: "The frame came in by an isolated port of a bridge, and its destination is behind another one: the bridge sends nothing " +
			"between them.",
		Check: []string{"bridge -d link show | grep -B1 'isolated on'"},
		Fix:   "No action needed if hosts behind these ports are to be kept apart. Otherwise take one of the two ports out of isolation.",
		Apply: []string{"bridge link set dev {ifname} isolated off"},
	}
	portBlocked = Case{
		If:    PortBlocked,
		Cause: "The port of the bridge behind which the destination is does not forward.",
		Check: []string{"bridge -d link show dev {ifname}  # state, guard"},
		Fix: "Find out why it does not: spanning tree that waits for its delay, a loop, a BPDU at a port with guard, or a link that " +
			"is down.",
	}
	samePort = Case{
		If:    SamePort,
		Cause: "The bridge would have to send the frame out of the port on which it arrived, and hairpin is off.",
		Check: []string{"bridge fdb show dev {ifname}", "bridge -d link show dev {ifname}  # hairpin"},
		Fix:   "If a container or virtual machine reaches itself through its service address, turn on hairpin of its port.",
		Apply: []string{"bridge link set dev {ifname} hairpin on"},
	}
)

// peerDown and peerMTU are the cases of a veth by what its other end is, which is the interface in their commands.
var (
	peerDown = Case{
		If:    PeerDown,
		Cause: "The other end of the veth is down.",
		Check: []string{"ip link show dev {ifname}"},
		Fix:   "Bring the other end up, unless it is being removed.",
		Apply: []string{"ip link set dev {ifname} up"},
	}
	peerMTU = Case{
		If:    PeerMTU,
		Cause: "The frame exceeds the MTU of the other end of the veth.",
		Check: []string{"ip link show dev {ifname}  # mtu"},
		Fix:   "Give both ends of the veth the same MTU.",
		Apply: []string{"ip link set dev {ifname} mtu N"},
	}
)
