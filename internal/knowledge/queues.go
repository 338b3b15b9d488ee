package knowledge

// queues holds the reasons of tc, of queueing disciplines (dropreason-core.h, and
// dropreason-qdisc.h of Linux 7.x) and of Open vSwitch (net/openvswitch/drop.h).
var queues = []Entry{
	{
		// net/core/dev.c sch_handle_ingress
		Name: "TC_INGRESS", Module: "tc", Class: Policy, Severity: Maybe,
		Counters: []string{"qdisc.dropped", "filter.dropped", "filter.overlimits"},
		Cause:    "A tc filter or BPF program dropped an incoming packet.",
		Usual: []string{
			"the policy of a network plugin (Cilium, Calico) or of a service mesh",
			"a policer",
			"a filter that matches more than intended",
		},
		Check: []string{
			"tc -s filter show dev {ifname} ingress",
			"bpftool net show dev {ifname}",
		},
		Fix: "Correct the filter, or the policy of the network plugin that installed it.",
	},
	{
		// net/core/dev.c sch_handle_egress
		Name: "TC_EGRESS", Module: "tc", Class: Policy, Severity: Maybe,
		Counters: unsent("qdisc.dropped", "filter.dropped", "filter.overlimits"),
		Cause:    "A tc filter or BPF program dropped an outgoing packet.",
		Usual: []string{
			"the policy of a network plugin (Cilium, Calico) or of a service mesh",
			"a policer",
			"a filter that matches more than intended",
		},
		Check: []string{
			"tc -s filter show dev {ifname} egress",
			"bpftool net show dev {ifname}",
		},
		Fix: "Correct the filter, or the policy of the network plugin that installed it.",
	},
	{
		// net/sched/cls_api.c __tcf_classify, tcf_classify
		Name: "TC_COOKIE_ERROR", Module: "tc", Class: Error, Severity: Harm,
		Cause: "tc could not save or find the state that a packet needs to continue in another filter chain.",
		Usual: []string{"the host is short of memory", "a chain that was removed while packets used it"},
		Check: []string{"tc -s filter show dev {ifname} ingress"},
		Fix:   "Free memory, and install the filters again.",
	},
	{
		// net/sched/act_api.c tcf_action_exec; net/sched/cls_api.c tcf_classify
		Name: "TC_CHAIN_NOTFOUND", Module: "tc", Class: Error, Severity: Harm,
		Cause: "A tc rule sends the packet to a filter chain that does not exist.",
		Usual: []string{"filters that were installed in the wrong order", "a chain that was removed"},
		Check: []string{
			"tc chain show dev {ifname} ingress",
			"tc filter show dev {ifname} ingress",
		},
		Fix: "Create the chain, or correct the goto.",
	},
	{
		// net/core/dev.c __dev_xmit_skb; net/sched/cls_api.c __tcf_classify
		Name: "TC_RECLASSIFY_LOOP", Module: "tc", Class: Error, Severity: Harm,
		Cause: "tc rules classified the packet again too many times: they form a loop.",
		Usual: []string{"an action reclassify that changes nothing", "two chains that go to each other"},
		Check: []string{"tc filter show dev {ifname} ingress  # reclassify, goto chain"},
		Fix:   "Break the loop in the rules.",
	},
	{
		// net/core/dev.c __dev_xmit_skb
		Name: "QDISC_DROP", Module: "qdisc", Class: NoBuffer, Severity: Harm,
		Steady:   steadyLink,
		Counters: unsent("qdisc.dropped", "interface.tx_dropped"), // the latter by noop_enqueue
		Cause:    "The queueing discipline rejected the packet: usually its queue is full, or a shaper limits the rate.",
		Usual: []string{
			"a burst",
			"a link or shaper that is slower than the sender",
			"a short queue (pfifo of a small txqueuelen, netem limit 1000)",
		},
		Check: []string{"tc -s qdisc show dev {ifname}  # dropped, overlimits, backlog"},
		Fix:   "Send less, raise the shaped rate or the limit, or use fq_codel.",
		Apply: []string{"tc qdisc replace dev {ifname} root fq_codel  # unless a shaper is there on purpose"},
		Cases: []Case{withoutCarrier, flowLimit, emulated},
	},
	{
		Name: "QDISC_OVERLIMIT", Module: "qdisc", Class: NoBuffer, Severity: Harm,
		Steady:   steadyLink,
		Counters: unsent("qdisc.dropped"),
		Cause:    "The queueing discipline holds as many packets as its limit allows.",
		Usual:    []string{"a burst", "a link or shaper that is slower than the sender", "a short limit"},
		Check:    []string{"tc -s qdisc show dev {ifname}  # limit, backlog"},
		Fix:      "Send less, or raise the rate or the limit. A longer queue adds delay.",
		Apply:    []string{"tc qdisc replace dev {ifname} root fq_codel  # unless a shaper is there on purpose"},
	},
	{
		Name: "QDISC_CONGESTED", Module: "qdisc", Class: NoBuffer, Severity: Maybe,
		Counters: unsent("qdisc.dropped"),
		Cause:    "Active queue management (codel, pie, red or similar) dropped the packet to make its sender slow down.",
		Usual: []string{
			"a sender that fills the link, as intended",
			"a shaped rate below that of the link",
			"a target that is short for the link's delay",
		},
		Check: []string{"tc -s qdisc show dev {ifname}  # target, ecn_mark"},
		Fix:   "No action needed if it is rare. Otherwise enable ECN, or give the link more rate.",
		Apply: []string{"tc qdisc change dev {ifname} root fq_codel ecn"},
	},
	{
		Name: "QDISC_BURST_DROP", Module: "qdisc", Class: NoBuffer, Severity: Harm,
		Counters: unsent("qdisc.dropped"),
		Settings: []string{"net.core.qdisc_max_burst"},
		Cause:    "More packets waited to be queued at once than net.core.qdisc_max_burst allows.",
		Usual:    []string{"many CPUs that send by one queue at once", "a slow qdisc with one lock"},
		Check: []string{
			"sysctl net.core.qdisc_max_burst",
			"tc -s qdisc show dev {ifname}",
		},
		Fix:   "Raise net.core.qdisc_max_burst, or use several transmit queues.",
		Apply: []string{"sysctl -w net.core.qdisc_max_burst=N"},
	},
	{
		Name: "CAKE_FLOOD", Module: "qdisc", Class: Policy, Severity: Maybe,
		Counters: unsent("qdisc.dropped"),
		Cause:    "cake dropped a packet of a flow that does not slow down.",
		Usual:    []string{"a sender without congestion control, such as a UDP flood"},
		Check:    []string{"tc -s qdisc show dev {ifname}  # un_flows, drops"},
		Fix:      "Limit the flow at its sender.",
	},
	{
		Name: "FQ_BAND_LIMIT", Module: "qdisc", Class: NoBuffer, Severity: Harm,
		Steady:   steadyLink,
		Counters: unsent("qdisc.dropped"),
		Cause:    "A priority band of the fq qdisc is full.",
		Usual:    []string{"a burst", "a link that is slower than the senders", "traffic that all has one priority"},
		Check:    []string{"tc -s qdisc show dev {ifname}  # band drops, limit"},
		Fix:      "Raise limit of fq, or send less in that band.",
		Apply:    []string{"tc qdisc change dev {ifname} root fq limit 20000"},
	},
	{
		Name: "FQ_HORIZON_LIMIT", Module: "qdisc", Class: Policy, Severity: Harm,
		Counters: unsent("qdisc.dropped"),
		Cause:    "The packet is to be sent further in the future than the fq qdisc allows.",
		Usual:    []string{"a program that paces by a wrong clock (SO_TXTIME)", "a pacing rate that is very low"},
		Check:    []string{"tc -s qdisc show dev {ifname}  # horizon"},
		Fix:      "Correct the sender's SO_TXTIME or pacing, raise horizon, or set horizon_cap.",
		Apply:    []string{"tc qdisc change dev {ifname} root fq horizon 30s horizon_cap"},
	},
	{
		Name: "FQ_FLOW_LIMIT", Module: "qdisc", Class: NoBuffer, Severity: Maybe,
		Counters: unsent("qdisc.dropped"),
		Cause:    flowLimit.Cause,
		Usual: []string{
			"a UDP sender that does not pace (QUIC, media, syslog)",
			"many connections of a proxy or tunnel that are one flow",
			"a single socket's burst",
		},
		Check: flowLimit.Check, Fix: flowLimit.Fix, Apply: flowLimit.Apply,
	},
	{
		Name: "DUALPI2_STEP_DROP", Module: "qdisc", Class: NoBuffer, Severity: Maybe,
		Counters: unsent("qdisc.dropped"),
		Cause:    "A packet without ECN waited too long in the low-latency queue of dualpi2.",
		Usual:    []string{"a sender that marks packets as low-latency (ECT(1)) but does not react to ECN"},
		Check:    []string{"tc -s qdisc show dev {ifname}  # step_thresh"},
		Fix:      "Use ECN for traffic in that queue.",
	},
	{
		Name: "QDISC_DROP_GENERIC", Module: "qdisc", Class: NoBuffer, Severity: Harm,
		Steady:   steadyLink,
		Counters: unsent("qdisc.dropped", "interface.tx_dropped"),
		Cause:    "The queueing discipline rejected the packet, without a more specific reason.",
		Usual: []string{
			"a burst",
			"a link or shaper that is slower than the sender",
			"a short queue",
			"netem loss, set for a test",
		},
		Check: []string{"tc -s qdisc show dev {ifname}  # dropped, overlimits, backlog"},
		Fix:   "Send less, or raise the rate or the limit.",
		Apply: []string{"tc qdisc replace dev {ifname} root fq_codel  # unless a shaper is there on purpose"},
		Cases: []Case{withoutCarrier, flowLimit, emulated},
	},
	{
		Name: "QDISC_DROP_MAXFLOWS", Module: "qdisc", Class: NoBuffer, Severity: Harm,
		Counters: unsent("qdisc.dropped"),
		Cause:    "The flow table of the queueing discipline is full.",
		Usual:    []string{"more flows than the table has places (sfq has 128)"},
		Check:    []string{"tc -s qdisc show dev {ifname}  # flows"},
		Fix:      "Raise flows of the qdisc, or use fq_codel or fq.",
		Apply:    []string{"tc qdisc replace dev {ifname} root fq_codel  # unless a shaper is there on purpose"},
	},
	{
		Name: "OVS_DROP_LAST_ACTION", Module: "openvswitch", Class: Policy, Severity: Maybe,
		Cause: "An Open vSwitch flow ended without an output: its action list is empty, so the packet is dropped.",
		Usual: []string{
			"no flow matches, and the table's default is to drop",
			"a security group or network policy",
			"a port that is not in the bridge",
		},
		Check: []string{"ovs-appctl dpctl/dump-flows"},
		Fix:   "Correct the flow, or the policy that installed it.",
	},
	{
		Name: "OVS_DROP_ACTION_ERROR", Module: "openvswitch", Class: Error, Severity: Harm,
		Cause: "Open vSwitch could not perform an action of the flow.",
		Usual: []string{"an output port that was removed", "a tunnel without a route to its peer"},
		Check: []string{
			"ovs-appctl dpctl/dump-flows",
			"dmesg | tail",
		},
		Fix: "Correct the flow or the port that it names: ovs-vswitchd's log says which.",
	},
	{
		Name: "OVS_DROP_EXPLICIT", Module: "openvswitch", Class: Policy, Severity: Maybe,
		Cause: "An Open vSwitch flow has the action drop.",
		Usual: []string{
			"a security group or network policy, as intended",
			"a rule that matches more than intended",
		},
		Check: []string{"ovs-appctl dpctl/dump-flows | grep drop"},
		Fix:   "Correct the flow or the policy if the traffic is wanted.",
	},
	{
		Name: "OVS_DROP_EXPLICIT_WITH_ERROR", Module: "openvswitch", Class: Policy, Severity: Harm,
		Cause: "An Open vSwitch flow drops the packet because the switch could not translate its rules.",
		Usual: []string{
			"a loop in the rules (too many resubmits)",
			"a flow that uses what the kernel's datapath cannot do",
		},
		Check: []string{
			"ovs-appctl dpctl/dump-flows | grep drop",
			"tail /var/log/openvswitch/ovs-vswitchd.log",
		},
		Fix: "Correct the rules: ovs-appctl ofproto/trace shows where the translation stops.",
	},
	{
		Name: "OVS_DROP_METER", Module: "openvswitch", Class: Policy, Severity: Maybe,
		Cause: "An Open vSwitch meter limits the rate.",
		Usual: []string{"traffic that exceeds the rate of the meter, as intended", "a rate that is set too low"},
		Check: []string{"ovs-ofctl -O OpenFlow13 meter-stats BRIDGE"},
		Fix:   "Raise the rate of the meter, or send less.",
	},
	{
		Name: "OVS_DROP_RECURSION_LIMIT", Module: "openvswitch", Class: Error, Severity: Harm,
		Cause: "Open vSwitch actions recirculate the packet too often: the rules form a loop.",
		Usual: []string{"patch ports that form a loop", "a tunnel whose peer is reached through itself"},
		Check: []string{"ovs-appctl dpctl/dump-flows"},
		Fix:   "Break the loop in the rules.",
	},
	{
		Name: "OVS_DROP_DEFERRED_LIMIT", Module: "openvswitch", Class: NoBuffer, Severity: Harm,
		Cause: "Open vSwitch has too many deferred actions for one packet.",
		Usual: []string{"rules with very many clones, samples or recirculations for one packet"},
		Check: []string{"ovs-appctl dpctl/dump-flows"},
		Fix:   "Use fewer clones and recirculations in the rules.",
	},
	{
		Name: "OVS_DROP_FRAG_L2_TOO_LONG", Module: "openvswitch", Class: Error, Severity: Harm,
		Cause: "The link header is too long for Open vSwitch to fragment the packet.",
		Usual: []string{"stacked VLAN tags or MPLS labels", "different MTUs of the ports"},
		Check: []string{"ovs-appctl dpctl/dump-flows"},
		Fix:   "Make the MTUs of the ports equal.",
	},
	{
		Name: "OVS_DROP_FRAG_INVALID_PROTO", Module: "openvswitch", Class: Error, Severity: Harm,
		Cause: "Open vSwitch was to fragment a packet that is neither IPv4 nor IPv6.",
		Usual: []string{"jumbo frames of another protocol", "different MTUs of the ports"},
		Check: []string{"ovs-appctl dpctl/dump-flows"},
		Fix:   "Make the MTUs of the ports equal.",
	},
	{
		Name: "OVS_DROP_CONNTRACK", Module: "openvswitch", Class: Error, Severity: Harm,
		Settings: []string{"net.netfilter.nf_conntrack_max"},
		Cause:    "Open vSwitch could not pass the packet through connection tracking.",
		Usual:    []string{"the connection tracking table, or the limit of its zone, is full", "a malformed packet"},
		Check: []string{
			"ovs-appctl dpctl/dump-conntrack | wc -l",
			"sysctl net.netfilter.nf_conntrack_max",
		},
		Fix:   "Raise nf_conntrack_max, or the limit of the zone (ovs-appctl dpctl/ct-set-limits).",
		Apply: []string{"sysctl -w net.netfilter.nf_conntrack_max=N"},
	},
	{
		Name: "OVS_DROP_IP_TTL", Module: "openvswitch", Class: Error, Severity: Harm,
		Cause: "The TTL expired in an Open vSwitch action.",
		Usual: []string{"a routing loop", "a traceroute through this host"},
		Check: []string{"ovs-appctl dpctl/dump-flows | grep dec_ttl"},
		Fix:   "Look for a routing loop.",
	},
}

