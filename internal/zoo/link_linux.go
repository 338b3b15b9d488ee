package zoo

import (
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"dropwatch/internal/vmtest/drops"
)

// link are losses of frames, queues and devices.
var link = []Scenario{
	{
		"ethertype that nobody takes (LLDP)", arrive(drops.Ethernet("01:80:c2:00:00:0e", 0x88cc, make([]byte, 46))),
		noise("far", "UNHANDLED_PROTO").raised("rx_dropped __netif_receive_skb_core"),
	},
	{
		"VLAN tag without an interface", arrive(drops.Ethernet(drops.FarMAC, 0x8100, append([]byte{0, 77, 8, 0}, make([]byte, 60)...))),
		Want{
			IDs: id("OTHERHOST"), Class: "local", Severity: "maybe", IfName: "far", Raised: otherhostDropped,
			Cause: "VLAN", Fix: "type vlan",
		},
	},
	{"tbf limit", tbfLimit, queueFull},
	{"pfifo limit below tbf", limitBelow("pfifo limit 2"), queueFull},
	{
		"interface set down with packets in its queue", downWithQueue,
		Want{IDs: id("QUEUE_PURGE", "__rtnl_unlock"), Class: "local", Severity: "maybe", IfName: "far", Cause: "queue"},
	},
	{
		"bridged frame, dropped by a FORWARD chain of IP", bridged,
		Want{
			IDs: id("NETFILTER_DROP"), Class: "policy", Severity: "maybe", IfName: "left", Cause: "bridged", Fix: "bridge-nf-call-iptables",
		},
	},
	{
		"bridged frame that would leave by the port where it came from", hairpin,
		Want{
			IDs: id("br_handle_frame_finish", "br_forward", "__br_forward"), Class: "policy", Severity: "maybe", IfName: "far",
			Cause: "hairpin", Fix: "hairpin on", NotFix: "VLAN",
		},
	},
	{
		"bridged frame that exceeds the MTU of a port", portMTU,
		Want{
			IDs: id("br_dev_queue_push_xmit"), Class: "error", Severity: "harm", IfName: "left", Cause: "MTU",
			Says: `"args":{"mtu":1500}`, Fix: "MTU",
		},
	},
	{
		"tun device whose program does not read", tunFull,
		Want{
			IDs: id("FULL_RING", "tun_net_xmit"), Class: "no_buffer", Severity: "harm", IfName: "tun0",
			Counter: "interface.tx_dropped", Raised: "tx_dropped tun_net_xmit", Cause: "full", Fix: "program",
		},
	},
	{
		"VXLAN with an unknown VNI", unknownVNI,
		Want{IDs: id("VXLAN_VNI_NOT_FOUND"), Class: "error", Severity: "harm", IfName: "far", Fix: "VNI"},
	},
	{"another host's frames", otherHost, noise("far", "OTHERHOST").raised(otherhostDropped)},
	{
		"frames with a packet for this host and the MAC address of nobody", staleMAC,
		Want{
			IDs: id("OTHERHOST"), Class: "error", Severity: "harm", IfName: "far", Raised: otherhostDropped,
			Cause: "10.0.0.1, an address of this interface", Says: `"dst_mac":"02:00:00:00:00:09","interface_mac":"` + drops.FarMAC + `"`,
			Fix: "ip neigh del 10.0.0.1",
		},
	},
}

// otherhostDropped is where the packets of other hosts are counted.
const otherhostDropped = "rx_otherhost_dropped ip_rcv_core"

// otherHost has frames arrive that are for another host, as a hub or a switch that floods passes them. They are dropped
// by ip_rcv_core (net/ipv4/ip_input.c), as their pkt_type is PACKET_OTHERHOST.
func otherHost(ns *drops.Namespace, n int) func() {
	frame := datagram("10.0.0.3", drops.UDPHeader(0))
	frame[5] = 3
	peer := ns.Peer()
	ns.Run("ip", "link", "set", "far", "promisc", "on")
	return func() { peer.Inject("near", frame, n) }
}

// staleMAC has frames arrive of a host that has an old neighbour entry for this one. They are dropped where those of
// another host are: the address is this host's, the frame is not.
func staleMAC(ns *drops.Namespace, n int) func() {
	frame := datagram("10.0.0.1", drops.UDPHeader(0))
	frame[5] = 9
	return arrive(frame)(ns, n)
}

// queueFull is what is wanted of a queue that takes no more packets.
var queueFull = Want{
	IDs:   id("QDISC_DROP", "QDISC_OVERLIMIT", "QDISC_DROP_GENERIC", "QDISC_DROP_OVERLIMIT", "qdisc.dropped"),
	Class: "no_buffer", Severity: "harm", IfName: "far",
	Process: self, Counter: "qdisc.dropped", Fix: "rate",
}

// slow makes far send a byte a second, after its bucket has sent one packet; no request for
// an address takes of it. Its queue has a limit in bytes.
func slow(ns *drops.Namespace, limit string) (peer *drops.Namespace) {
	peer = knownPeer(ns)
	ns.Run("tc", "qdisc", "add", "dev", "far", "root", "handle", "1:", "tbf", "rate", "8bit", "burst", "200", "limit", limit)
	return peer
}

