package knowledge

// notForThisHost are the cases of a frame that the kernel takes for another host's. It does
// so, too, when the frame's VLAN has no device here, and clears the tag then: no drop
// shows it.
var notForThisHost = []Case{
	{
		If:       ToDevice,
		Class:    Local,
		Severity: Maybe,
		Cause:    "The frame is for this interface's own MAC address but came in a VLAN that no interface here has.",
		Check: []string{
			"tcpdump -eni {ifname} vlan",
			"ip -d link show type vlan",
			"bridge vlan show",
		},
		Fix: "If the VLAN is for this host: ip link add link {ifname} name {ifname}.{vlan} type vlan id {vlan}. Otherwise take it " +
			"off the switch port.",
	},
	{
		If:       NotToDevice | Addressed,
		Class:    Local,
		Severity: Noise,
		Cause:    "The frame is addressed to {mac}, another host: a switch flooded it, or a capture is on.",
		Check:    []string{"ip -d link show dev {ifname}  # PROMISC, MAC address"},
		Fix:      noActionForOther,
	},
	{
		If:       NotToDevice,
		Class:    Local,
		Severity: Noise,
		Cause:    "The frame is addressed to another host: a switch flooded it, or a capture is on.",
		Check:    []string{"ip -d link show dev {ifname}  # PROMISC, MAC address"},
		Fix:      noActionForOther,
	},
	{
		If:       Misaddressed,
		Class:    Error,
		Severity: Harm,
		Cause: "The packet is for {addr}, an address of this interface, but its frame is for a MAC address that no interface here has. " +
			"Its sender has a stale or wrong neighbour (ARP) entry, or another host has the address, too.",
		Check: []string{
			"tcpdump -eni {ifname} ether dst {mac}",
			"ip addr show dev {ifname}  # its MAC address; dadfailed: another host has the IPv6 address",
			"arping -D -c 3 -I {ifname} {addr}  # of IPv4; an answer: another host has the address",
		},
		Fix: "At the sender, delete the entry (ip neigh del {addr} dev DEV), or correct it if it is static. If another host has the " +
			"address, give one of the two another.",
		Apply: []string{"arping -U -c 3 -I {ifname} {addr}  # of IPv4, if no other host has it: corrects entries, but not static ones"},
	},
}

// noActionForOther is the Fix for frames to another host's address, which switches send to all ports now and then.
const noActionForOther = "No action needed, unless a neighbour uses a wrong MAC address for this host."