// newNames are the names that reasons of queueing disciplines have since Linux 7.2
// (include/net/dropreason-qdisc.h), by those before.
var newNames = map[string]string{
	"QDISC_OVERLIMIT": "QDISC_DROP_OVERLIMIT", "QDISC_CONGESTED": "QDISC_DROP_CONGESTED", "CAKE_FLOOD": "QDISC_DROP_FLOOD_PROTECTION",
	"FQ_BAND_LIMIT": "QDISC_DROP_BAND_LIMIT", "FQ_HORIZON_LIMIT": "QDISC_DROP_HORIZON_LIMIT", "FQ_FLOW_LIMIT": "QDISC_DROP_FLOW_LIMIT",
	"DUALPI2_STEP_DROP": "QDISC_DROP_L4S_STEP_NON_ECN",
}

// renamed returns those of the entries that have another name, under that name.
func renamed(entries []Entry, names map[string]string) (all []Entry) {
	for _, en := range entries {
		if name, ok := names[en.Name]; ok {
			en.Name = name
			all = append(all, en)
		}
	}
	return all
}

// flowLimit is the case of packets that fq dropped because one flow had too many, which it
// counts (flows_plimit).
var flowLimit = Case{
	If: FlowLimit, Severity: Maybe,
	Cause: "One flow has as many packets in the qdisc as one flow may have. The link is not full.",
	Check: []string{"tc -s qdisc show dev {ifname}  # flow_limit, flows_plimit"},
	Fix:   "Make the sender pace its bursts, or raise flow_limit. Shaping less does not help.",
	Apply: []string{"tc qdisc change dev {ifname} root fq flow_limit 1000"},
}

// emulated is the case of packets that netem dropped although its queue has room.
var emulated = Case{
	If: Emulated, Class: Policy, Severity: Maybe,
	Cause: "netem drops packets to emulate loss: somebody set that for a test.",
	Check: []string{"tc -s qdisc show dev {ifname}  # netem loss"},
	Fix:   "Remove netem when the test is over.",
	Apply: []string{"tc qdisc del dev {ifname} root"},
}