// slowPackets is slow with another queue below, nil if the host has none of its kind.
func slowPackets(ns *drops.Namespace, queue string) (peer *drops.Namespace) {
	peer = slow(ns, "100000")
	if !ns.Has("tc qdisc add dev far parent 1:1 " + queue) {
		return nil
	}
	fd := send(ns, "10.0.0.2", 1)
	ns.Do(func() error { return ns.Close(fd) }) // a namespace does not end before its sockets
	return peer
}

// tbfLimit sends to an interface whose queue is full by its own limit in bytes. They are dropped by tbf_enqueue
// (net/sched/sch_tbf.c) or by the queue in it.
func tbfLimit(ns *drops.Namespace, n int) func() {
	slow(ns, "3000")
	send(ns, "10.0.0.2", 100)
	return func() { send(ns, "10.0.0.2", n) }
}

// limitBelow sends to one that has another queue below, which is full.
func limitBelow(queue string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		if slowPackets(ns, queue) == nil {
			return nil
		}
		fd := send(ns, "10.0.0.2", 100)
		return func() { sendBy(ns, fd, "10.0.0.2", n) } // of the same flow
	}
}

// downWithQueue sets an interface down while packets wait there. The kernel frees them with the queue
// (net/sched/sch_generic.c dev_deactivate_many).
func downWithQueue(ns *drops.Namespace, n int) func() {
	slowPackets(ns, fmt.Sprint("pfifo limit ", n))
	send(ns, "10.0.0.2", 100)
	return func() { ns.Run("ip", "link", "set", "far", "down") }
}

// bridge joins far to another wire, from left to right. Frames arrive for a host there.
func bridge(ns *drops.Namespace) (peer *drops.Namespace, frame []byte) {
	frame = datagram("10.0.0.3", drops.UDPHeader(0))
	frame[5] = 3
	peer = ns.Peer()
	ns.Run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0") // or it would report to routers
	ns.Run("ip", "link", "add", "left", "type", "veth", "peer", "name", "right")
	for _, port := range []string{"far", "left"} {
		ns.Run("ip", "link", "set", port, "master", "br0", "up")
	}
	ns.Run("ip", "link", "set", "right", "up")
	ns.Run("ip", "link", "set", "br0", "up")
	return peer, frame
}

// bridged has frames pass a bridge whose frames the firewall of IP sees.
func bridged(ns *drops.Namespace, n int) func() {
	peer, frame := bridge(ns)
	loadModule("br_netfilter")
	ns.Sysctl("bridge/bridge-nf-call-iptables", "1")
	chain(ns, "forward", "policy drop", "")
	return func() { peer.Inject("near", frame, n) }
}

// hairpin has frames arrive for a host behind the port where they arrive. They are dropped by br_flood or br_forward, as
// should_deliver says no (net/bridge/br_forward.c).
func hairpin(ns *drops.Namespace, n int) func() {
	peer, frame := bridge(ns)
	learn := slices.Clone(frame)
	copy(learn[6:12], frame[:6])
	peer.Inject("near", learn, 1)
	return func() { peer.Inject("near", frame, n) }
}

// portMTU has larger frames arrive than another port takes. They are dropped by br_dev_queue_push_xmit
// (net/bridge/br_forward.c).
func portMTU(ns *drops.Namespace, n int) func() {
	peer, _ := bridge(ns)
	loadModule("br_netfilter")
	ns.Sysctl("bridge/bridge-nf-call-iptables", "0") // or they would be fragmented
	peer.Run("ip", "link", "set", "near", "mtu", "9000")
	ns.Run("ip", "link", "set", "far", "mtu", "9000")
	frame := datagram("10.0.0.3", append(drops.UDPHeader(0), make([]byte, 4000)...))
	frame[5] = 3
	return func() { peer.Inject("near", frame, n) }
}

// tunFull sends to a tun device with room for few packets. They are dropped by tun_net_xmit (drivers/net/tun.c), for a
// queue that is full.
func tunFull(ns *drops.Namespace, n int) func() {
	tunDevice(ns)
	ns.Run("ip", "link", "set", "tun0", "txqueuelen", "5")
	send(ns, "10.0.2.2", 10)
	return func() { send(ns, "10.0.2.2", n) }
}

// tunDevice makes a tun device to 10.0.2.0/24, from which nobody reads.
func tunDevice(ns *drops.Namespace) {
	const setIff, tun = 0x400454ca, 0x1001 // TUNSETIFF; IFF_TUN, IFF_NO_PI
	loadModule("tun")
	ns.Do(func() error {
		fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		ns.Cleanup(func() error { return syscall.Close(fd) })
		request := [40]byte{0: 't', 1: 'u', 2: 'n', 3: '0', 16: tun & 0xff, 17: tun >> 8}
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), setIff, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return fmt.Errorf("make a tun device: %w", errno)
		}
		return nil
	})
	ns.Run("ip", "addr", "add", "10.0.2.1/24", "dev", "tun0")
	ns.Run("ip", "link", "set", "tun0", "up")
}

// unknownVNI has packets of a VXLAN arrive that is not configured. They are dropped by vxlan_rcv (drivers/net/vxlan).
func unknownVNI(ns *drops.Namespace, n int) func() {
	return tunnel(ns, n, vxlan(7, 0, make([]byte, 60)))
}
