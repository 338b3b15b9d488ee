package zoo

import (
	"errors"
	"net/netip"
	"syscall"
	"unsafe"

	"dropwatch/internal/vmtest/drops"
)

// routing are losses of IP: routes, neighbours, headers, fragments.
var routing = []Scenario{
	{
		"rp_filter", reversePath,
		Want{
			IDs: id("IP_RPFILTER"), Class: "policy", Severity: "harm", IfName: "far", Counter: "TcpExtIPReversePathFilter",
			Setting: "net.ipv4.conf.far.rp_filter", Fix: "rp_filter",
		},
	},
	{
		"source address of this host",
		arrive(drops.IPv4{Src: "10.0.0.1", Dst: "10.0.0.1", Protocol: 17, Payload: drops.UDPHeader(0)}.Frame()),
		Want{
			IDs: id("IP_LOCAL_SOURCE", "ip_rcv_finish_core"), Class: "error", Severity: "harm", IfName: "far", Cause: "address",
		},
	},
	{
		"no route in", arrive(datagram("192.0.2.1", drops.UDPHeader(0))),
		Want{IDs: id("IP_INNOROUTES"), Class: "error", Severity: "harm", IfName: "far", Counter: "IpExtInNoRoutes", Fix: "route"},
	},
	{
		"no route out", same("sending without a route"),
		Want{IDs: id("IP_OUTNOROUTES"), Class: "error", Severity: "harm", Counter: "IpOutNoRoutes", Fix: "route"},
	},
	{"blackhole route", route("blackhole"), refused("blackhole")},
	{"prohibit route", route("prohibit"), refused("prohibit")},
	{"unreachable route", route("unreachable"), refused("unreachable")},
	{"rule of policy routing that is a blackhole", policy("blackhole"), refusedByRule("blackhole", "ip_error")},
	{"rule of policy routing that is unreachable", policy("unreachable"), refusedByRule("unreachable", "IP_INNOROUTES")},
	{
		"prohibit route, IPv6", prohibit6,
		Want{
			IDs: id("IP_INNOROUTES", "ip6_pkt_prohibit", "ip6_pkt_drop"), Class: "policy", Severity: "maybe", IfName: "far",
			Counter: "Ip6InNoRoutes", Cause: "prohibit route", Says: `"prefix":"fd00:9::/32"`, Fix: "remove the route", NotFix: "Add",
		},
	},
	{
		"not forwarding", notForwarding,
		Want{
			IDs: id("IP_INADDRERRORS"), Class: "error", Severity: "maybe", IfName: "far", Counter: "IpInAddrErrors",
			Setting: "net.ipv4.ip_forward", Cause: "forward", Fix: "forwarding",
		},
	},
	{
		"TTL expired", ttlExpired,
		Want{
			IDs: id("IP_INHDR", "IP_TTL_EXCEEDED"), Class: "error", Severity: "harm", IfName: "far", Counter: "IpInHdrErrors",
			Cause: "TTL", Fix: "circle", Says: `"hop":{"prefix":"10.0.1.0/24","via":"10.0.0.2","ifname":"far","table":"main"}`,
		},
	},
	{
		"too big, and DF is set", tooBig,
		Want{
			IDs: id("PKT_TOO_BIG"), Class: "error", Severity: "harm", IfName: "far", Counter: "IpFragFails",
			Cause: "MTU", Says: `"args":{"mtu":1000},"egress":"far"`, Fix: "MSS",
		},
	},
	{
		"too big, and a rule drops the ICMP error", icmpLost,
		Want{
			IDs: id("PKT_TOO_BIG"), Class: "error", Severity: "harm", IfName: "far", Counter: "IpFragFails",
			Cause: "The firewall of this host", Fix: "MSS",
			Says: `"icmp_lost":{"text":"nftables ip t c handle 2 (ip protocol icmp counter drop)"`,
			Beside: &Want{
				IDs: id("NETFILTER_DROP", "nf_hook_slow"), Class: "policy", Severity: "harm", Cause: "path MTU discovery fails",
				Rule: "ip protocol icmp", Confidence: "exactly", Fix: "nft insert rule ip t c handle 2 icmp type",
			},
		},
	},
	{
		"IPv6 extension header with an unknown option", badExtension,
		Want{
			IDs: id("UNHANDLED_PROTO", "ip6_tlvopt_unknown"), Class: "error", Severity: "harm", IfName: "far", Counter: "Ip6InHdrErrors",
			Cause: "extension header", Fix: "sender",
		},
	},
	{
		"IP protocol that nobody handles", arrive(packet(99, "10.0.0.1", make([]byte, 64))),
		Want{
			IDs: id("IP_NOPROTO"), Class: "local", Severity: "maybe", IfName: "far", Counter: "IpInUnknownProtos", Fix: "module",
		},
	},
	{
		"fragment timeout", fragmentTimeout,
		Want{
			IDs: id("FRAG_REASM_TIMEOUT"), Class: "error", Severity: "harm", IfName: "far", Counter: "IpReasmFails",
			Setting: "net.ipv4.ipfrag_time", Cause: "never arrived", Fix: "MTU",
		},
	},
	{
		"IPv6 disabled", arrive(drops.Ethernet(drops.FarMAC, 0x86dd, ipv6(17, drops.UDPHeader(0)))),
		Want{
			IDs: id("IPV6DISABLED"), Class: "policy", Severity: "maybe", IfName: "far", Setting: "net.ipv6.conf.far.disable_ipv6",
			Fix: "Enable it",
		},
	},
	{
		"neighbour that does not answer", neighbourFailed,
		Want{
			IDs: id("NEIGH_FAILED", "arp_error_report"), Class: "error", Severity: "harm", IfName: "far", Process: self,
			Cause: "does not answer", Fix: "neighbour",
		},
	},
	{
		"neighbour queue full", neighbourQueueFull,
		Want{
			IDs: id("NEIGH_QUEUEFULL"), Class: "no_buffer", Severity: "harm", IfName: "far", Process: self,
			Counter: "neighbour.unresolved_discards", Fix: "neighbour",
		},
	},
	{
		"neighbour queue full, until it is known that nobody answers", neighbourSilent,
		Want{
			IDs: id("NEIGH_FAILED", "arp_error_report"), Class: "error", Severity: "harm", IfName: "far", Process: self,
			Counter: "neighbour.unresolved_discards", Cause: "does not answer", Says: `"parts":[{"id":`, Fix: "neighbour", NotFix: "=N",
		},
	},
	{"multicast report", multicastReport, noise("far", "ip_rcv_finish_core")},
	{"router solicitation", routerSolicitation, noise("far", "ip6_mc_input")},
	{
		"multicast without a member", multicast,
		Want{
			IDs: id("ip_rcv_finish_core"), Class: "local", Severity: "maybe", IfName: "far", Cause: "joined the multicast group 224.1.2.3",
			Fix: "join", NotFix: "rp_filter",
		},
	},
}

