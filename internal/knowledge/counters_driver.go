package knowledge

import (
	"slices"
	"strings"
)

// driverPrefix begins the ID of a counter that a driver keeps, before the driver's own name for it.
const driverPrefix = "driver."

// driverMeanings say what drivers mean by the names of their statistics (ethtool -S). The first that has
// a term of which all words are in the name, in small letters, is meant; an empty meaning is none.
var driverMeanings = []struct {
	name  string
	terms []string
}{
	{"bandwidth_allowance", []string{"bw_in_allowance_exceeded", "bw_out_allowance_exceeded"}},
	{"pps_allowance", []string{"pps_allowance_exceeded"}},
	{"conntrack_allowance", []string{"conntrack_allowance_exceeded"}},
	{"linklocal_allowance", []string{"linklocal_allowance_exceeded"}},
	{"ratelimit", []string{"drop_ratelimit"}},
	{"xdp_failed", []string{"xdp err", "xdp abort", "xdp exception", "xdp invalid", "xdp full", "xdp_tx_drop", "xdp_xmit_drop"}},
	{"xdp_drop", []string{"xdp drop"}},
	{"rx_damaged", []string{"illegal_bytes"}},
	{"", []string{"byte", "fdir", "hwtstamp", "corrected", "available", "smbus"}},
	{"rx_pause", []string{"pause rx", "xoff rx", "pfc rx"}},
	{"tx_pause", []string{"pause tx", "xoff tx", "pfc tx"}},
	{"rx_damaged", []string{
		"crc", "fcs", "align rx", "symbol", "jabber", "jbr", "fragments", "undersize", "runt", "short_length", "rx_length_err",
		"frame_err", "in_range_len", "out_of_range_len", "invalid_checksum", "frm_trunc",
	}},
	{"rx_checksum", []string{"csum err", "csum bad", "csum_offload", "checksum err"}},
	{"pci_stalled", []string{"pci_stalled"}},
	{"tx_timeout", []string{"tx timeout"}},
	{"tx_waited", []string{
		"queue_stop", "stop_queue", "tx_stop", "tx_busy", "tx restart", "restart_queue", "ring full", "ring_full", "tx_send_full",
	}},
	{"rx_too_long", []string{"oversize", "ovrsz", "long_length", "over_mru", "too_long"}},
	{"rx_alloc_failed", []string{"alloc fail", "alloc err", "alloc_discard", "no_memory rx", "oom_discard", "noskb"}},
	{"rx_no_buffer", []string{"no_buffer_count"}},
	{"rx_filtered", []string{"filter", "steer_missed", "otherhost", "unknown_proto", "tag_discard", "if_down"}},
	{"rx_missed", []string{
		"rx_missed", "out_of_buffer", "no_dma_resources", "rx_fifo", "over_errors", "rx overrun", "nodesc", "rxbds_empty",
		"no_bufs", "no_buff", "oob", "no_wqe", "queue_drop_cnt", "rx overflow",
	}},
	{"link_fault", []string{"local_fault", "remote_fault", "link_down_event"}},
	{"tx_errors", []string{"tx link_down", "tx abort", "tx carrier", "tx underrun", "tx_fifo", "tx dma_mapping", "tx err"}},
	{"tx_dropped", []string{"tx drop", "tx discard", "tx_no_space", "tx_no_memory", "tx_too_big"}},
	{"rx_discards", []string{"discard", "port.rx_dropped", "rx_dropped.nic", "brb", "pci_buffer_overflow"}},
	{"rx_dropped", []string{"drop"}},
	{"rx_errors", []string{"rx err"}},
}

// driverMeaning returns the ID of what a driver means by a name, empty if that is not known.
func driverMeaning(name string) string {
	name = strings.ToLower(name)
	for _, m := range driverMeanings {
		if !slices.ContainsFunc(m.terms, func(term string) bool { return hasWords(name, term) }) {
			continue
		}
		if m.name == "" {
			return ""
		}
		return driverPrefix + m.name
	}
	return ""
}

// hasWords reports whether all words of a term are parts of a name.
func hasWords(name, term string) bool {
	for word := range strings.SplitSeq(term, " ") {
		if !strings.Contains(name, word) {
			return false
		}
	}
	return true
}