// link holds the reasons at the link layer: frames, bridges, VXLAN
// (include/net/dropreason-core.h).
var link = []Entry{
	{
		// net/ipv4/ip_input.c ip_rcv_core; net/ipv6/ip6_input.c ip6_rcv_core
		Name: "OTHERHOST", Module: "ethernet", Class: Local, Severity: Maybe,
		Counters: []string{"interface.rx_otherhost_dropped"},
		Cause: "The frame is addressed to another host, or it is for this one in a VLAN that no interface here has. " +
			"Only source bpf can distinguish them.",
		Usual: []string{
			"a switch that floods, or a mirror port",
			"a capture in promiscuous mode",
			"a VLAN that is not configured here",
			"a stale ARP entry at a neighbour",
		},
		Check: []string{
			"tcpdump -eni {ifname}  # destination, VLAN",
			"ip -d link show dev {ifname}  # PROMISC, MAC address",
			"ip -d link show type vlan",
		},
		Fix:   "No action needed if it is for another host. Otherwise add the VLAN, or take it off the switch port.",
		Cases: notForThisHost,
	},
	{
		// net/core/dev.c __netif_receive_skb_core; net/ipv4/icmp.c icmp_rcv; net/ipv6/ip6_input.c
		// ip6_rcv_core and others
		Name: "UNHANDLED_PROTO", Module: "ethernet", Class: Local, Severity: Noise,
		Counters: []string{"interface.rx_dropped", "interface.rx_nohandler"},
		Cause:    "No protocol of this host handles frames of this ethertype, for example LLDP without an agent.",
		Check:    []string{"tcpdump -eni {ifname}"},
		Fix:      "No action needed, unless a kernel module or a bridge should handle it.",
		Cases: []Case{
			{ // net/ipv6/exthdrs.c
				Via: []string{"ip6_tlvopt_unknown"}, Class: Error, Severity: Harm,
				Cause:    "An IPv6 extension header has an option that this host does not know, and that its sender requires.",
				Check:    []string{"tcpdump -vveni {ifname} ip6", "nstat -az Ip6InHdrErrors"},
				Fix:      "Fix the sender. It may be a scan.",
				Counters: answered("Ip6InHdrErrors"),
			},
			{
				If: IPv4,
				Cause: "An IPv4 packet arrived where nothing passes it up, usually the inactive member of a bond " +
					"or team: a copy of a delivered one.",
				Check: []string{
					"cat /sys/class/net/{ifname}/bonding_slave/state",
					"ip -d link show dev {ifname}",
				},
				Fix: "No action needed if it is an inactive member.",
			},
			{
				If:       IPv6,
				Severity: Maybe,
				Cause: "An IPv6 packet arrived where nothing handles it: IPv6 is not loaded, or the interface is the inactive " +
					"member of a bond.",
				Check: []string{
					"cat /sys/class/net/{ifname}/bonding_slave/state",
					"ls /proc/sys/net/ipv6",
				},
				Fix: "No action needed if it is an inactive member.",
			},
			{
				If:    EtherType,
				Short: "protocol nobody reads",
				Cause: "No protocol of this host handles frames of ethertype {ethertype}. No IP packet is lost.",
				Check: []string{"tcpdump -eni {ifname} ether proto {ethertype}"},
				Fix:   "No action needed, unless a kernel module, an agent or a bridge should handle it.",
			},
		},
	},
	{
		// net/ipv4/tcp_ipv4.c tcp_v4_rcv; net/ipv4/udp.c __udp4_lib_rcv; net/ipv4/ip_input.c ip_rcv_core
		// and others
		Name: "PKT_TOO_SMALL", Module: "ethernet", Class: Error, Severity: Harm,
		Cause: "The packet is shorter than its headers claim: it was cut on the way, or its sender is faulty.",
		Usual: []string{"a scan or an attack", "a faulty sender or driver", "a middlebox that cut the packet"},
		Check: []string{
			"tcpdump -vveni {ifname}",
			"ethtool -S {ifname} | grep -i err",
		},
		Fix: "Fix the sender.",
	},
	{
		// drivers/net/vxlan/vxlan_core.c vxlan_snoop
		Name: "MAC_INVALID_SOURCE", Module: "ethernet", Class: Error, Severity: Harm,
		Cause: "The source MAC address is invalid, for example multicast or all zeros.",
		Usual: []string{"a faulty sender", "an attack"},
		Check: []string{"tcpdump -eni {ifname}"},
		Fix:   "Fix the sender.",
	},
	{
		// drivers/net/vxlan/vxlan_core.c vxlan_set_mac
		Name: "LOCAL_MAC", Module: "ethernet", Class: Error, Severity: Harm,
		Cause: "A frame arrived with this host's own MAC address as its source: a loop, or a duplicate address.",
		Usual: []string{
			"a loop between switches or bridges",
			"a cloned virtual machine",
			"a bond or bridge that gets its own frames back",
		},
		Check: []string{
			"bridge fdb show",
			"ip -br link",
		},
		Fix: "Break the loop between switches, or change one of the two addresses.",
	},
	{
		Name: "MAC_IEEE_MAC_CONTROL", Module: "bridge", Class: Local, Severity: Noise,
		Cause: "A MAC control frame (pause) reached a bridge, which must not forward it.",
		Check: []string{"ethtool -a {ifname}"},
		Fix:   "No action needed.",
	},
	{
		Name: "BRIDGE_INGRESS_STP_STATE", Module: "bridge", Class: Policy, Severity: Maybe,
		Cause: "The bridge port is not in forwarding state: spanning tree blocks it, or it is still listening or learning.",
		Usual: []string{
			"the port has just come up, and listens and learns for 30 seconds",
			"another path is in use",
			"a loop",
		},
		Check: []string{"bridge link show dev {ifname}  # state"},
		Fix:   "Wait for the forward delay. If it stays blocked, look for a loop, or for an unexpected root bridge.",
	},
	{
		// drivers/net/vxlan/vxlan_mdb.c vxlan_mdb_xmit; drivers/net/vxlan/vxlan_core.c vxlan_xmit
		Name: "NO_TX_TARGET", Module: "tunnel", Class: Error, Severity: Harm,
		Counters: unsent("interface.tx_dropped"),
		Cause:    "The interface has no destination for this packet, for example a VXLAN without an entry for the MAC address.",
		Usual: []string{
			"the control plane (flannel, calico, EVPN) has not added the entry",
			"a peer that was removed",
			"a VXLAN without a default destination",
		},
		Check: []string{"bridge fdb show dev {ifname}"},
		Fix:   "Add the entry or a default one, or check the control plane that adds them.",
		Apply: []string{"bridge fdb append 00:00:00:00:00:00 dev {ifname} dst ADDR"},
		Cases: []Case{{ // net/bridge/br_forward.c br_flood, br_multicast_flood
			Via: []string{"br_handle_frame_finish", "br_flood", "br_multicast_flood", "br_dev_xmit"}, Class: Policy, Severity: Maybe,
			Cause: "The bridge knows no port for the frame, and no other port takes what is flooded. Flooding is off " +
				"there, the ports are isolated, blocked or down, or there is none.",
			Check: []string{
				"bridge -d link show  # state, isolated, flood, mcast_flood of each port",
				"bridge fdb show | grep -i {mac}  # is the destination known?",
				"bridge mdb show  # who joined which multicast group",
			},
			Fix:      "If that destination is to be reached, turn flooding on or isolation off at its port, or bring the port up.",
			Apply:    []string{"bridge link set dev PORT flood on isolated off"},
			Counters: []string{"interface.tx_dropped"},
		}},
	},
	{
		// drivers/net/vxlan/vxlan_core.c vxlan_rcv
		Name: "VXLAN_INVALID_HDR", Module: "vxlan", Class: Error, Severity: Harm,
		OfPeer: []string{"interface.rx_frame_errors", "interface.rx_errors"}, // of the VXLAN, whose frames the drop does not name
		Cause:  "The VXLAN header is invalid, or has flags that the interface does not accept.",
		Usual:  []string{"GBP or GPE at one end only", "a packet for UDP port 4789 or 8472 that is no VXLAN"},
		Check:  []string{"ip -d link show type vxlan  # GBP, GPE, as at the peer?"},
		Fix:    "Configure both ends alike.",
	},
	{
		// drivers/net/vxlan/vxlan_core.c vxlan_rcv
		Name: "VXLAN_VNI_NOT_FOUND", Module: "vxlan", Class: Error, Severity: Harm,
		Cause: "No VXLAN interface has this network identifier (VNI).",
		Usual: []string{"a VNI that was added at the peer only", "a peer that was removed here", "a wrong VNI"},
		Check: []string{
			"ip -d link show type vxlan",
			"bridge vni show",
		},
		Fix: "Add the VNI here, or remove it at the peer.",
	},
	{
		// drivers/net/vxlan/vxlan_core.c vxlan_snoop
		Name: "VXLAN_ENTRY_EXISTS", Module: "vxlan", Class: Error, Severity: Harm,
		Cause: "A MAC address arrived from a port or peer that contradicts a static entry or a nexthop group.",
		Usual: []string{
			"a MAC address in use twice",
			"a virtual machine or pod that moved while its entry is static",
		},
		Check: []string{"bridge fdb show dev {ifname}"},
		Fix:   "Correct the entry, or find the duplicate MAC address.",
	},
}