// reversePath has packets arrive whose answers would not leave there. They are dropped for what fib_validate_source says
// (net/ipv4/fib_frontend.c).
func reversePath(ns *drops.Namespace, n int) func() {
	lose := arrive(drops.IPv4{Src: "192.0.2.1", Dst: "10.0.0.1", Protocol: 17, Payload: drops.UDPHeader(0)}.Frame())(ns, n)
	ns.Sysctl("ipv4/conf/far/rp_filter", "1")
	return lose
}

// route has packets arrive for a route of a type that leads nowhere.
func route(kind string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		lose := arrive(datagram("10.9.0.1", drops.UDPHeader(0)))(ns, n)
		ns.Run("ip", "route", "add", kind, "10.9.0.0/16")
		return lose
	}
}

// prohibit6 has packets of IPv6 arrive for a route that forbids them.
func prohibit6(ns *drops.Namespace, n int) func() {
	p := ipv6(syscall.IPPROTO_UDP, drops.UDPHeader(0))
	copy(p[24:], netip.MustParseAddr("fd00:9::1").AsSlice())
	lose := arrive(drops.Ethernet(drops.FarMAC, 0x86dd, p))(ns, n)
	enableIPv6(ns)
	ns.Run("ip", "-6", "route", "add", "prohibit", "fd00:9::/32")
	return lose
}

// refused is what is wanted of routes that somebody set to lead nowhere.
func refused(kind string) Want {
	return Want{
		IDs: id("ip_error"), Class: "policy", Severity: "maybe", IfName: "far", Cause: kind + " route",
		Says: `"routes":[{"type":"` + kind + `","prefix":"10.9.0.0/16","table":"main"}]`, Fix: "remove the route", NotFix: "Add",
	}
}