const (
	ethtoolS = "ethtool -S {ifname}" // shows the counters of a driver
	ethtoolG = "ethtool -g {ifname}  # the rings, and how large they can be"
	allowed  = "ethtool -S {ifname}  # allowance_exceeded" // of ENA: what the type of instance does not allow

	trapShow = "devlink -s trap show" // shows how often each trap of the hardware was hit

	largerRing = "Enlarge the receive ring (ethtool -G), use more queues (ethtool -L), or spread interrupts over CPUs."
	largerHost = "Nothing on this host helps. Send less, spread the load over instances, or take a larger type of instance."
)

// driverCounters are what the statistics of drivers mean, and those of rings and pause frames.
var driverCounters = slices.Concat([]Entry{
	counted("driver.bandwidth_allowance", "cloud", Policy, Harm, Sometimes, Segments,
		"The cloud delayed or dropped packets outside this host: they exceeded the bandwidth of this type of instance.", allowed).
		usually("a burst of a few milliseconds that averages hide", "a transfer at the limit of the instance, or of a single flow").
		fixed(largerHost).fault(),
	counted("driver.pps_allowance", "cloud", Policy, Harm, Sometimes, Segments,
		"The cloud delayed or dropped packets outside this host: they exceeded the packets per second of this type of instance.", allowed).
		usually("many small packets (DNS, UDP, ACKs)", "an instance type that is too small").
		fixed("Send fewer and larger packets, or take a larger type of instance. No setting of this host raises the limit.").fault(),
	counted("driver.conntrack_allowance", "cloud", Policy, Harm, Always, Segments,
		"The cloud dropped packets outside this host: its security groups track no more connections of this type of instance.", allowed).
		usually("many short connections, or connections that are never closed", "security groups that track each of them").
		fixed("Use fewer connections, security groups that track none, or a larger type of instance. nf_conntrack_max does not help."),
	counted("driver.linklocal_allowance", "cloud", Policy, Harm, Always, Segments,
		"The cloud dropped packets outside this host: too many a second for its own services (DNS, metadata, time).", allowed).
		usually("DNS queries without a cache (1,024 a second for each interface)",
			"programs that read the metadata service all the time").
		fixed("Cache DNS answers and metadata on this host."),
	counted("driver.ratelimit", "nic", Policy, Harm, Always, Segments,
		"The device, or the host of this virtual machine, dropped packets that exceeded the rate it allows.", ethtoolS).
		usually("a limit that the host of the virtual machine, or the owner of a virtual function, has set").
		fixed("Raise the limit where it was set, outside this host, or send less."),
	counted("driver.rx_missed", "nic", NoBuffer, Harm, Always, Segments,
		"The device dropped frames because this host did not empty its receive ring in time. No event can show these.",
		ethtoolS, ethtoolG).
		like("interface.rx_missed_errors").including("queue.rx-hw-drop-overruns").fixed(largerRing),
	counted("driver.rx_no_buffer", "nic", NoBuffer, Harm, Sometimes, Segments,
		"Frames found no free place in the receive ring, and waited in the device, which drops them when its memory is full too.",
		ethtoolS, ethtoolG).
		like("interface.rx_missed_errors").fixed(largerRing),
	counted("driver.rx_discards", "nic", NoBuffer, Harm, Always, Segments,
		"The device dropped frames because its own memory was full: they came faster than it passes them to this host.",
		ethtoolS, "lspci -vv  # LnkSta: is the slot slower than the device?").
		usually("a burst while the host is slow to take frames",
			"a slot with too few PCIe lanes",
			"several fast ports on one device").
		fixed("See that the device has all its PCIe lanes, let pause frames or ECN slow senders down, and spread the load over queues."),
	counted("driver.rx_alloc_failed", "nic", NoBuffer, Harm, Sometimes, Calls,
		"The driver got no memory for a received frame: the frame is lost, or the receive ring runs empty.",
		ethtoolS, "free -m", "dmesg | grep 'page allocation failure'").
		like("NOMEM").
		fixed("Free memory, or raise vm.min_free_kbytes.").decided("vm.min_free_kbytes"),
	counted("driver.rx_damaged", "nic", Error, Harm, Always, Segments,
		"Frames arrived damaged: the cable, a connector, a transceiver, or the other end.", ethtoolS, "ethtool -m {ifname}").
		like("interface.rx_crc_errors").
		fixed("Replace the cable or the transceiver, and compare speed, duplex and FEC of both ends."),
	counted("driver.rx_too_long", "nic", Error, Harm, Sometimes, Segments,
		"Frames arrived that are longer than the MTU of the interface: the other end has a larger one.",
		ethtoolS, "ip -d link show dev {ifname}  # mtu, maxmtu").
		usually("jumbo frames that are not enabled here", "a VLAN tag that makes frames longer than the MTU allows").
		applied("ip link set dev {ifname} mtu MTU").fixed("Set the same MTU at both ends."),
	counted("driver.rx_checksum", "nic", Error, Maybe, Sometimes, SKBs,
		"The device found packets with a wrong checksum. The kernel checks them again, and drops those that are wrong.",
		ethtoolS, "nstat -az TcpInCsumErrors UdpInCsumErrors IpExtInCsumErrors").
		usually("a sender with broken checksum offload", "a damaged packet", "a protocol of which the device cannot check the sum").
		fixed("No action needed if the kernel counts no checksum errors itself. Otherwise find their sender."),
	counted("driver.rx_filtered", "nic", Local, Noise, Always, Segments,
		"The device discarded frames that this host did not ask for: for other MAC addresses, VLANs or protocols.", ethtoolS),
	counted("driver.rx_dropped", "nic", NoBuffer, Harm, Sometimes, Segments,
		"The device or its driver dropped frames on their way in, mostly for lack of room.", ethtoolS, ethtoolG).
		like("interface.rx_missed_errors").including("queue.rx-hw-drops").fixed(largerRing),
	counted("driver.rx_errors", "nic", Error, Harm, Sometimes, Segments,
		"Frames arrived damaged or could not be taken.", ethtoolS).
		like("interface.rx_errors").including("driver.rx_damaged", "driver.rx_too_long"),
	counted("driver.tx_dropped", "nic", NoBuffer, Harm, Sometimes, Segments,
		"The device or its driver dropped frames on their way out.", ethtoolS, ethtoolG).
		usually("a full transmit ring", "a packet that the device does not take", "a link that is down").
		fixed("Check the other counters of the device. If its ring is full, enlarge it, or use more queues.").
		applied("ethtool -G {ifname} tx N  # at most what ethtool -g shows"),
	counted("driver.tx_errors", "nic", Error, Harm, Sometimes, Segments,
		"Frames could not be sent: the link was lost, or the device reported an error.", ethtoolS, "dmesg").
		like("interface.tx_errors"),
	counted("driver.tx_timeout", "nic", Error, Harm, Sometimes, Calls,
		"The device sent nothing for seconds and was reset. What was in its rings is lost.", "dmesg | grep -i 'transmit queue'").fault().
		usually("a faulty driver or firmware", "pause frames that never end", "a device that lost its interrupt").
		fixed("Update the driver and the firmware of the device."),
	counted("driver.tx_waited", "nic", NoBuffer, Noise, Never, Calls,
		"The transmit ring was full for a moment, and packets waited. Nothing was lost.", ethtoolS),
	counted("driver.xdp_drop", "xdp", Policy, Maybe, Always, Segments,
		"An XDP program dropped packets, as it was made to do.", "bpftool net show", "ip link show dev {ifname}").
		like("XDP"),
	counted("driver.xdp_failed", "xdp", Error, Harm, Always, Segments,
		"An XDP program failed, or a packet that it redirected or sent back could not be sent.",
		"bpftool net show", "dropwatch watch reason XDP").
		like("XDP_EXCEPTION"),
	counted("driver.pci_stalled", "nic", NoBuffer, Maybe, Never, Calls,
		"The device had to wait for the PCIe bus or for memory. Frames are lost only if its own memory is full, too.",
		ethtoolS, "lspci -vv  # LnkSta: is the slot slower than the device?").
		usually("a slot with too few PCIe lanes", "memory of another NUMA node", "the host's IOMMU").
		fixed("Put the device into a slot with all its lanes, and its interrupts on CPUs of the same NUMA node."),
	counted("driver.link_fault", "nic", Error, Harm, Sometimes, Calls,
		"The link failed for a moment. What was on it is lost.", "ethtool {ifname}", "ethtool -m {ifname}", "dmesg").fault().
		like("interface.rx_crc_errors").
		fixed("Replace the cable or the transceiver, and compare speed, duplex and FEC of both ends."),
	counted("driver.rx_pause", "nic", NoBuffer, Maybe, Never, Calls,
		"The other end asked this host to send nothing for a moment. Packets wait, and may be lost in a queue of this host.",
		"ethtool -a {ifname}", "tc -s qdisc show dev {ifname}").
		usually("a switch port that is congested", "a slow host on the same switch").
		fixed("Nothing to fix on this host: find what is slow behind the other end. To ignore pause frames, turn " +
			"them off.").
		applied("ethtool -A {ifname} rx off"),
	counted("driver.tx_pause", "nic", NoBuffer, Maybe, Never, Calls,
		"This host asked the other end to send nothing for a moment, as it could not keep up: packets may be lost there.",
		"ethtool -a {ifname}", ethtoolG).
		like("interface.rx_missed_errors"),
	counted("driver.pause_rx", "nic", Policy, Noise, Never, Calls,
		"Whether the interface obeys pause frames (1) or not (0).", "ethtool -a {ifname}"),
	counted("driver.pause_tx", "nic", Policy, Noise, Never, Calls,
		"Whether the interface sends pause frames when it cannot keep up (1) or not (0).", "ethtool -a {ifname}"),
	counted("driver.ring_rx", "nic", NoBuffer, Noise, Never, Calls,
		"The places of the receive ring, of as many as the device can have. A larger one takes longer bursts.", ethtoolG),
	counted("driver.ring_tx", "nic", NoBuffer, Noise, Never, Calls,
		"The places of the transmit ring, of as many as the device can have. A larger one adds delay.", ethtoolG),
	counted("queue.rx-hw-drops", "nic", NoBuffer, Harm, Always, Segments,
		"The device dropped frames that it had received: for lack of room, as wrong, or as a filter or a limit asks for.",
		ethtoolS, ethtoolG).
		like("interface.rx_missed_errors").fixed(largerRing),
	counted("queue.rx-hw-drop-overruns", "nic", NoBuffer, Harm, Always, Segments,
		"The device dropped frames because this host did not empty its receive ring in time. They are in rx-hw-drops as well.",
		ethtoolS, ethtoolG).
		like("interface.rx_missed_errors").fixed(largerRing),
	counted("queue.rx-csum-bad", "nic", Error, Maybe, Sometimes, SKBs,
		"The device found packets with a wrong checksum. The kernel checks them again, and drops those that are wrong.",
		"nstat -az TcpInCsumErrors UdpInCsumErrors IpExtInCsumErrors").
		like("driver.rx_checksum"),
	counted("queue.tx-hw-drops", "nic", NoBuffer, Harm, Always, Segments,
		"The device dropped frames that it had to send.", ethtoolS).
		like("driver.tx_dropped"),
	counted("queue.tx-hw-drop-errors", "nic", Error, Harm, Always, Segments,
		"The device dropped frames that it had to send because they were wrong. They are in tx-hw-drops as well.", ethtoolS).
		usually("a faulty guest or driver", "packets that exceed what the device can send").
		fixed("Update the driver. As a test, turn off segmentation offload.").
		applied("ethtool -K {ifname} tso off gso off"),
	counted("devlink.rx_dropped", "trap", Policy, Harm, Always, Segments,
		"The device dropped packets by a trap, and let nobody see them: the trap's action is drop.", trapShow).
		usually("what the name of the trap says, as intended: the action of drop traps is drop from the beginning").
		fixed("To see them: devlink trap set DEVICE trap NAME action trap, and dropwatch watch --origin hw."),
	counted("devlink.health_errors", "nic", Error, Harm, Sometimes, Calls,
		"A part of the device, such as a queue or its firmware, failed. What was in it may be lost.",
		"devlink health show", "dmesg").fault().
		usually("a fault of the firmware or the driver", "a transmit queue that hung", "a device that overheats or fails").
		fixed("Update the driver and the firmware of the device. If it fails again, replace it."),
	counted("devlink.health_failed", "nic", Error, Harm, Sometimes, Calls,
		"A part of the device has failed and was not started again: what passes through it is lost.",
		"devlink health show", "dmesg").
		usually("a fault of the firmware or the driver", "failures that follow each other faster than the grace period",
			"auto_recover is off").
		fixed("Start it again, then update the driver and the firmware of the device.").
		applied("devlink health recover DEVICE reporter NAME"),
	counted("devlink.rx_packets", "trap", Policy, Noise, Never, Segments,
		"The device gave packets of a trap to this host, where they are hardware drops, exceptions or control packets.", trapShow),
},
	same("driver.ring_rx", "driver.ring_rx_mini", "driver.ring_rx_jumbo"),
	same("driver.ratelimit", "queue.rx-hw-drop-ratelimits", "queue.tx-hw-drop-ratelimits"),
	same("driver.rx_alloc_failed", "queue.rx-alloc-fail"),
	same("driver.tx_waited", "queue.tx-stop"),
	same("driver.rx_pause", "driver.pause_rx_frames"), same("driver.tx_pause", "driver.pause_tx_frames"),
)
