package knowledge

import "slices"

// hardwareCounters are those of interfaces and of the way from them to a CPU
// (include/uapi/linux/if_link.h, net/core/net-procfs.c).
var hardwareCounters = slices.Concat([]Entry{
	counted("softnet.dropped", "device", NoBuffer, Harm, Always, SKBs,
		"A packet was dropped because the backlog of a CPU was full.",
		"cat /proc/net/softnet_stat  # second column, a line for each CPU").
		like("CPU_BACKLOG").
		fixed("Spread the load over CPUs (RPS, more queues). A longer backlog only helps against bursts; netdev_budget does not help.").
		decided("net.core.netdev_max_backlog"),
	counted("softnet.flow_limit_count", "device", NoBuffer, Harm, Sometimes, SKBs,
		"A packet was dropped because its flow had more than its share of the backlog of a CPU. It is in dropped as well.",
		"cat /proc/net/softnet_stat").
		usually("one flow that brings most packets of a CPU, such as a tunnel or a flood").
		fixed("Nothing else is lost by it: the limit keeps room for other flows. Spread or slow down that flow.").
		decided("net.core.netdev_max_backlog"),
	counted("softnet.backlog_len", "device", NoBuffer, Maybe, Sometimes, SKBs,
		"The packets in the backlog of a CPU, of as many as there may be.",
		"cat /proc/net/softnet_stat").
		like("CPU_BACKLOG").decided("net.core.netdev_max_backlog"),
	counted("softnet.time_squeeze", "device", NoBuffer, Noise, Never, Calls,
		"A CPU had more packets to handle than it may at once, so they waited a little longer. Nothing was lost.",
		"cat /proc/net/softnet_stat").
		decided("net.core.netdev_budget"),
	counted("interface.rx_crc_errors", "nic", Error, Harm, Always, Segments,
		"A frame arrived with a wrong checksum: the cable, a connector, a transceiver, or the other end.", "ethtool -S {ifname}").
		usually("a faulty cable, connector or transceiver",
			"too little optical power",
			"different speed, duplex or FEC at both ends").
		including("driver.rx_damaged", "driver.rx_too_long").
		fixed("Replace the cable or the transceiver, and compare speed and duplex of both ends."),
	counted("interface.rx_missed_errors", "nic", NoBuffer, Harm, Always, Segments,
		"The device dropped frames because the host did not take them off its receive ring in time. No event can show these.",
		"ethtool -S {ifname}", "ethtool -g {ifname}").
		usually("a burst larger than the receive ring",
			"all interrupts on one CPU",
			"a CPU that sleeps deeply or is busy with something else").
		applied("ethtool -G {ifname} rx N  # at most what ethtool -g shows").
		including("driver.rx_missed", "queue.rx-hw-drop-overruns").
		decided("device.{ifname}.ring_rx", "device.{ifname}.queues").
		fixed("Enlarge the ring (ethtool -G), use more queues, or spread interrupts over CPUs."),
	counted("interface.tx_carrier_errors", "nic", Error, Harm, Always, Segments, "A frame could not be sent because the link was lost.",
		"ip -s -s link show dev {ifname}").
		usually("a link that went down", "a faulty cable or transceiver", "the other end restarts").
		fixed("Replace the cable or the transceiver, and compare speed, duplex and FEC of both ends."),
	counted("interface.rx_errors", "nic", Error, Harm, Sometimes, Segments,
		"Frames arrived damaged or could not be taken. The sum of all errors of the device.",
		"ip -s -s link show dev {ifname}", "ethtool -S {ifname}").
		usually("damaged frames (cable, transceiver)", "frames longer than the MTU", "a full receive ring").
		fixed("The other counters of the interface say which: CRC for the cable, length for the MTU, fifo and "+
			"missed for the ring.").
		including("interface.rx_crc_errors", "interface.rx_frame_errors", "interface.rx_length_errors", "interface.rx_fifo_errors",
			"interface.rx_over_errors", "driver.rx_errors", "driver.rx_damaged", "driver.rx_too_long"),
	counted("interface.tx_errors", "nic", Error, Harm, Sometimes, Segments,
		"Frames could not be sent. The sum of all errors of the device.", "ip -s -s link show dev {ifname}", "ethtool -S {ifname}").
		usually("a link that went down", "a faulty driver or firmware", "a virtual interface that could not pass the packet on").
		fixed("The other counters of the interface and dmesg say which. Of a tunnel, check the route to its remote end.").
		including("interface.tx_carrier_errors", "interface.tx_aborted_errors", "interface.tx_heartbeat_errors",
			"interface.tx_window_errors", "interface.tx_fifo_errors", "driver.tx_errors"),
	counted("interface.rx_dropped", "device", NoBuffer, Maybe, Sometimes, Segments,
		"Frames were dropped on their way in: by the device for lack of buffers, or by the kernel, also those that nobody here wants.",
		"ip -s -s link show dev {ifname}", "ethtool -S {ifname}", "dropwatch watch iface {ifname}").
		usually("frames that nobody here wants (LLDP, unknown VLANs)",
			"a full receive ring or backlog",
			"a full ring of a virtual machine").
		including("driver.rx_dropped", "driver.rx_discards", "driver.rx_alloc_failed", "queue.rx-hw-drops", "queue.rx-alloc-fail").
		fixed("No action needed for frames that nobody wants. If the device has no buffers, enlarge its ring."),
	counted("interface.tx_dropped", "device", NoBuffer, Harm, Sometimes, Segments,
		"Frames were dropped on their way out by the device or its driver.", "ip -s -s link show dev {ifname}", "ethtool -S {ifname}").
		usually("a full queue of a tun, tap or veth device", "a peer that is down", "a link without carrier").
		including("driver.tx_dropped", "queue.tx-hw-drops").
		fixed("Bring the other end up, or make the program behind the device read faster."),
	counted("interface.rx_nohandler", "device", Local, Noise, Always, SKBs,
		"Frames arrived at an interface that passes none up, usually the inactive member of a bond: they are copies.",
		"ip -s -s link show dev {ifname}"),
	counted("interface.rx_otherhost_dropped", "device", Local, Noise, Always, SKBs,
		"Frames were for another host: a switch flooded them, or a capture is on.", "ip -s -s link show dev {ifname}"),
	counted("interface.no_carrier", "nic", Error, Noise, Sometimes, Calls,
		"The interface is up but has no carrier: what is sent through it is dropped.", "ip link show dev {ifname}", "ethtool {ifname}").
		fixed("Connect it, or set the other end up."),
	counted("interface.carrier_lost", "nic", Error, Maybe, Sometimes, Calls,
		"The interface is up and has lost its carrier: what is sent through it is dropped.",
		"ip link show dev {ifname}", "ethtool {ifname}").
		usually("a cable that was pulled or failed", "a switch port that is down", "the other end is off or restarts").
		fixed("Connect it, or set the other end up. No action needed if nobody uses it."),
	counted("interface.carrier_down_count", "nic", Error, Maybe, Sometimes, Calls,
		"The interface lost its carrier. What was under way on it is lost.",
		"grep . /sys/class/net/{ifname}/carrier_*", "ethtool {ifname}", "ethtool -m {ifname}").fault().including("driver.link_fault").
		usually("a faulty cable or transceiver", "the other end restarts", "a driver that resets the device").
		fixed("Replace the cable or the transceiver if it happens again."),
	counted("interface.collisions", "nic", Error, Maybe, Never, Segments, "Frames collided on a half-duplex link and were sent again.",
		"ethtool {ifname}").
		usually("a link at half duplex, as when one end negotiates and the other is set by hand").
		applied("ethtool -s {ifname} autoneg on").fixed("Set both ends to full duplex."),
},
	same("interface.rx_crc_errors", "interface.rx_frame_errors", "interface.rx_length_errors"),
	same("interface.rx_missed_errors", "interface.rx_fifo_errors", "interface.rx_over_errors"),
	same("interface.tx_carrier_errors", "interface.tx_aborted_errors", "interface.tx_heartbeat_errors", "interface.tx_window_errors",
		"interface.tx_fifo_errors"),
)

