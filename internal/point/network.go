package point

// The connection of a packet that is the first of it: the last three bits of _nfct are then IP_CT_NEW, 2.
const (
	newConnection = "((struct nf_conn *)(skb->_nfct - 2))"
	newTuple      = newConnection + "->tuplehash[0].tuple."
	replyTuple    = newConnection + "->tuplehash[1].tuple."
)

// established is a member of the established connection of a packet, whose address _nfct has with IP_CT_ESTABLISHED, 0, or with
// IP_CT_ESTABLISHED_REPLY, 3.
func established(path string) string {
	return "(((skb->_nfct & 7) == 0) * ((struct nf_conn *)skb->_nfct)->" + path +
		" + ((skb->_nfct & 7) == 3) * ((struct nf_conn *)(skb->_nfct - 3))->" + path + ")"
}

// helperArgs are those of a connection with a helper, of which member returns the expression for a member.
func helperArgs(member func(path string) string) []Arg {
	return args("proto", member("tuplehash[0].tuple.dst.protonum"), "sport", "ntohs("+member("tuplehash[0].tuple.src.u.all")+")",
		"dport", "ntohs("+member("tuplehash[0].tuple.dst.u.all")+")", "status", member("status")+":x", "mark", member("mark")+":x",
		"zone", member("zone.id"))
}

// hookArgs are what a netfilter hook is called with; in and out are unknown where it has none.
var hookArgs = args("hook", "(enum nf_inet_hooks)state->hook", "family", "state->pf", "in", "state->in->name",
	"out", "state->out->name")

// tupleArgs are the addresses and ports of one direction of a connection. Those of IPv6 are in src6 and dst6;
// family, 2 or 10, says which are meant.
func tupleArgs(tuple string) []Arg {
	return args("family", tuple+"src.l3num", "proto", tuple+"dst.protonum",
		"src", tuple+"src.u3.ip:ip", "sport", "ntohs("+tuple+"src.u.all)",
		"dst", tuple+"dst.u3.ip:ip", "dport", "ntohs("+tuple+"dst.u.all)",
		"src6", tuple+"src.u3.in6", "dst6", tuple+"dst.u3.in6")
}

// sourceArgs are those of a packet whose source address is checked.
var sourceArgs = args("src", "src:ip", "dst", "dst:ip", "dev", "dev->name", "rp_filter", "idev->cnf.data[IPV4_DEVCONF_RP_FILTER - 1]",
	"all", "dev->nd_net.net->ipv4.devconf_all->data[IPV4_DEVCONF_RP_FILTER - 1]")

// traceFunction is what nf_tables calls at each verdict, of a rule or of a policy, while tracing is on: the source of
// points turns it on, see [nftables.EnableTracing].
const traceFunction = "__nft_trace_packet"

// chainArgs are the chain of nftables that netfilter called, and what its hook was called with.
func chainArgs(chain, state string) []Arg {
	return args("family", chain+"table->family", "table", chain+"table->name", "chain", chain+"name",
		"hook", "(enum nf_inet_hooks)"+state+"hook", "in", state+"in->name", "out", state+"out->name")
}

