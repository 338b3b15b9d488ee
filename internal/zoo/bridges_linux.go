package zoo

import (
	"dropwatch/internal/vmtest/drops"
)

// bridges are losses at ports of bridges and members of bonds.
var bridges = []Scenario{
	{
		"bridge port in a state of spanning tree that lets nothing in", blockedPort,
		Want{
			IDs: id("BRIDGE_INGRESS_STP_STATE", "br_handle_frame"), Class: "policy", Severity: "maybe", IfName: "far",
			Cause: "spanning tree", Fix: "loop",
		},
	},
	{
		"bridge that gets its own frames back", ownFrames,
		Want{
			IDs: id("IP_LOCAL_SOURCE", "ip_rcv_finish_core"), Class: "error", Severity: "harm", IfName: "br0",
			Cause: "a loop", Fix: "Remove the loop",
		},
	},
	{
		"packet of hairpin NAT that was not masqueraded", arrive(drops.IPv4{Src: "10.0.0.1", Dst: "10.0.0.1", Protocol: 17,
			Payload: drops.UDPHeader(0)}.Frame()),
		Want{
			IDs: id("IP_LOCAL_SOURCE", "ip_rcv_finish_core"), Class: "error", Severity: "harm", IfName: "far",
			Cause: "hairpin", Fix: "masquerade what goes back to its sender",
		},
	},
	{
		"inactive member of a bond", inactiveMember,
		noise("far", "UNHANDLED_PROTO").raised("rx_nohandler __netif_receive_skb_core"),
	},
}

// blockedPort has frames arrive at a port whose state of spanning tree lets none in. They are dropped by br_handle_frame
// (net/bridge/br_input.c).
func blockedPort(ns *drops.Namespace, n int) func() {
	peer, frame := bridge(ns)
	if !ns.Has("bridge link set dev far state 0") { // BR_STATE_DISABLED: the kernel may change others
		return nil
	}
	return func() { peer.Inject("near", frame, n) }
}

// ownFrames has a broadcast of this host come back to its bridge.
func ownFrames(ns *drops.Namespace, n int) func() {
	peer := ns.Peer()
	ns.Batch(`addr flush dev far
link add br0 address ` + drops.FarMAC + ` type bridge mcast_snooping 0
link set br0 up
link set far master br0
addr add 10.0.0.1/24 dev br0
`)
	frame := drops.IPv4{Src: "10.0.0.1", Dst: "10.0.0.255", Protocol: 17, Payload: drops.UDPHeader(0)}.Frame()
	copy(frame[6:12], frame[:6])
	copy(frame, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	return func() { peer.Inject("near", frame, n) }
}

// inactiveMember has frames arrive at the member of a bond that is not in use. The bond lets only exact matches take
// them (drivers/net/bonding/bond_main.c bond_handle_frame), and there are none.
func inactiveMember(ns *drops.Namespace, n int) func() {
	peer := ns.Peer()
	loadModule("bonding")
	if !ns.Has("ip link add bond7 type bond mode active-backup") {
		return nil
	}
	ns.Run("ip", "link", "add", "used", "type", "veth", "peer", "name", "other")
	ns.Run("ip", "link", "set", "other", "up")
	for _, member := range []string{"used", "far"} {
		ns.Run("ip", "link", "set", member, "down")
		ns.Run("ip", "link", "set", member, "master", "bond7")
	}
	ns.Run("ip", "link", "set", "bond7", "up")
	return func() { peer.Inject("near", datagram("10.0.0.1", drops.UDPHeader(0)), n) }
}
