package app

// manPoints and the texts below it are the help topic points, in the markup of manDescription.
const manPoints = `
A point is a function of the kernel with a condition and values to read there: not only that an accept queue was full, but
how long it was, its limit and its port.
*dropwatch points* lists those that are built in, *dropwatch points test* says which of them this kernel can do.
*watch --point NAME* and *record --point NAME* report them beside the drops, *top --point NAME* instead of them.
In a session, *points on NAME* does so from the next command on; in the configuration of a service, *points* is a list of them.
NAME is that of a point, of a layer or module such as *tcp* or *link/qdisc*, *all*, or a file of points such as *./mine.toml*; several
are separated by commas, in a session by spaces.

An event at a point has time, function, interface, packet length, socket and owner as far as the function knows them, and
its values. Expressions have these as *args*: *args.limit > 100*; the name of the point is *point.name*: *point.name == udp_queue*.
With the expression *kind point* only points are reported, and no drops.
*--include* and *--exclude* select events of points, too, by layer and module.
Events of points are no drops: the ledger counts them beside the drops. A packet may be at several points, and in a drop.
A drop of source bpf has the last point that its packet had reached, with its values: behind *point* on its line, as *point* with
*--json*, and in *args* of an expression. It is the same packet by its address in memory, CPU, headers and payload, and at most
100 ms passed. Drops that are only counted have no point (*--sample all* counts none), and neither have any where points have
no packets, without BPF. Drops are shown some 0.2 seconds later for this.`

// manPointsList explains what to know before points are used.
var manPointsList = []entry{
	{"needs", "Kprobe events (CONFIG_KPROBE_EVENTS), BTF and root; a service has the capabilities of *dropwatch help privileges*. " +
		"Where the kernel has no kprobe events, a line says so, and drops are reported as ever: what *dropwatch points* lists as a " +
		"reason, function, trap or counter needs none. A point that a kernel lacks is left out with a line; if it is the only one, " +
		"the command fails."},
	{"cost", "Each call of the function is slower, whether or not the condition is true, as the kernel tests it. On Linux 6.12 that " +
		"took, of the instructions that it needs for a UDP packet, at the entry of a function 1 % where BPF is attached to the function " +
		"(from 5.12 on, to 8 of them), 4 % where BPF is at a kprobe, and 35 % without BPF; at its return 1, 8 and 39 % if values are " +
		"read there, too, and 7, 14 and 39 % if they are those of each call, which are kept (*make bench-points*). *points test* " +
		"says which it is. An event costs about as much as a drop that is reported individually."},
	{"afterwards", "Everything is removed at the end, and BPF also if dropwatch is killed (SIGKILL). Kprobe events are then left in " +
		"their list, where they are off and cost nothing; the next dropwatch that reports points removes them. Several can run at the " +
		"same time. A module cannot be unloaded while BPF is attached to one of its functions."},
	{"nftables", "The points *nftables* and *nftables_policy* have the *handle* of the rule, as *nft -a list ruleset* has it, and the " +
		"*chain* that netfilter called: the rule is in that, or in one that it jumps to. *rule* is the rule with its text, as it was " +
		"read a moment later. While they are reported, nf_tables calls its functions for traces, as there is a rule for that in a " +
		"network namespace that dropwatch makes. No packet comes to it, so that none is traced. It ends with dropwatch, also if that " +
		"is killed."},
	{"iptables", "The point *iptables* has the *chain* and the *rule* that dropped the packet: its number, as *iptables -L " +
		"--line-numbers* counts, or *policy*. *text* is the rule as *iptables -S* writes it, with ... for values that dropwatch does " +
		"not decode. BPF reads this in the kernel at the drop (Linux 5.17 or later): it is the rule whose counter rose by this packet. " +
		"It is left out where that is not certain, as when a match dropped the packet itself, and for rules behind the first 128 of a " +
		"table that have the target DROP or REJECT."},
	{"own points", "A file has tables *[[point]]*, each with *name*, *functions*, *at* (entry or return), *when* (a condition, in C), " +
		"*args* (what is read) and *says* (a sentence): *dropwatch points --gen points.toml* writes one with all that are " +
		"built in, to be changed. *dropwatch watch --point points.toml* reports what it has. At a return, values are those of the " +
		"call; with *values = \"return\"* they are read at the return, too, which costs less: that is for functions that neither free " +
		"what is read nor change it, as most of the built-in ones. Without BPF they are always those of the call."},
	{"rtrace-drop", "A file with its tables *[[function]]* is such a file as well: *name*, *skb*, *params* (basic, stack, kretprobe), " +
		"*exprs* and *expr*. What has no effect is said with its line."},
}

const manPointsEnd = "An own point, as a file has it:"

const manPointsExample = `[[point]]
name = "backlog_of_443"
functions = ["tcp_conn_request"]
when = "sk->sk_num == 443 && sk->sk_ack_backlog > 64"
args = [
  "qlen = sk->sk_ack_backlog",
  "limit = sk->sk_max_ack_backlog",
]
says = "accept queue of port 443: {qlen} of {limit}"`