// networkPoints are those of IP, firewalls, routes and neighbours. The verdict NF_DROP is 0; since 6.7 a function
// may have freed the packet itself, which is NF_STOLEN with EPERM: 0x10002.
var networkPoints = []Point{
	{
		Name: "netfilter_drop", Module: "netfilter",
		Form:  Form{Functions: []string{"nf_hook_slow"}, At: Return, When: "$retval < 0", Args: hookArgs},
		Stack: true,
		Says:  "dropped by netfilter at hook {hook}, in {in}, out {out}",
	},
	{
		Name: "iptables", Module: "netfilter", // source probe adds the rule: chain, its number there or policy, and its text
		Form: Form{ // nf_hook_slow frees the packet
			Functions: []string{"ipt_do_table", "ip6t_do_table"}, At: Return, Values: Return, When: "$retval == 0",
			Args: append(args("table", "((struct xt_table *)priv)->name"), hookArgs...),
		},
		Or: []Form{{ // until 5.15
			Functions: []string{"ipt_do_table", "ip6t_do_table"}, At: Return, Values: Return, When: "$retval == 0",
			Args: append(args("table", "table->name"), hookArgs...),
		}},
		Says:  "dropped by iptables: table {table}, chain {chain}, rule {rule}: {text}; hook {hook}, in {in}, out {out}",
		Drops: []string{"NETFILTER_DROP", "nf_hook_slow"},
	},
	{
		Name: "nftables", Module: "netfilter",
		Form: Form{
			Functions: []string{traceFunction}, When: "type == NFT_TRACETYPE_RULE && (verdict->code & 0xff) == 0",
			Args: append(chainArgs("info->basechain->chain.", "pkt->state->"), Arg{"handle", "rule->handle"}),
		},
		Or: []Form{
			{ // until 6.3
				Functions: []string{traceFunction}, When: "type == NFT_TRACETYPE_RULE && (info->verdict->code & 0xff) == 0",
				Args: append(chainArgs("info->basechain->chain.", "info->pkt->state->"), Arg{"handle", "info->rule->handle"}),
			},
			{ // of which the compiler left nothing: with the policies, and without the rule
				Functions: []string{"nft_do_chain"}, At: Return, When: "$retval == 0 || $retval == 0x10002",
				Args: chainArgs("((struct nft_chain *)priv)->", "pkt->state->"),
			},
		},
		Says:  "dropped by nftables: table {table}, chain {chain} or one that it jumps to, handle {handle}, in {in}, out {out}",
		Drops: []string{"NETFILTER_DROP", "nf_hook_slow"},
	},
	{
		Name: "nftables_policy", Module: "netfilter",
		Form: Form{
			Functions: []string{traceFunction}, When: "type == NFT_TRACETYPE_POLICY && info->basechain->policy == 0",
			Args: chainArgs("info->basechain->chain.", "pkt->state->"),
		},
		Or: []Form{{ // until 6.3
			Functions: []string{traceFunction}, When: "type == NFT_TRACETYPE_POLICY && info->basechain->policy == 0",
			Args: chainArgs("info->basechain->chain.", "info->pkt->state->"),
		}},
		Says:  "dropped by nftables: policy of table {table}, chain {chain}, in {in}, out {out}",
		Drops: []string{"NETFILTER_DROP", "nf_hook_slow"},
	},
	{
		Name: "conntrack_drop", Module: "conntrack",
		Form: Form{ // nf_hook_slow frees the packet
			Functions: []string{"nf_conntrack_in"}, At: Return, Values: Return, When: "$retval == 0", Args: hookArgs,
		},
		Says:     "dropped by connection tracking at hook {hook}, in {in}: it could not make an entry, or its protocol refused the packet",
		Counters: []string{"conntrack.drop"},
		Drops:    []string{"NETFILTER_DROP", "nf_hook_slow"},
	},
	{
		Name: "conntrack_table", Module: "conntrack",
		Form: Form{ // the tuple is its caller's
			Functions: []string{"__nf_conntrack_alloc"}, At: Return, Values: Return, When: "(long)$retval == -12",
			Args: append(tupleArgs("orig->"), Arg{"zone", "zone->id"}),
		},
		Says: "no connection tracking entry for {src}:{sport} to {dst}:{dport}: the table has net.netfilter.nf_conntrack_max entries, " +
			"or there is no memory",
		Counters: []string{"conntrack.drop"},
	},
	{
		Name: "conntrack_insert", Module: "conntrack",
		Form: Form{
			Functions: []string{"__nf_conntrack_confirm"}, At: Return, When: "$retval == 0 && (skb->_nfct & 7) == IP_CT_NEW",
			Args: append(tupleArgs(newTuple), args(
				"reply_src", replyTuple+"src.u3.ip:ip", "reply_sport", "ntohs("+replyTuple+"src.u.all)",
				"reply_dst", replyTuple+"dst.u3.ip:ip", "reply_dport", "ntohs("+replyTuple+"dst.u.all)",
				"status", newConnection+"->status:x", "mark", newConnection+"->mark:x", "zone", newConnection+"->zone.id")...),
		},
		Says: "connection tracking could not insert {src}:{sport} to {dst}:{dport}, of which replies come from {reply_src}:{reply_sport} " +
			"to {reply_dst}:{reply_dport}: another connection has one of them",
		Counters: []string{"conntrack.insert_failed"},
	},
	{
		Name: "conntrack_helper", Module: "conntrack",
		// Of an established connection it drops only what the helper refuses, or what cannot be renumbered for that. Then
		// nf_hook_slow frees the packet, which holds the connection.
		Form: Form{
			Functions: []string{"nf_confirm"}, At: Return, Values: Return,
			When: "$retval == 0 && ((skb->_nfct & 7) == IP_CT_ESTABLISHED || (skb->_nfct & 7) == IP_CT_ESTABLISHED_REPLY)",
			Args: append(helperArgs(established), hookArgs...),
		},
		Or: []Form{{ // until 6.1
			Functions: []string{"nf_confirm"}, At: Return, Values: Return,
			When: "$retval == 0 && (ctinfo == IP_CT_ESTABLISHED || ctinfo == IP_CT_ESTABLISHED_REPLY)",
			Args: helperArgs(func(path string) string { return "ct->" + path }),
		}},
		Says:  "dropped by the helper of a connection from port {sport} to port {dport}",
		Drops: []string{"NETFILTER_DROP", "nf_hook_slow"},
	},
	{
		Name: "rp_filter", Module: "fib",
		Form: Form{ // since 6.14 it returns reasons; it changes nothing
			Functions: []string{"fib_validate_source"}, At: Return, Values: Return,
			When: "SKB_DROP_REASON_IP_LOCAL_SOURCE && $retval == -SKB_DROP_REASON_IP_RPFILTER", Args: sourceArgs,
		},
		Or: []Form{{
			Functions: []string{"fib_validate_source"}, At: Return, Values: Return, When: "$retval == -18", Args: sourceArgs,
		}},
		Says:     "dropped by rp_filter: {src} came in on {dev}, and its route is another; rp_filter is {rp_filter} there, {all} in all",
		Counters: []string{"TcpExtIPReversePathFilter"},
		Drops:    []string{"IP_RPFILTER", "ip_rcv_finish_core"},
	},
	{
		Name: "martian_source", Module: "fib",
		Form: Form{
			Functions: []string{"fib_validate_source"}, At: Return, Values: Return,
			When: "$retval == -SKB_DROP_REASON_IP_LOCAL_SOURCE || $retval == -SKB_DROP_REASON_IP_INVALID_SOURCE", Args: sourceArgs,
		},
		Or: []Form{{
			Functions: []string{"fib_validate_source"}, At: Return, Values: Return, When: "$retval == -22", Args: sourceArgs,
		}},
		Says:  "martian source: {src} came in on {dev}, but is an address of this host, or none that a packet may come from",
		Drops: []string{"IP_LOCAL_SOURCE", "IP_INVALID_SOURCE", "ip_rcv_finish_core"},
	},
	{
		Name: "neighbour_queue", Module: "neighbour",
		Form: Form{ // NUD_INCOMPLETE is 1
			Functions: []string{"__neigh_event_send"},
			When: "skb && neigh->nud_state == 1 && " +
				"neigh->arp_queue_len_bytes + skb->truesize > neigh->parms->data[NEIGH_VAR_QUEUE_LEN_BYTES]",
			Args: args("bytes", "neigh->arp_queue_len_bytes", "limit", "neigh->parms->data[NEIGH_VAR_QUEUE_LEN_BYTES]",
				"packets", "neigh->arp_queue.qlen", "dev", "neigh->dev->name", "family", "neigh->tbl->family",
				"addr", "*(unsigned int *)neigh->primary_key:ip", "addr6", "*(struct in6_addr *)neigh->primary_key"),
		},
		Says: "the oldest packet for a neighbour on {dev} that has not answered was dropped: {packets} packets wait, {bytes} bytes; " +
			"unres_qlen_bytes is {limit}",
		Counters: []string{"neighbour.unresolved_discards"},
		Drops:    []string{"NEIGH_QUEUEFULL", "__neigh_event_send"},
	},
	{
		Name: "neighbour_table", Module: "neighbour",
		Form: Form{
			Functions: []string{"__neigh_create"}, At: Return, When: "(long)$retval == -105",
			Args: args("table", "tbl->id:string", "gc_entries", "tbl->gc_entries.counter", "limit", "tbl->gc_thresh3",
				"entries", "tbl->entries.counter", "dev", "dev->name"),
		},
		Says:     "no neighbour on {dev}: {table} has {gc_entries} entries of gc_thresh3 {limit}, for all network namespaces together",
		Counters: []string{"neighbour.table_fulls"},
	},
	{
		Name: "fragment_memory", Module: "fragment",
		Form: Form{ // without memory it returns at once
			Functions: []string{"inet_frag_find"}, At: Return, Values: Return, When: "!$retval",
			Args: args("memory", "fqdir->mem.counter", "limit", "fqdir->high_thresh", "protocol", "fqdir->f->frags_cache_name:string"),
		},
		Says:     "no memory for a fragment ({protocol}): {memory} bytes of ipfrag_high_thresh, {limit}",
		Counters: []string{"IpReasmFails", "Ip6ReasmFails"},
		Drops:    []string{"ip_defrag", "ipv6_frag_rcv"},
	},
	{
		Name: "pmtu", Module: "icmp",
		Form: Form{
			Functions: []string{"__icmp_send"}, When: "type == 3 && code == 4",
			Args: args("mtu", "ntohl(info)", "len", "skb_in->len", "dev", "skb_in->dev->name"),
		},
		Says:  "a packet of {len} bytes is too long for the path: the next MTU is {mtu}, and the sender is told by ICMP",
		Drops: []string{"PKT_TOO_BIG"},
	},
	{
		Name: "pmtu6", Module: "icmp",
		Form: Form{
			Functions: []string{"icmp6_send"}, When: "type == 2", Args: args("mtu", "info", "len", "skb->len", "dev", "skb->dev->name"),
		},
		Says:  "an IPv6 packet of {len} bytes is too long for the path: the next MTU is {mtu}, and the sender is told by ICMPv6",
		Drops: []string{"PKT_TOO_BIG"},
	},
}
