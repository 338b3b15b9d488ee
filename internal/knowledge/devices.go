package knowledge

// devices holds what happens in network devices, their drivers and rings, CPU queues and
// memory (include/net/dropreason-core.h).
var devices = []Entry{
	{
		// net/core/dev.c enqueue_to_backlog, flush_backlog; net/openvswitch/actions.c do_output and
		// others
		Name: "DEV_READY", Module: "device", Class: Error, Severity: Maybe,
		Cause: "The interface cannot pass packets now: it is down, or no program serves the tun or tap device.",
		Usual: []string{
			"the interface or its peer was set down",
			"a tun or tap device without its program",
			"a CPU that was taken offline",
		},
		Check: []string{"ip -s link show dev {ifname}"},
		Fix:   "Bring the interface up, or start the program that serves it.",
		Apply: []string{"ip link set dev {ifname} up"},
		Cases: []Case{withoutCarrier},
	},
	{
		// drivers/net/tap.c tap_get_user
		Name: "DEV_HDR", Module: "device", Class: Error, Severity: Harm,
		Cause: "The metadata that came with the packet, such as a virtio header, is invalid.",
		Usual: []string{
			"a virtual machine monitor and a guest that negotiated different offloads",
			"a program that writes a wrong header to the tap device",
		},
		Check: []string{"dmesg | tail  # and the log of the virtual machine monitor"},
		Fix: "Update the virtual machine monitor and the guest's network driver, or turn off offloads in the " +
			"guest (ethtool -K).",
	},
	{
		// drivers/net/tap.c tap_handle_frame; drivers/net/tun.c tun_net_xmit
		Name: "FULL_RING", Module: "device", Class: NoBuffer, Severity: Harm,
		Steady:   steadyTap,
		Counters: unsent("interface.tx_dropped"),
		Settings: []string{"device.{ifname}.txqueuelen"},
		Cause: "The ring of a tun, tap or virtual device is full: the virtual machine or VPN program behind it reads too " +
			"slowly.",
		Usual: []string{
			"the virtual machine or VPN program has too little CPU",
			"a burst longer than txqueuelen",
			"one queue for all flows",
		},
		Check: []string{"ip -s link show dev {ifname}  # TX dropped, qlen"},
		Fix:   "Give that program more CPU, add queues, or raise txqueuelen.",
		Apply: []string{"ip link set dev {ifname} txqueuelen 10000"},
	},
	{
		// net/ipv4/ping.c ping_rcv; net/ipv4/icmp.c icmp_redirect; net/sched/cls_api.c tcf_classify and
		// others
		Name: "NOMEM", Module: "memory", Class: NoBuffer, Severity: Harm,
		Settings: []string{"vm.min_free_kbytes"},
		Cause:    "The kernel had no memory for the packet.",
		Usual: []string{
			"the host is short of memory",
			"memory that is too fragmented for large buffers",
			"vm.min_free_kbytes is small for a fast network",
		},
		Check: []string{
			"free -m",
			"dmesg | grep -i 'page allocation'",
		},
		Fix:   "Free memory, or raise sysctl vm.min_free_kbytes.",
		Apply: []string{"sysctl -w vm.min_free_kbytes=N"},
	},
	{
		Name: "PFMEMALLOC", Module: "memory", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtPFMemallocDrop"},
		Settings: []string{"vm.min_free_kbytes"},
		Cause:    "The packet used the emergency memory reserve, which its socket may not use: the host is short of memory.",
		Usual: []string{
			"the host swaps over the network, or is short of memory",
			"vm.min_free_kbytes is small for a fast network",
		},
		Check: []string{
			"free -m",
			"dmesg | grep -i 'page allocation'",
		},
		Fix:   "Free memory, or raise sysctl vm.min_free_kbytes.",
		Apply: []string{"sysctl -w vm.min_free_kbytes=N"},
	},
	{
		// net/ipv6/raw.c rawv6_rcv_skb, rawv6_rcv; drivers/net/tap.c tap_handle_frame
		Name: "SKB_CSUM", Module: "device", Class: Error, Severity: Harm,
		Cause: "The kernel could not compute the checksum of an outgoing packet.",
		Usual: []string{
			"a packet that is shorter than its headers say",
			"a tunnel or a BPF program that changed the headers",
			"a driver without checksum offload",
		},
		Check: []string{
			"ethtool -k {ifname} | grep checksum",
			"dmesg | tail",
		},
		Fix: "Update the program or the driver that makes these packets. As a test, turn off offloads of the " +
			"interface.",
		Apply: []string{"ethtool -K {ifname} tx off"},
	},
	{
		// drivers/net/tap.c tap_handle_frame
		Name: "SKB_GSO_SEG", Module: "device", Class: Error, Severity: Harm,
		Cause: "The kernel could not cut a large packet into segments for the interface.",
		Usual: []string{
			"a tunnel or a BPF program that changed a large packet",
			"a virtual machine that hands over a bad header",
			"a driver with faulty offloads",
		},
		Check: []string{"ethtool -k {ifname} | grep -E 'segmentation|gso|tso'"},
		Fix:   "As a test, turn off segmentation offload of the interface.",
		Apply: []string{"ethtool -K {ifname} gso off tso off"},
	},
	{
		// net/core/dev.c qdisc_pkt_len_init
		Name: "SKB_BAD_GSO", Module: "device", Class: Error, Severity: Harm,
		Cause: "A virtual machine or program handed over a large packet with invalid segmentation data.",
		Usual: []string{
			"a guest driver that is faulty or old",
			"a program that writes wrong segmentation data to a tap device",
			"an attack by a guest",
		},
		Check: []string{"dmesg | tail"},
		Fix:   "Update the virtual machine's network driver or the program that sends through the tap device.",
	},
	{
		// drivers/net/tap.c tap_get_user; drivers/net/tun.c tun_net_xmit, tun_get_user
		Name: "SKB_UCOPY_FAULT", Module: "device", Class: Error, Severity: Harm,
		Cause: "The kernel could not copy packet data from a program's memory, for example in zero-copy transmission from a " +
			"tap device.",
		Usual: []string{
			"a program that freed the memory before it was sent",
			"a virtual machine that is being stopped",
		},
		Check: []string{
			"dmesg | tail",
			"free -m",
		},
		Fix: "Nothing to change on this host if a virtual machine was being stopped. Otherwise update the program " +
			"that sends.",
	},
	{
		// drivers/net/tun.c tun_get_user
		Name: "HDR_TRUNC", Module: "device", Class: Error, Severity: Harm,
		Cause: "The packet ends inside its headers.",
		Usual: []string{
			"a guest or a program that hands over too short packets",
			"a tunnel that cut the packet",
			"a faulty driver",
		},
		Check: []string{
			"tcpdump -eni {ifname}",
			"ethtool -S {ifname} | grep -i err",
		},
		Fix: "Fix the sender: a virtual machine, a tunnel or a driver.",
	},
	{
		// drivers/net/tun.c tun_net_xmit
		Name: "TAP_FILTER", Module: "device", Class: Policy, Severity: Maybe,
		Cause: "A BPF filter that a program attached to the tun or tap device rejected the packet.",
		Usual: []string{
			"the filter of the virtual machine monitor (TUNSETFILTEREBPF) is as intended",
			"a filter that is too narrow",
		},
		Check: []string{"bpftool prog list"},
		Fix:   "Check the settings of the program that serves the device.",
	},
	{
		// drivers/net/tun.c tun_net_xmit
		Name: "TAP_TXFILTER", Module: "device", Class: Policy, Severity: Noise,
		Cause: "The address filter of a tap device rejected the packet: the guest does not want that MAC address.",
		Check: []string{"ip -d link show dev {ifname}  # compare with the guest's MAC address"},
		Fix:   "No action needed, unless the guest changed its MAC address.",
	},
	{
		Name: "RECURSION_LIMIT", Module: "device", Class: Error, Severity: Harm,
		Cause: "Virtual interfaces pass the packet to each other in a loop, or too many are stacked.",
		Usual: []string{
			"the remote address of a tunnel is routed into the tunnel",
			"a tunnel in a tunnel in a tunnel",
			"a tc mirred redirect in a loop",
		},
		Check: []string{
			"ip -d link show  # is a tunnel's remote address routed into the tunnel itself?",
			"dmesg | tail",
		},
		Fix: "Correct the route of the tunnel's remote address, or the stack of interfaces.",
	},
	{
		// net/core/dev.c enqueue_to_backlog
		Name: "CPU_BACKLOG", Module: "device", Class: NoBuffer, Severity: Harm,
		Steady:   steadyCPU,
		Counters: []string{"softnet.dropped", "softnet.flow_limit_count", "interface.rx_dropped"},
		OfPeer:   []string{"interface.tx_dropped"}, // of a veth (drivers/net/veth.c veth_xmit)
		Settings: []string{"net.core.netdev_max_backlog", "device.{ifname}.queues", "device.{ifname}.rps"},
		Cause:    "The input queue of one CPU is full: packets arrive faster than that CPU handles them.",
		Usual: []string{
			"all packets handled by one CPU (veth, loopback, RPS to one CPU, a single queue)",
			"a burst",
			"a CPU that is busy with something else",
		},
		Check: []string{
			"cat /proc/net/softnet_stat  # second column: packets dropped here, a line for each CPU",
			"sysctl net.core.netdev_max_backlog",
		},
		Fix: "Spread the load over CPUs (RSS, RPS), or raise net.core.netdev_max_backlog. netdev_budget does not help " +
			"here.",
		Apply: []string{"sysctl -w net.core.netdev_max_backlog=N"},
	},
	{
		Name: "MACVLAN_BROADCAST_BACKLOG", Module: "device", Class: NoBuffer, Severity: Harm,
		Cause: "The broadcast queue of a macvlan's lower interface is full.",
		Usual: []string{
			"a broadcast or multicast storm",
			"many macvlans on one interface, each of which gets a copy",
			"a short bcqueuelen",
		},
		Check: []string{"ip -d link show type macvlan  # bcqueuelen, usedbcqueuelen"},
		Fix:   "Raise bcqueuelen of the macvlan, or find the source of the broadcasts.",
		Apply: []string{"ip link set dev {ifname} type macvlan bcqueuelen 10000"},
	},
	{
		Name: "IPVLAN_MULTICAST_BACKLOG", Module: "device", Class: NoBuffer, Severity: Harm,
		Cause: "The multicast queue of an ipvlan's lower interface is full.",
		Usual: []string{
			"a broadcast or multicast storm",
			"many ipvlans on one interface, each of which gets a copy",
		},
		Check: []string{"ip -d link show type ipvlan"},
		Fix:   "Find the source of the multicast or broadcast traffic.",
	},
	{
		// net/core/dev.c do_xdp_generic
		Name: "XDP", Module: "xdp", Class: Policy, Severity: Maybe,
		Cause: "An XDP program dropped the packet, or could not forward it.",
		Usual: []string{
			"the policy of the program: a firewall, a load balancer, protection against floods",
			"a program that is left from an earlier installation",
		},
		Check: []string{
			"bpftool net show",
			"ip -d link show dev {ifname}",
		},
		Fix:   "Check the policy and the counters of that program. Remove it only if nothing needs it.",
		Apply: []string{"ip link set dev {ifname} xdp off  # removes the program"},
	},
	{
		// tracepoint xdp:xdp_exception
		Name: "XDP_EXCEPTION", Module: "xdp", Class: Error, Severity: Harm,
		Counters: []string{"driver.xdp_failed", "driver.xdp_drop", "driver.rx_dropped", "interface.rx_dropped"},
		Cause:    "An XDP program failed on the frame (XDP_ABORTED), returned an unknown action, or the driver could not perform it.",
		Usual: []string{
			"a fault in the program",
			"a program that uses an action that the driver lacks",
			"too few transmit queues for XDP_TX",
		},
		Check: []string{
			"bpftool prog show  # the ID is the argument prog",
			"ip -d link show dev {ifname}",
			"ethtool -S {ifname} | grep -i xdp",
		},
		Fix: "Correct the program, or load one that fits the driver.",
	},
	{
		// tracepoints xdp:xdp_redirect_err, xdp:xdp_redirect_map_err
		Name: "XDP_REDIRECT_ERR", Module: "xdp", Class: Error, Severity: Harm,
		Counters: []string{"driver.xdp_failed", "driver.rx_dropped", "interface.rx_dropped"},
		Cause: "An XDP program redirected the frame to where it cannot go: the map has no such entry, or the interface is down " +
			"or has no XDP.",
		Usual: []string{
			"a map entry that is missing or of an interface that was deleted",
			"the target is down",
			"a veth target whose peer has no XDP program and no GRO",
		},
		Check: []string{
			"bpftool prog show  # the ID is the argument prog",
			"bpftool map show",
			"ip -br link",
		},
		Fix: "Correct the entries of the map, or the interface.",
	},
	{
		// tracepoint xdp:xdp_devmap_xmit
		Name: "XDP_DEVMAP_XMIT", Module: "xdp", Class: NoBuffer, Severity: Harm,
		Cause: "The interface to which XDP redirected the frames did not take them: its ring is full, or it is down.",
		Usual: []string{
			"the transmit ring of the target is full",
			"the target is down",
			"a veth target whose peer has no XDP program and no GRO",
		},
		Check: []string{
			"ip -s link  # of the interface that the argument out names",
			"ethtool -g {ifname}",
		},
		Fix: "Raise the transmit ring of that interface, or spread the frames over more queues.",
	},
	{
		// tracepoint xdp:xdp_cpumap_enqueue
		Name: "XDP_CPUMAP_ENQUEUE", Module: "xdp", Class: NoBuffer, Severity: Harm,
		Cause: "The queue of the CPU to which XDP redirected the frames is full.",
		Usual: []string{"one CPU for all flows", "a short qsize", "a CPU that is busy with something else"},
		Check: []string{
			"bpftool map show  # the ID is the argument map",
			"mpstat -P ALL 1 5",
		},
		Fix: "Raise qsize of the entry in the map, or spread the frames over more CPUs.",
	},
	{
		// tracepoint xdp:xdp_cpumap_kthread
		Name: "XDP_CPUMAP_KTHREAD", Module: "xdp", Class: NoBuffer, Severity: Harm,
		Settings: []string{"vm.min_free_kbytes"},
		Cause:    "There was no memory for the packets of frames that XDP redirected to another CPU.",
		Usual:    []string{"the host is short of memory", "vm.min_free_kbytes is small for a fast network"},
		Check: []string{
			"free -m",
			"dmesg | grep -i 'allocation failure'",
		},
		Fix:   "Free memory, or raise vm.min_free_kbytes.",
		Apply: []string{"sysctl -w vm.min_free_kbytes=N"},
	},
	{
		Name: "CAN_RX_INVALID_FRAME", Module: "can", Class: Error, Severity: Harm,
		Cause: "A CAN device delivered an invalid CAN frame.",
		Usual: []string{
			"a faulty driver or adapter",
			"a program that writes wrong frames to a virtual CAN device",
		},
		Check: []string{
			"ip -s -d link show dev {ifname}",
			"candump -e {ifname}",
		},
		Fix: "Update the driver, or the program that writes the frames.",
	},
	{
		Name: "CANFD_RX_INVALID_FRAME", Module: "can", Class: Error, Severity: Harm,
		Cause: "A CAN device delivered an invalid CAN FD frame.",
		Usual: []string{
			"a faulty driver or adapter",
			"a program that writes wrong frames to a virtual CAN device",
		},
		Check: []string{
			"ip -s -d link show dev {ifname}  # mtu, fd",
			"candump -e {ifname}",
		},
		Fix: "Update the driver, or the program that writes the frames.",
	},
	{
		Name: "CANXL_RX_INVALID_FRAME", Module: "can", Class: Error, Severity: Harm,
		Cause: "A CAN device delivered an invalid CAN XL frame.",
		Usual: []string{
			"a faulty driver or adapter",
			"a program that writes wrong frames to a virtual CAN device",
		},
		Check: []string{
			"ip -s -d link show dev {ifname}  # mtu",
			"candump -e {ifname}",
		},
		Fix: "Update the driver, or the program that writes the frames.",
	},
	{Name: "enqueue_to_backlog", Kind: Function, Same: "CPU_BACKLOG"}, // before Linux 5.18
	{
		// drivers/net/tun.c
		Name: "tun_net_xmit", Kind: Function, Module: "device", Class: NoBuffer, Severity: Harm,
		Counters: unsent("interface.tx_dropped"),
		Settings: []string{"device.{ifname}.txqueuelen"},
		Cause:    "The ring of a tun or tap device is full, or no program serves it.",
		Usual: []string{
			"the virtual machine or VPN program has too little CPU",
			"no program has opened the device",
			"a burst longer than txqueuelen",
		},
		Check: []string{"ip -s link show dev {ifname}  # TX dropped, qlen"},
		Fix:   "Give the program behind it more CPU, add queues, or raise txqueuelen.",
		Apply: []string{"ip link set dev {ifname} txqueuelen 10000"},
	},
	{
		// drivers/net/veth.c
		Name: "veth_xmit", Kind: Function, Module: "device", Class: NoBuffer, Severity: Harm,
		Counters: unsent("interface.tx_dropped"),
		Cause: "The peer of a veth pair did not accept the packet: it is down, the packet exceeds its MTU, or its ring is " +
			"full.",
		Usual: []string{
			"the peer is down, or in a namespace that is being removed",
			"different MTUs",
			"with XDP or GRO on the peer, a ring of 256 that is full",
		},
		Check: []string{"ip -s -d link show dev {ifname}  # and its peer, after @"},
		Fix:   "Bring the peer up, or make the MTUs of both ends equal.",
	},
	{Name: "veth_poll", Kind: Function, Same: "veth_xdp_rcv_skb"},               // Linux 5.10
	{Name: "netif_receive_generic_xdp", Kind: Function, Same: "do_xdp_generic"}, // the same
	{
		// drivers/net/veth.c
		Name: "veth_xdp_rcv_skb", Kind: Function, Module: "xdp", Class: Policy, Severity: Maybe,
		Counters: []string{"driver.xdp_drop"},
		Cause:    "An XDP program on a veth interface dropped the packet.",
		Usual: []string{
			"the policy of the program: a firewall, a load balancer, protection against floods",
			"a program that is left from an earlier installation",
		},
		Check: []string{"bpftool net show"},
		Fix:   "Check the policy and the counters of that program. Remove it only if nothing needs it.",
		Apply: []string{"ip link set dev {ifname} xdp off  # removes the program"},
	},
	{
		// drivers/net/veth.c
		Name: "veth_xdp_rcv_one", Kind: Function, Module: "xdp", Class: Policy, Severity: Maybe,
		Counters: []string{"driver.xdp_drop"},
		Cause:    "An XDP program on a veth interface dropped the packet.",
		Usual: []string{
			"the policy of the program: a firewall, a load balancer, protection against floods",
			"a program that is left from an earlier installation",
		},
		Check: []string{"bpftool net show"},
		Fix:   "Check the policy and the counters of that program. Remove it only if nothing needs it.",
		Apply: []string{"ip link set dev {ifname} xdp off  # removes the program"},
	},
	{
		// net/core/dev.c
		Name: "do_xdp_generic", Kind: Function, Module: "xdp", Class: Policy, Severity: Maybe,
		Cause: "An XDP program in generic mode dropped the packet, or could not forward it.",
		Usual: []string{
			"the policy of the program: a firewall, a load balancer, protection against floods",
			"a program that is left from an earlier installation",
		},
		Check: []string{
			"bpftool net show",
			"ip -d link show dev {ifname}",
		},
		Fix:   "Check the policy and the counters of that program. Remove it only if nothing needs it.",
		Apply: []string{"ip link set dev {ifname} xdp off  # removes the program"},
	},
	{
		// net/core/skbuff.c
		Name: "skb_release_data", Kind: Function, Module: "fragment", Class: Local, Severity: Noise,
		Cause: "A further fragment was freed with the packet that it belongs to. The drop of that packet has the cause.",
	},
}