// policy has packets arrive for a network for which there is a route, and a rule against it.
func policy(action string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		lose := arrive(datagram("10.9.0.1", drops.UDPHeader(0)))(ns, n)
		ns.Run("ip", "route", "add", "10.9.0.0/16", "via", "10.0.0.2")
		ns.Run("ip", "rule", "add", "pref", "100", "iif", "far", "to", "10.9.0.0/16", action)
		return lose
	}
}

// refusedByRule is what is wanted of such a rule.
func refusedByRule(action, finding string) Want {
	return Want{
		IDs: id(finding), Class: "policy", Severity: "maybe", IfName: "far", Cause: "rule of policy routing",
		Says: `"routes":[{"type":"` + action + `","rule":"100: from all to 10.9.0.0/16 iif far ` + action + `","pref":100}]`,
		Fix:  "ip rule del pref 100", NotFix: "Add",
	}
}

// notForwarding has packets arrive that are for another host. They are dropped by ip_error (net/ipv4/route.c).
func notForwarding(ns *drops.Namespace, n int) func() {
	lose := arrive(datagram("10.0.0.3", drops.UDPHeader(0)))(ns, n)
	ns.Sysctl("ipv4/ip_forward", "0")
	return lose
}

// ttlExpired has packets arrive for another network, at the end of their way. They are dropped by ip_forward
// (net/ipv4/ip_forward.c), which tells their sender.
func ttlExpired(ns *drops.Namespace, n int) func() {
	p := drops.IPv4{Src: "10.0.0.2", Dst: "10.0.1.1", TTL: 1, Protocol: 17, Payload: drops.UDPHeader(0)}
	lose := arrive(p.Frame())(ns, n)
	ns.Run("ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.2")
	return lose
}

// tooBig has packets arrive for a network whose link takes only smaller ones. They are dropped by ip_forward, as
// ip_exceeds_mtu says.
func tooBig(ns *drops.Namespace, n int) func() {
	payload := append(drops.UDPHeader(0), make([]byte, 1400)...)
	p := drops.IPv4{Src: "10.0.0.2", Dst: "10.0.1.1", Flags: drops.DontFragment, Protocol: 17, Payload: payload}
	lose := arrive(p.Frame())(ns, n)
	ns.Run("ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.2", "mtu", "1000")
	return lose
}

// icmpLost has them arrive while what tells their sender is dropped.
func icmpLost(ns *drops.Namespace, n int) func() {
	lose := tooBig(ns, n)
	chain(ns, "output", "policy accept", "ip protocol icmp counter drop")
	return lose
}

// badExtension has packets arrive with an option for their receiver that it has to know, and does not. They are dropped
// by ip6_parse_tlv (net/ipv6/exthdrs.c).
func badExtension(ns *drops.Namespace, n int) func() {
	options := append([]byte{syscall.IPPROTO_UDP, 0, 0xbe, 4, 0, 0, 0, 0}, drops.UDPHeader(0)...)
	lose := arrive(drops.Ethernet(drops.FarMAC, 0x86dd, ipv6(syscall.IPPROTO_DSTOPTS, options)))(ns, n)
	enableIPv6(ns)
	return lose
}

// enableIPv6 gives far and near addresses.
func enableIPv6(ns *drops.Namespace) {
	ns.Sysctl("ipv6/conf/far/disable_ipv6", "0")
	ns.Run("ip", "addr", "add", "fd00::1/64", "dev", "far", "nodad")
	ns.Run("ip", "neigh", "add", "fd00::2", "lladdr", drops.NearMAC, "dev", "far", "nud", "permanent")
}

// fragmentTimeout has the first fragments of packets arrive, whose others never do. They are dropped by ip_expire
// (net/ipv4/ip_fragment.c), when net.ipv4.ipfrag_time is over.
func fragmentTimeout(ns *drops.Namespace, n int) func() {
	peer := ns.Peer()
	ns.Sysctl("ipv4/ipfrag_time", "1")
	p := drops.IPv4{Src: "10.0.0.2", Dst: "10.0.0.1", Flags: drops.MoreFragments, Protocol: 17, Payload: make([]byte, 64)}
	return func() {
		arriveEach(peer, n, func(int) []byte {
			p.ID++
			return p.Frame()
		})
		ns.Await("fragments time out", func() bool { return ns.Counter("snmp", "Ip", "ReasmFails") >= n })
	}
}

