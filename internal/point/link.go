package point

// qdiscArgs are those of a queueing discipline. Its limit is 0 if it has none of its own, as tbf, of which a queue below has
// one. That of pfifo_fast is that of the device; it counts its packets for each CPU, not in qlen.
func qdiscArgs(q string) []Arg {
	return args("kind", q+"->ops->id:string", "major", q+"->handle >> 16:x", "parent", q+"->parent:x", "qlen", q+"->q.qlen",
		"limit", q+"->limit + ("+q+"->ops->id == \"pfifo_fast\") * "+q+"->dev_queue->dev->tx_queue_len",
		"backlog", q+"->qstats.backlog", "dev", q+"->dev_queue->dev->name")
}

// dropped is the point for one of the counters of a device that dropwatch cannot see by the packet alone.
func dropped(name, offset string, or ...Form) Point {
	return Point{
		Name: "dev_" + name, Module: "device",
		Form: Form{ // offset is that in struct net_device_core_stats; since 6.9
			Functions: []string{"netdev_core_stats_inc"}, When: "offset == " + offset,
			Args: args("dev", "dev->name", "ifindex", "dev->ifindex"),
		},
		Or: or, Stack: true, Says: name + " of {dev} was raised", Counters: []string{"interface." + name},
	}
}

// linkPoints are those between a driver and IP.
var linkPoints = []Point{
	dropped("rx_dropped", "0"),
	dropped("tx_dropped", "8"),
	dropped("rx_nohandler", "16"),
	dropped("rx_otherhost_dropped", "24", Form{ // PACKET_OTHERHOST, counted since the release that named the reason
		Functions: []string{"ip_rcv_core", "ip6_rcv_core"}, When: "SKB_DROP_REASON_OTHERHOST && skb->pkt_type == 3",
		Args: args("dev", "skb->dev->name", "ifindex", "skb->dev->ifindex"),
	}),
	{
		Name: "cpu_backlog", Module: "queue",
		Form: Form{ // NET_RX_DROP
			Functions: []string{"enqueue_to_backlog"}, At: Return, When: "$retval == 1",
			Args: args("cpu", "cpu", "dev", "skb->dev->name", "len", "skb->len"),
		},
		Says:     "a packet of {dev} was dropped: the backlog of CPU {cpu} has net.core.netdev_max_backlog packets",
		Counters: []string{"softnet.dropped"},
		Drops:    []string{"CPU_BACKLOG", "enqueue_to_backlog"},
	},
	{
		Name: "forward_mtu", Module: "bridge",
		Form: Form{ // it changes nothing
			Functions: []string{"is_skb_forwardable"}, At: Return, Values: Return, When: "!$retval",
			Args: args("len", "skb->len", "dev", "dev->name", "mtu", "dev->mtu", "flags", "dev->flags:x"),
		},
		Says:  "a frame of {len} bytes cannot leave through {dev}, whose MTU is {mtu}, or which is down",
		Drops: []string{"br_dev_queue_push_xmit"},
	},
	{
		Name: "bridge_vlan", Module: "bridge",
		Form: Form{
			Functions: []string{"br_allowed_ingress"}, At: Return, When: "!$retval",
			Args: args("bridge", "br->dev->name", "dev", "skb->dev->name", "vid", "skb->vlan_tci & 0xfff", "pvid", "vg->pvid"),
		},
		Says:  "bridge {bridge}: VLAN {vid} (0: untagged) is not permitted on port {dev}, or not forwarded there; the PVID is {pvid}",
		Drops: []string{"br_allowed_ingress"},
	},
	{
		Name: "vlan_unknown", Module: "ethernet",
		Form: Form{ // a bridge or bond takes tagged frames as they are, with its rx_handler; without a device it returns at once
			Functions: []string{"vlan_do_receive"}, At: Return, Values: Return,
			When: "!$retval && ((*skbp)->vlan_tci & 0xfff) && !(*skbp)->dev->rx_handler",
			Args: args("vid", "(*skbp)->vlan_tci & 0xfff", "dev", "(*skbp)->dev->name", "len", "(*skbp)->len"),
		},
		Says: "{dev} has no interface for VLAN {vid}: the frame is taken as one for another host",
	},
	{
		Name: "qdisc_enqueue", Module: "qdisc",
		Form: Form{Functions: []string{"dev_qdisc_enqueue"}, At: Return, When: "$retval != 0", Args: qdiscArgs("q")},
		Or: []Form{{ // where it is inlined; other queueing disciplines are modules. These leave the packet to be freed by their caller
			Functions: []string{"pfifo_fast_enqueue", "pfifo_enqueue", "bfifo_enqueue"}, At: Return, Values: Return,
			When: "($retval & 15) != 0", Args: qdiscArgs("$arg2"),
		}},
		Says: "dropped by qdisc {kind} {major}: of {dev}, or by one below it: it has {qlen} packets, {backlog} bytes; its limit is " +
			"{limit} (0: none of its own)",
		Counters: []string{"qdisc.dropped"},
		Drops: []string{"QDISC_DROP", "QDISC_OVERLIMIT", "FQ_FLOW_LIMIT", "QDISC_DROP_GENERIC",
			"QDISC_DROP_OVERLIMIT", "QDISC_DROP_FLOW_LIMIT"},
	},
	{
		Name: "tc_action", Module: "tc",
		Form: Form{ // TC_ACT_SHOT: the caller frees the packet, as the actions before have left it
			Functions: []string{"tcf_action_exec"}, At: Return, Values: Return, When: "$retval == 2",
			Args: args("kind", "actions[0]->ops->kind", "index", "actions[0]->tcfa_index", "actions", "nr_actions",
				"dev", "skb->dev->name"),
		},
		Says:  "dropped by a tc action on {dev}: {kind} index {index}, or one of the {actions} of its filter",
		Drops: []string{"TC_INGRESS", "TC_EGRESS"},
	},
}
