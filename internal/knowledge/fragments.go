package knowledge

// overlap, contradiction, noRoom and noRoomIPv6 are the cases of fragments that were not stored (net/ipv4/ip_fragment.c
// ip_frag_queue, ip_defrag; net/ipv6/reassembly.c ip6_frag_queue, ipv6_frag_rcv), for which the kernel gives no reason. Of
// IPv4 it counts those that overlap; of IPv6 it shows no such counter, only whether there was memory.
var (
	overlap = Case{
		If: Overlap, Class: Error,
		Cause: "The fragment overlaps another one of its packet, so the whole packet was dropped.",
		Usual: overlapUsual,
		Check: []string{
			"nstat -az IpExtReasmOverlaps IpReasmFails",
			"tcpdump -c 20 -vni {ifname} 'src {src} and ip[6:2] & 0x3fff != 0'  # id, offset and length of each fragment",
		},
		Fix: fixOverlap, Settings: []string{},
	}
	contradiction = Case{
		If: Overlap, Class: Error,
		Cause: "The fragment contradicts another one of its packet: it overlaps that, or says another length of the whole. So the whole " +
			"packet was dropped.",
		Usual: overlapUsual,
		Check: []string{
			"nstat -az Ip6ReasmFails",
			"tcpdump -c 20 -vni {ifname} 'src {src} and ip6[6] = 44'  # offset and length of each fragment",
		},
		Fix: fixOverlap, Settings: []string{},
	}
	overlapUsual = []string{"a sender that reuses identifiers of packets too soon", "an attack with overlapping fragments"}

	noRoom = Case{
		If:    NoRoom,
		Cause: "The memory for reassembly is full: further fragments are dropped until others are complete, or too old (ipfrag_time).",
		Usual: roomUsual,
		Check: []string{"cat /proc/net/sockstat  # FRAG: memory in use", "sysctl net.ipv4.ipfrag_high_thresh"},
		Fix:   fixRoom, Apply: []string{"sysctl -w net.ipv4.ipfrag_high_thresh=N"},
	}
	noRoomIPv6 = Case{
		If:    NoRoom,
		Cause: "The memory for reassembly is full: further fragments are dropped until others are complete, or too old (ip6frag_time).",
		Usual: roomUsual,
		Check: []string{"cat /proc/net/sockstat6  # FRAG6: memory in use", "sysctl net.ipv6.ip6frag_high_thresh"},
		Fix:   fixRoom, Apply: []string{"sysctl -w net.ipv6.ip6frag_high_thresh=N"},
	}
	roomUsual = []string{
		"lost fragments, whose packets keep the memory", "many fragments (large UDP, tunnels)", "an attack with fragments",
	}
)

// What to do about those.
const (
	fixOverlap = "Fix the sender: its datagrams must fit the MTU, or be fewer. Of a sender that nobody knows, drop the fragments: it " +
		"is an attack."
	fixRoom = "Find where the rest of the fragments is lost, or avoid fragments with a correct MTU. More memory helps only against bursts."
)