// ipv6 is a packet from the other host.
func ipv6(protocol byte, payload []byte) []byte {
	header := []byte{0x60, 0, 0, 0, 0, byte(len(payload)), protocol, 64}
	header = append(header, netip.MustParseAddr("fd00::2").AsSlice()...)
	header = append(header, netip.MustParseAddr("fd00::1").AsSlice()...)
	return append(header, payload...)
}

// multicastReport has another host say which groups it has joined: an IGMPv3 report of none,
// to the routers.
func multicastReport(ns *drops.Namespace, n int) func() {
	frame := packet(syscall.IPPROTO_IGMP, "224.0.0.22", []byte{0x22, 0, 0xdd, 0xff, 0, 0, 0, 0})
	copy(frame, []byte{1, 0, 0x5e, 0, 0, 22})
	return arrive(frame)(ns, n)
}

// routerSolicitation has another host ask for routers.
func routerSolicitation(ns *drops.Namespace, n int) func() {
	p := ipv6(syscall.IPPROTO_ICMPV6, []byte{133, 0, 0, 0, 0, 0, 0, 0})
	copy(p[24:], netip.MustParseAddr("ff02::2").AsSlice())
	lose := arrive(drops.Ethernet(drops.FarMAC, 0x86dd, p))(ns, n)
	ns.Sysctl("ipv6/conf/far/disable_ipv6", "0")
	return lose
}

// multicast has datagrams arrive for a group that nobody has joined.
func multicast(ns *drops.Namespace, n int) func() {
	frame := datagram("224.1.2.3", drops.UDPHeader(0))
	copy(frame, []byte{1, 0, 0x5e, 1, 2, 3})
	return arrive(frame)(ns, n)
}

// send sends datagrams to a host, from the socket that it returns.
func send(ns *drops.Namespace, to string, n int) (fd int) {
	fd = ns.Socket(syscall.SOCK_DGRAM)
	sendBy(ns, fd, to, n)
	return fd
}

// sendBy sends datagrams to a host by a socket.
func sendBy(ns *drops.Namespace, fd int, to string, n int) {
	addr := &syscall.SockaddrInet4{Port: drops.Port, Addr: netip.MustParseAddr(to).As4()}
	ns.Do(func() (err error) {
		for range n {
			err = errors.Join(err, syscall.Sendto(fd, make([]byte, 100), 0, addr))
		}
		return err
	})
}

// neighbourFailed sends to a host that is not there, until the first request for its address has timed out. They are
// dropped by neigh_invalidate (net/core/neighbour.c).
func neighbourFailed(ns *drops.Namespace, n int) func() {
	ns.Peer()
	ns.Sysctl("ipv4/neigh/far/mcast_solicit", "1")
	ns.Sysctl("ipv4/neigh/far/retrans_time_ms", "100")
	return func() {
		fd := send(ns, "10.0.0.3", n)
		ns.Await("what was sent is freed", func() bool { return waiting(fd) == 0 })
	}
}

// neighbourSilent has more than may wait meanwhile.
func neighbourSilent(ns *drops.Namespace, n int) func() {
	lose := neighbourFailed(ns, n)
	ns.Sysctl("ipv4/neigh/far/unres_qlen_bytes", "3000")
	return lose
}

// waiting returns the bytes that a socket has sent and the kernel has not freed.
func waiting(fd int) (n int32) {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		panic(errno) // a socket has this
	}
	return n
}

// neighbourQueueFull sends more than may wait for the address of a host. They are dropped by __neigh_event_send
// (net/core/neighbour.c), the oldest first.
func neighbourQueueFull(ns *drops.Namespace, n int) func() {
	ns.Peer()
	ns.Sysctl("ipv4/neigh/far/unres_qlen_bytes", "1024")
	ns.Sysctl("ipv4/neigh/far/mcast_solicit", "100") // attempts
	send(ns, "10.0.0.3", 100)
	return func() { send(ns, "10.0.0.3", n) }
}