// linkCounters are those of queueing disciplines (include/uapi/linux/gen_stats.h), and
// the states of ports.
var linkCounters = []Entry{
	counted("interface.bridge_port_blocked", "bridge", Policy, Noise, Sometimes, Calls,
		"The bridge does not forward what arrives at this port, nor sends any to it: spanning tree, or somebody, keeps it so.",
		"bridge -d link show dev {ifname}  # state").
		usually("another path is in use, as intended", "a port that has just come up", "a loop").
		fixed("No action needed if another path is in use. If all are blocked, look for a loop or an unexpected root bridge."),
	counted("interface.bond_member_inactive", "bond", Local, Noise, Sometimes, Calls,
		"The bond does not use this member now: what arrives at it is dropped, and is usually a copy.", "ip -d link show dev {ifname}"),
	counted("interface.bond_member_down", "bond", Error, Maybe, Sometimes, Calls,
		"The bond found the link of this member down, by MII or by ARP, and does not use it.",
		"grep -r . /proc/net/bonding  # MII Status", "ethtool {ifname}").
		usually("a cable, a transceiver or a switch port that failed", "the other end is down or restarts",
			"ARP monitoring of an address that does not answer").
		fixed("Bring the link up, or correct arp_ip_target. The other members carry the load meanwhile, if any is up."),
	counted("interface.bond_link_failures", "bond", Error, Maybe, Sometimes, Calls,
		"The bond found the link of this member down. What was under way on it is lost.",
		"grep -r . /proc/net/bonding  # Link Failure Count", "ethtool -m {ifname}").fault().
		shownBy("interface.bond_member_down").including("interface.carrier_down_count").
		usually("a faulty cable or transceiver", "a switch that restarts", "ARP monitoring of an address that answers late").
		fixed("Replace the cable or the transceiver if it happens again."),
	counted("interface.bond_lacp_unused", "bond", Error, Maybe, Sometimes, Calls,
		"LACP passes nothing through this member of the bond although its link is up: the two ends do not agree.",
		"grep -r . /proc/net/bonding  # Aggregator ID, partner's key and MAC address").
		usually("LACP is not enabled at the port of the switch", "a port of another group, or of another switch without MLAG",
			"another speed or duplex than the other members", "a second aggregator that stands by, as intended").
		fixed("Put all ports into one LACP group of the switch, with the same speed. Nothing else helps on this host."),
	counted("qdisc.dropped", "qdisc", NoBuffer, Harm, Always, SKBs,
		"A queueing discipline dropped packets that had to leave: the link is slower than what is sent, or a limit is reached.",
		"tc -s qdisc show dev {ifname}").
		like("QDISC_DROP").including("filter.dropped").
		fixed("Send less or slower, or raise the limit of the discipline. Check the flow limits of fq first."),
	counted("qdisc.flows_plimit", "qdisc", NoBuffer, Maybe, Never, SKBs,
		"fq dropped a packet because its flow had as many waiting as one flow may have. It counts it in dropped as well.",
		"tc -s qdisc show dev {ifname}").
		like("FQ_FLOW_LIMIT"),
	counted("qdisc.emulated_loss", "qdisc", Policy, Maybe, Never, SKBs,
		"netem dropped a packet although its queue has room: to emulate loss. It counts it in dropped as well.",
		"tc -s qdisc show dev {ifname}").
		usually("loss that was set for a test").
		fixed("Remove netem when the test is over."),
	counted("qdisc.overlimits", "qdisc", Policy, Noise, Never, Calls,
		"A packet had to wait, as its rate is limited. Nothing was lost.", "tc -s qdisc show dev {ifname}"),
	counted("qdisc.requeues", "qdisc", NoBuffer, Noise, Never, Calls,
		"A packet had to wait, as the device could not take it. Nothing was lost.", "tc -s qdisc show dev {ifname}"),
	counted("qdisc.qlen", "qdisc", NoBuffer, Noise, Never, SKBs,
		"The packets that wait in a queueing discipline.", "tc -s qdisc show dev {ifname}"),
	counted("qdisc.backlog", "qdisc", NoBuffer, Noise, Never, Octets,
		"The bytes that wait in a queueing discipline.", "tc -s qdisc show dev {ifname}"),
	counted("filter.dropped", "tc", Policy, Maybe, Always, SKBs,
		"An action of a tc filter dropped a packet. Its queueing discipline counts it in dropped as well.",
		"tc -s filter show dev {ifname} ingress", "tc -s filter show dev {ifname} egress", "tc -s filter show dev {ifname}").
		like("TC_INGRESS").
		fixed("Correct the filter, or the policy of the network plugin that installed it."),
	counted("filter.overlimits", "tc", Policy, Maybe, Sometimes, SKBs,
		"An action of a tc filter found a packet over its rate, or could not send it to another interface.",
		"tc -s filter show dev {ifname} ingress", "tc -s filter show dev {ifname} egress", "tc -s filter show dev {ifname}").
		usually("a policer, as intended", "a mirred redirect to an interface that is down or full").
		fixed("No action needed if the rate is intended. Otherwise raise the rate of the policer, or bring the " +
			"other interface up."),
	counted("filter.packets", "tc", Policy, Noise, Never, Segments,
		"A packet came to an action of a tc filter.", "tc -s filter show dev {ifname} ingress"),
}
