package knowledge

// linkFunctions are those of the link layer that drop without a reason.
var linkFunctions = []Entry{
	{
		// net/core/rtnetlink.c
		Name: "__rtnl_unlock", Kind: Function, Module: "qdisc", Class: Local, Severity: Maybe,
		Cause: "A queueing discipline was removed, replaced or reset while packets were in its queue.",
		Usual: []string{
			"somebody, or a network manager, changed the qdisc or the interface",
			"an interface that was removed",
		},
		Check: []string{"tc -s qdisc show dev {ifname}"},
		Fix:   "No action needed if somebody has just changed the queueing discipline or the interface.",
	},
	{
		// net/core/dev.c
		Name: "__netif_receive_skb_core", Kind: Function, Module: "ethernet", Class: Error, Severity: Maybe,
		Counters: []string{"interface.rx_dropped", "interface.rx_nohandler"},
		Cause: "No part of the kernel accepted the frame: its ethertype, its VLAN, a tc filter or the state of its " +
			"interface.",
		Usual: []string{
			"LLDP, spanning tree or another control protocol without an agent",
			"an inactive bond member",
			"an unknown VLAN",
			"a tc filter",
		},
		Check: []string{
			"tcpdump -eni {ifname}",
			"tc -s filter show dev {ifname} ingress",
		},
		Fix: "No action needed for control protocols and inactive bond members. Otherwise add the VLAN, or " +
			"correct the filter.",
		Cases: []Case{
			{
				If:       IPv4,
				Class:    Local,
				Severity: Noise,
				Cause: "An IPv4 packet arrived where nothing passes it up, usually the inactive member of a bond " +
					"or team: a copy of a delivered one.",
				Check: []string{
					"cat /sys/class/net/{ifname}/bonding_slave/state",
					"tc -s filter show dev {ifname} ingress",
				},
				Fix: "No action needed if it is an inactive member.",
			},
			{
				If:       EtherType,
				Class:    Local,
				Severity: Noise,
				Cause:    "No protocol of this host handles frames of ethertype {ethertype}. No IP packet is lost.",
				Check:    []string{"tcpdump -eni {ifname} ether proto {ethertype}"},
				Fix:      "No action needed, unless a kernel module, an agent or a bridge should handle it.",
			},
		},
	},
	{
		// net/core/dev.c
		Name: "__dev_queue_xmit", Kind: Function, Module: "qdisc", Class: NoBuffer, Severity: Harm,
		Counters: unsent("qdisc.dropped", "interface.tx_dropped"),
		Cause:    "The packet could not be queued for its interface: the queue is full, or the interface is down.",
		Usual: []string{
			"a full queue, by a burst or a slow link",
			"an interface that is down",
			"a tc filter at egress",
		},
		Check: []string{
			"tc -s qdisc show dev {ifname}",
			"ip -s link show dev {ifname}",
		},
		Fix:   "Bring the interface up. If its queue is full, send less, or raise the rate or the limit of its qdisc.",
		Apply: []string{"ip link set dev {ifname} up"},
		Cases: []Case{withoutCarrier},
	},
	{
		// net/sched/sch_tbf.c tbf_segment: of newer kernels, where no segment found room
		Name: "tbf_enqueue", Kind: Function, Module: "qdisc", Class: Local, Severity: Noise,
		Short: "of segments dropped before",
		Cause: "A packet of several segments was freed after each of them had been dropped, which are drops of their own.",
		Check: []string{"tc -s qdisc show dev {ifname}"},
		Fix:   "No action needed for it: see the drops of the segments.",
	},
	{
		// net/llc/llc_input.c
		Name: "llc_rcv", Kind: Function, Module: "ethernet", Class: Local, Severity: Noise,
		Counters: []string{"interface.rx_dropped"},
		Cause:    "An LLC frame, such as spanning tree or CDP, has no receiver here, or is addressed to another host.",
		Check:    []string{"tcpdump -eni {ifname} llc"},
		Fix:      "No action needed, unless a bridge here should take part in spanning tree.",
	},
	{
		// net/bridge/br_stp_bpdu.c
		Name: "br_stp_rcv", Kind: Function, Module: "bridge", Class: Local, Severity: Noise,
		Short: "spanning tree messages",
		Cause: "A message of spanning tree (BPDU) was read, or ignored as spanning tree is off, and freed. No packet of a program is lost.",
		Check: []string{"bridge -d link show dev {ifname}  # state, guard"},
		Fix:   "No action needed.",
	},
	{Name: "stp_pdu_rcv", Kind: Function, Same: "br_stp_rcv"}, // which it ends with, so that it is the location
	{
		// net/bridge/br_input.c
		Name: "br_handle_frame", Kind: Function, Module: "bridge", Class: Policy, Severity: Maybe,
		Cause: "A bridge port rejected the frame: an invalid source address, a link-local control frame, or the state of " +
			"the port (spanning tree).",
		Usual: []string{
			"a port that is not forwarding (spanning tree)",
			"a control frame such as LLDP or pause, as intended",
			"an invalid source address",
		},
		Check: []string{"bridge -d link show dev {ifname}  # state"},
		Fix: "No action needed for control frames. Otherwise find out why the port is not forwarding: a loop, or an " +
			"unexpected root bridge.",
	},
	{
		// net/bridge/br_input.c
		Name: "br_handle_frame_finish", Kind: Function, Module: "bridge", Class: Policy, Severity: Maybe,
		Cause: "The bridge would have to send the frame out of the port on which it arrived, and hairpin is off; or the " +
			"port's state does not let it in.",
		Usual: []string{
			"a pod or virtual machine that reaches itself through its service address",
			"two isolated ports: the bridge sends nothing from one to another",
			"a port that is blocked",
			"a VLAN that is not allowed on the port",
		},
		Check: []string{
			"bridge fdb show | grep -i {mac}  # is the destination behind the same port?",
			"bridge -d link show  # hairpin, state, isolated",
		},
		Fix:   "If a container reaches itself through its service address, turn on hairpin of its port.",
		Apply: []string{"bridge link set dev {ifname} hairpin on"},
		Cases: []Case{
			bothIsolated, portBlocked, samePort,
			{
				If: Tagged,
				Cause: "The frame has VLAN tag {vlan}: that VLAN is not allowed on the port, or the destination is behind the same " +
					"port and hairpin is off.",
				Check: []string{
					"bridge vlan show dev {ifname}",
					"bridge fdb show | grep -i {mac}  # is the destination behind the same port?",
					"bridge -d link show dev {ifname}  # hairpin, state",
				},
				Fix: "Allow the VLAN: bridge vlan add dev {ifname} vid {vlan}. Or set hairpin on.",
			},
		},
	},
	{
		// net/bridge/br_vlan.c
		Name: "br_allowed_ingress", Kind: Function, Module: "bridge", Class: Policy, Severity: Maybe,
		Cause: "The VLAN of the frame is not allowed on the bridge port.",
		Usual: []string{
			"a VLAN that was added at the sender only",
			"vlan_filtering that was turned on",
			"an untagged frame at a port without PVID",
		},
		Check: []string{"bridge vlan show dev {ifname}"},
		Fix:   "Allow the VLAN on the port, or correct the sender.",
		Apply: []string{"bridge vlan add dev {ifname} vid {vlan}"},
	},
	{
		// net/bridge/br_input.c
		Name: "br_pass_frame_up", Kind: Function, Module: "bridge", Class: Policy, Severity: Maybe,
		Cause: "The frame is for the bridge itself, which is not in the frame's VLAN.",
		Usual: []string{"an address on the bridge, or a VLAN interface above it, whose VLAN only the ports have"},
		Check: []string{"bridge vlan show  # that of the bridge itself, and of {ifname}"},
		Fix:   "Add the VLAN to the bridge itself (self) if this host is to get it.",
		Apply: []string{"bridge vlan add dev BRIDGE vid {vlan} self"},
		Cases: []Case{copyForBridge, copyForBridgeAll},
	},
	{
		// net/bridge/br_forward.c
		Name: "br_forward", Kind: Function, Module: "bridge", Class: Policy, Severity: Maybe,
		Cause: "The bridge does not send the frame out of the port it looked up: it arrived there and hairpin is off, or " +
			"the port is not forwarding.",
		Usual: []string{
			"a pod or virtual machine that reaches itself through its service address",
			"a port that is blocked or isolated",
		},
		Check: []string{
			"bridge fdb show | grep -i {mac}",
			"bridge -d link show  # hairpin, state",
		},
		Fix:   "If a container reaches itself through its service address, turn on hairpin of its port.",
		Apply: []string{"bridge link set dev {ifname} hairpin on"},
		Cases: []Case{bothIsolated, portBlocked, samePort},
	},
	{
		// net/bridge/br_forward.c
		Name: "br_dev_queue_push_xmit", Kind: Function, Module: "bridge", Class: Error, Severity: Harm,
		Settings: []string{"device.{ifname}.mtu"},
		Cause:    "The bridged frame exceeds the MTU of the port by which it has to leave.",
		Usual:    []string{"jumbo frames on some ports only", "a port that was added with the default MTU of 1500"},
		Check:    []string{"ip link show  # mtu of each port"},
		Fix:      "Give all ports of the bridge the same MTU.",
		Apply:    []string{"ip link set dev {ifname} mtu MTU"},
	},
	{
		// net/core/dev.c
		Name: "__dev_forward_skb", Kind: Function, Module: "device", Class: Error, Severity: Harm,
		Counters: unsent("interface.tx_dropped"),
		OfPeer:   []string{"interface.rx_dropped"},
		Cause:    "The receiving interface is down, or the packet exceeds its MTU.",
		Usual: []string{
			"a container's or pod's interface that is down or being removed",
			"different MTUs of the two ends",
		},
		Check: []string{"ip -d link show  # state, mtu"},
		Fix:   "Bring the interface up, or make the MTUs equal.",
		Cases: []Case{peerDown, peerMTU},
	},
	{Name: "__dev_forward_skb2", Kind: Function, Same: "__dev_forward_skb"}, // Linux 5.15 and later
	{
		// drivers/net/vxlan/vxlan_core.c
		Name: "vxlan_rcv", Kind: Function, Module: "vxlan", Class: Error, Severity: Harm,
		Cause: "No VXLAN interface has this network identifier (VNI), or the interface rejected the header, or its own MAC address " +
			"as the source inside.",
		Usual: []string{"a VNI that was added at the peer only", "extensions that only one end uses", "a loop"},
		Check: []string{"ip -d link show type vxlan", "bridge vni show"},
		Fix:   "Configure both ends alike: VNI and extensions. Break a loop.",
	},
	{
		// net/sched/cls_api.c
		Name: "tcf_classify", Kind: Function, Module: "tc", Class: Policy, Severity: Maybe,
		Cause: "A tc filter dropped the packet.",
		Usual: []string{
			"the policy of a network plugin (Cilium, Calico) or of a service mesh",
			"a policer",
			"a filter that matches more than intended",
		},
		Check: []string{"tc -s filter show dev {ifname} ingress"},
		Fix:   "Correct the filter, or the policy of the network plugin that installed it.",
	},
	{
		// net/openvswitch/datapath.c
		Name: "ovs_dp_process_packet", Kind: Function, Module: "openvswitch", Class: Error, Severity: Harm,
		Cause: "Open vSwitch could not hand the packet to its daemon: the upcall queue is full, or the daemon does not run.",
		Usual: []string{"very many new flows at once", "ovs-vswitchd that has too little CPU or has stopped"},
		Check: []string{"ovs-appctl dpctl/show -s  # lost"},
		Fix:   "Check that ovs-vswitchd runs and has enough CPU.",
	},
	{
		// net/openvswitch/actions.c
		Name: "ovs_execute_actions", Kind: Function, Module: "openvswitch", Class: Policy, Severity: Maybe,
		Cause: "An Open vSwitch flow drops the packet, or could not be performed.",
		Usual: []string{
			"a flow with the action drop, as intended",
			"a port that was removed",
			"a tunnel without a route to its peer",
		},
		Check: []string{"ovs-appctl dpctl/dump-flows"},
		Fix:   "Correct the flow or the policy if the traffic is wanted.",
	},
	{Name: "kfree_skb_list", Kind: Function, Same: "kfree_skb_list_reason"}, // before Linux 6.1
	{
		// net/core/skbuff.c
		Name: "kfree_skb_list_reason", Kind: Function, Module: "queue", Class: NoBuffer, Severity: Maybe,
		Counters: unsent("qdisc.dropped", "interface.tx_dropped"),
		Cause:    "A list of packets was freed at once, for example the rest of a full queue.",
		Usual: []string{
			"a full queue, by a burst or a slow link",
			"an interface that went down",
			"a list of fragments of a dropped packet",
		},
		Check: []string{"tc -s qdisc show dev {ifname}"},
		Fix:   "Send less, or raise the rate or the limit of the qdisc. A longer queue adds delay.",
		Cases: []Case{withoutCarrier},
	},
}

// copyForBridge and copyForBridgeAll are the cases of frames that a bridge passes on to its ports, of which the bridge itself gets
// a copy as well.
var (
	copyForBridge = Case{
		If: Multicast, Class: Local, Severity: Noise, Short: "of a VLAN that the bridge itself is not in",
		Cause: "The bridge's own copy of a multicast frame is of a VLAN that only its ports have.",
		Check: []string{"bridge vlan show"},
		Fix:   "No action needed, unless this host is to get that VLAN.",
	}
	copyForBridgeAll = Case{
		If: Broadcast, Class: Local, Severity: Noise, Short: copyForBridge.Short,
		Cause: "The bridge's own copy of a broadcast is of a VLAN that only its ports have.",
		Check: copyForBridge.Check,
		Fix:   copyForBridge.Fix,
	}
)
