package app

import "dropwatch/internal/sink/elastic"

// The prose of the manual page, of which some sections are help topics too. Each
// sentence begins a line; *asterisks* make words bold. See cli.Page.Fill.

// manDescription and the texts below it are prose of the manual page, and of help topics: *word* is bold, an empty line
// ends a paragraph, other lines are joined. What a table of the program knows, such as options, is not repeated in them.
const manDescription = `
*dropwatch* shows where and why this host drops packets, which ones, and which process they belong to.
It accounts for every drop that it could not show.
Begin with *dropwatch watch*, which prints a line for each drop, or *dropwatch top*, a live view.

Without a command it runs an interactive session with the commands and the output of the C program.
On a terminal it has a prompt with editing, history and completion by the Tab key.
*dropwatch start* begins one with its command *start*.
When standard input is a pipe or a file, it is a script of the same commands, which are echoed as they are read.

A program called *dwdump*, for example a link to *dropwatch*, is the command *dump*.

The drop monitor is one for the whole host.
*dropwatch* switches off what it switched on and restores what it changed when it ends, also after a signal or an internal error.
It stops monitoring that another program started only when a person at the terminal confirms it, or with *--takeover*
or *set takeover true*.`

const manSession = `
During a capture each drop is shown as it is reported.
Ctrl-C ends the capture; a second Ctrl-C ends a capture that does not stop.
At the end it says what was lost, if anything was: drops that the kernel reported or should have reported and that could not be shown.

When a command fails, standard error says what was attempted, why it failed and what to do.
A failed command ends a script, but not a session on a terminal.
`

// manVerbs has the text in front of the options of each command.
var manVerbs = map[string]string{
	"watch": `
Each drop is a line: time, location, reason, interface, flow, length and owner, with a *-* for what is not known.
With the source *bpf*, a line with *more* is a count of further drops of the same kind.
An owner with *?* is likely: the kernel did not name the socket, or several processes have it open.
*cpu 0 ip/24904* is no owner: it is what that CPU was running, shown where the packet's bytes are not known.
After Ctrl-C or a limit, a table by location and reason follows, and the ledger: what was shown, what was lost and
where, what the expression filtered out.
With *--explain*, cause and fix follow the first line of each kind of drop; with *--json* each line has an object *explain*.
Drops go to standard output, messages about the source to standard error.`,
	"top": `
It needs a terminal.
With a *file* that *record* has written it shows that recording, also if its name is a valid expression.
A first word that ends in *.dw*, or begins with */*, *./* or *../*, is always a *file*.
Enter shows details of a row: what its reason means, the settings that decide it, and what to do.
With *--retrans* it shows what TCP sends again, and RSTs, counted in segments on the wire: see *retrans*.
Its details of a row say what dropped the segments here, or how to look further: commands about the peer.
*h* shows the keys, *q* quits; then the table and the ledger of the run are printed.
Losses are always shown.`,
	"retrans": `
Each line is one packet that TCP sent again: time, *retransmit out*, why, interface, flow, sequence number, bytes, state of the
connection and of its congestion control, round-trip time, whether it was lost here, and *segments*, if it was several packets on
the wire (GSO).
Why: *fast* after duplicate acknowledgments or SACK; *rto* once the retransmission timer has expired; *tlp* when the probe timer
of a tail loss did; *syn* and *synack* in a handshake; *retransmission* if no more is known.
*lost here* is followed by location and reason of the drop: this host dropped a packet of the same flow with some of the same
sequence numbers before. *iface* and *in netns* follow if that was at another interface or in another network namespace, and
*rule* is the rule of nftables that dropped it, by the rules there a moment later: *exactly*, or as *dropwatch diagnose* says how
sure it is.
*not lost here* means that it did not, and that all drops are known since the segment was sent before; *lost here: unknown* is
followed by why they are not.
What a device or an XDP program loses is no drop that the kernel reports.
*retransmit in* is what the peer sent again although it had arrived here, by the drop reasons *TCP_OLD_DATA* and the like.
The table at the end has a row for each peer: *sent* is what its connections have sent during the run, from sock_diag, with
those that ended as far as they sent again; *percent* is the part of it that was sent again.
The segments that were reported are those that the counter *RetransSegs* counts.
Before Linux 6.17 the kernel does not report a segment that this host could not send, as when its own firewall drops it: that is
in *RetransSegs* and *TCPRetransFail* alone.
A subflow of MPTCP is a connection as others are, and has the owner of the whole connection.
With *--resets* there is a line for each RST: *out* with the kernel's reason, since Linux 6.10, or *in* for those that end a
connection here. Before Linux 6.10, RSTs that no socket sends are not reported. *drop at* is the drop of the packet that the RST
answers: its location and reason, and the cause in parentheses.
The source *bpf* needs BTF. Where it cannot be used, *trace* needs tracepoints and perf events only: it has time, addresses,
ports and the state of the connection, and counts exactly what it loses, but has no sequence numbers, lengths, interfaces,
namespaces and owners. So it does not know what was lost here, nor more of why than *syn*, *synack* and *retransmission*; and it
reports packets, each of which *RetransSegs* counts with its segments. So each table has by how much the kernel's counters
*TCPFastRetrans*, *TCPTimeouts*, *TCPLossProbes* and *TCPSynRetrans* rose; an expression that needs what it does not know is refused.
A *file* that *record* or another dropwatch has written is shown instead of live events.`,
	"run": `
All it needs to know is in the file, of which *dropwatch config* prints one with all settings and their defaults.
SIGINT and SIGTERM end it, with exit code 0, or 1 if an output could not write something.
SIGHUP makes it read the file again.
What is wrong in the file is printed with its line, and the service goes on as before; so it does if what is configured cannot be run.
Between two configurations no source runs for a moment: how long that was is in the outputs and in the ledger.
systemd hears when the service is ready and when it is stuck (*Type=notify*, *WatchdogSec*).

An *[[alert]]* of the file is a limit for drops that match an expression, or with *retrans* for what TCP sends again and resets:
*count* within the *window*, or a *rate* a second.
When it is reached an incident begins, and ends when the drops within the window are fewer again.
Unless the incident begins less than *every* after the last one, both are a line on standard error, a run of the *command*, and a
finding: an event of its own, with the alert and the first cause, which goes to every output and into the recorder
(*dropwatch help json*: kind *finding*; in Elasticsearch *event.kind* is *alert* and *rule.name* the alert).
Of the cause it has class, severity, proof, and the commands to check and to fix it, as *diagnose* has them.
No expression rejects a finding, and none counts for an alert. *pcapng* and *format* have no place for findings and leave them out.
The command is run without a shell, with the privileges and in the sandbox of the service, one at a time for each alert.
Its standard input is JSON lines: one of kind *alert*, with name, state (begin or end), host, and drops, retransmits, resets or,
of several kinds, events, and then those of *diagnose --json*.
It is ended after *timeout*; why it failed is printed.

As root it reads only a file that belongs to root, because outputs write as root.`,
	"last": `
What the service has not written to the disk yet, at most the last second, is missing.
A service that was killed leaves all that was written before.
A first word that is a time, as *10m*, *1h30m* or seconds, is how far back to begin; setting the clock meanwhile does not
matter, unless the host was rebooted since.`,
	"config": `
The file is in the format TOML.
Settings have the names of the options of *watch*, and values that are checked in the same way.
The unit of *--systemd* runs this program as a user of its own, which may write to */var/log/dropwatch* and */var/lib/dropwatch*.
It has the capabilities that the source of the file needs, *bpf* if that is *auto*, and those that its points need: with these it
may write to */sys/kernel/tracing*, for which it has CAP_DAC_OVERRIDE.
Print it on the host that it is for, and again when points are added: what suffices depends on *kernel.perf_event_paranoid*.`,
	"record": `
The file has packets, locations by name, reasons, owners, losses, and the host and kernel they are from.
It is written as drops come, so a crash costs no more than the last moment.
With *--counters* it has what the host counts in all network namespaces, too: at the beginning, at each *--interval*, and at the end.
It then also has what the findings of *diagnose* need to know of the host at that time: settings, the firewall's chains, routes,
connections, and the processes of sockets.
With *bpf*, stack traces of sampled drops are recorded as well: they show narrower causes.
After the first time only what changed is written.
An older dropwatch cannot read a recording with counters, and says so.
The file *-* is standard output.`,
	"replay": `
The drops are shown as the recording host saw them; symbols and interfaces of this host are not used.
Counters are skipped: *dropwatch counters* and *dropwatch diagnose* show them.
A truncated recording is read as far as it goes, with a message and exit code 1.
The file *-* is standard input.`,
	"pcap": `
Files are read in the order of the command line, as one capture: one that *tcpdump* has rotated is named in parts.
The first argument is a *file*, and so are those behind it that exist or end in *.pcap*, *.pcapng*, *.cap*, *.gz* or *.zst*.
What follows is the expression. It selects events, and the connections that the table counts.
A line is a segment of TCP: *retransmit* with its type (*retransmission*, *fast*, *spurious*, *syn*, *synack*, *fin*, *keep_alive*),
*tcp* (*out_of_order*, *duplicate_ack*, *zero_window*, *zero_window_probe*, *window_full*, *lost_segment*, *port_reuse*), or *reset*.
*frame* is the number of its packet in the file, from 1. The types are those of Wireshark's TCP analysis.
Where it goes by time, *pcap* first goes by what is certain: what was seen before was sent again, and so was what has a later
TCP timestamp, or a higher IPv4 identification if the sender counts its packets by it, than data behind it.
What has an earlier one is out of order, and so is a copy that the network made, if the identification shows it.
Without either, what was missing for most of a round-trip time was sent again, and so was a copy.
The table has, for each pair of addresses, the segments and bytes that one sent to the other, and how many segments were sent again
(*resent*, without keep-alives). The pairs with the most of them come first.
Where packets were captured matters: near the sender a lost segment is seen twice, near the receiver once; if it was the last one
before a pause, nothing shows there that it was sent twice.
A packet that was captured twice, as on all interfaces of a bridge or router at once, is taken for one that was sent again:
capture on one interface.
Link types are Ethernet, Linux cooked (SLL, SLL2), raw IP, loopback, PPP and 802.11; VLAN, QinQ, MPLS, PPPoE, GRE, VXLAN, Geneve and
IP in IP are followed to the segment in one tunnel.
Captures of the first 64 bytes of each packet are enough.
With *--state*, files that *tcpdump* rotates can be read one by one, by a script that *tcpdump -z* starts with the name of each:
what a connection sent in one file is known in the next. A run that is interrupted leaves the state as it was.
With *--follow*, the last file may be one that *tcpdump -U -w* is writing.
A truncated or damaged file is read as far as it goes, with a message that has the offset, and exit code 1.`,
	"dump": `
Packets are written as the kernel reports them, each with its location and reason, until a signal comes.
*tshark* and *wireshark* decode them.`,
	"diagnose": `
Drops and counters of all network namespaces are watched for the duration, 10 seconds unless *--duration* says otherwise.
A finding says what happened, where, to which flows, and who owns them.
It has the counters that agree, the sockets and queues it is about, and the present value of the settings that decide it.
Commands check it and fix it.
The same cause in more than three network namespaces is one finding, whose commands are for the one with the most drops.
After five findings, those that may matter and have less than 1 % of the drops are a line each.
It names the route that leads nowhere with its table, and the rule of policy routing (*ip rule*) that leads there, or that drops.
It names the MTU that packets exceed, the interface they have to leave by, and the rule that drops the ICMP errors which answer
them (*ICMP lost*).
A firewall's rule or policy is named by its counter, or without one, of nftables, by taking up to four of the packets through the
rules that are there now.
It is named *exactly* if its counter rose by as many, or if it drops each of these packets.
It is named *likely* if its counter rose by another number, or if no other rule can drop them, and *one of* if several may be it.
What the packets do not show, such as *ct state* or a mark, keeps a rule from being *exactly*.
With *--point nftables,nftables_policy,iptables* the verdicts of these name it, where functions can be probed (see *points*): it is
*exactly* if there were as many as packets, and a line *values* has each rule, also if it has no counter.
A rule that looks up a set is shown with the elements of the set, if that has no name, and with the element that the packets are.
A line *pattern* says that drops went on at the same rate (*steady* with *--json*): more room for packets does not help then.
A line *drops* is which reasons and functions name the drops of one cause, as those of packets that wait for a next hop which does
not answer: *parts* with *--json*.
A line *sender* is which process or network namespace of this host, or which of several, sends packets that no socket accepts, that
are of no connection, or whose TTL expired. Of the latter a line *route* is where this host sends them.
A line *conntrack* is what connection tracking knows, at the end, of the first packet of the largest flow: state, NAT and zone.
That it has no entry is said only of packets that it found INVALID.
A command whose program this host lacks has the name of the package that has it, or is another one that does the same.
A finding *retransmissions* is of segments that TCP sent again and this host did not drop before (*lost*), or of which that is
*unknown*, by peer. What this host dropped is a line *again* (*sent_again* with *--json*) of the finding of these drops.
Of a peer it has what part was sent again of all that was sent to it (*percent*), how much this host dropped (*here*), and what
had arrived before, as the peer says (*spurious*).
Fewer than 10 segments, or less than 1 % of what was sent, are *noise*. It needs source bpf. With an expression it is of the
segments that match; if that asks for more than addresses, ports and protocols, what was lost beyond this host is *unknown*.
A line *followed* is what became of all packets of a flow since some of it were lost or sent again: received, delivered, forwarded,
sent and dropped on this host, as *dropwatch help follow* explains. It needs BPF, and is of at most 3 flows: the first that loses
packets, and then each second the largest of the others.
A finding with *no drop seen* is of a counter: the kernel counts these packets as lost, and no drop shows them.
With an expression, these are the counters of which the network namespace, interface and layer decide that all of their drops match.
How many others rose that may have drops that match is a line *not shown*, with their names if they are one or two,
and *undecided* with *--json*.
One with *failures counted* is of a device, a link or a bond that failed meanwhile.
What needs no attention is one line, *noise*: how many drops of each kind, and where if that is one place.
Where functions of the kernel can be probed, some drop points (see *points*) are reported beside the drops: a line *values* has
the length of the queue there, its limit and its owner (*points* with *--json*), also for packets whose drop has no event. They
are of functions that are not called for each packet. Points that say more of drops, such as the chain of a firewall or the
length of a socket's backlog, begin when the first such drop is seen, at most 8, and end after 1000 events: their values are certain
of the later drops, and likely of the first (*later* with *--json*). They need BPF. *certain of 5 drops* says of how many it is known
that their packets were there (*drops*).
A line *counted* says which functions raised a counter of a device that *ip -s link* shows, and how much its driver did
(*raised_by* with *--json*). Before Linux 6.9 that is known from the drops alone, and *likely*.
A line *unexplained* is a counter that may mean lost packets, and rose by more than what was found.
A line *state* is what is wrong or full at the end although no drop and no counter shows a loss by it, such as a bond's member
that is down. It is no finding, and does not change the exit code.
The verdict is the last line, with the name of the first finding if that fits.
Of less than a second there are no rates, and no verdict of nothing seen.
The exit code is 3 if there is a finding that matters, see *--fail-on*.
With *--output*, drops, what TCP sends again and events at points are written as they come, and the findings at the end, with those of
noise: each an event of kind *finding*, with class, severity, cause, the lines of the report, and the commands to check and to fix it.
Ctrl-C writes what was found until then. *replay* and *last* show findings that were recorded.
*pcapng* and *format* have no place for findings and leave them out.
The report is on standard output, so that an output needs a file. The exit code is 1 if an output could not write something.
With a *file* that *record --counters* has written, the findings and the reconciliation are those of that host at that time.
Nothing is read from this host. An expression may ask for a route that was not recorded; it is left out.
A truncated recording is used as far as it goes, with a message and exit code 1.
If its counters were read only once, how much they rose is not known, and a message says so.
With *--json*, each finding is a line of kind *finding*, with a list *namespaces* if it is of many.
The last line, of kind *end*, has the verdict and the reconciliation, and of a recording an object *recording*: *host*, *kernel*,
whether it has *counters*, and *from* and *until*, the times between which they were read.
That has of each counter its *change*, and of it what was *seen* as drops or retransmissions, what has a *finding* of its own, what is
*noise*, the *retransmissions* that findings cause, and what is *unexplained*. Each state is a line of kind *state*.`,
	"explain": `
It knows drop reasons, kernel functions, hardware traps, counters by the names of *dropwatch counters*, and sysctls, in full
or by their last part.
The settings that decide whether packets are dropped have their present value, the file that set it, and when to change it.
The counters that rise with the drops have their totals in the network namespace of dropwatch, since it was made.`,
	"points": `
A point is a *reason* of the kernel, a *function*, a *trap* of a device, a *counter*, or a *point*: a function that can be
probed under a condition, with what the kernel knows there, such as the length of a queue and its limit.
After it are the sources that can show it here: *bpf*, *netdm* and *trace* where they work and the kernel has it, *counters*
for a counter that can be read in the network namespace of dropwatch.
A *-* means none: another kernel has it, its module is not loaded, or no source works (*dropwatch doctor* says why).
A trap needs a device that has it as well.
The names of layers and modules are values of *--include*, *--exclude*, and of *layer* and *layer.module* in expressions.
With *--json*, each point is a line of kind *drop_point*, with *layer*, *module*, *type* (*reason*, *function*, *trap*, *counter*
or *point*), *name*, *class*, *severity* and *sources*. Events at points, as *watch* reports them, are of kind *point*.
*test* says of each point that can be probed at which function, how (BPF attached to the function, or a kprobe event), under which
condition, and what is read there: *+24(sk):u32* are the 4 bytes that are 24 bytes behind what *sk* points to. Without names
it tests all that are built in.
Conditions and values are C over the arguments of the function, by their names in the kernel's source, with the members
that this kernel has: *skb->dev->mtu*, *data[2]*, *tcp_sk(sk)->snd_cwnd*, casts to *struct*, *enum* and integers, the operators
of C, numbers, and constants of enums such as *TCP_LISTEN*.
*$retval* is what the function returned, *$arg1* its first argument, whatever its name.
*ntohs()* and *ntohl()* are for numbers in network byte order, and *==* and *!=* compare strings, too: *skb->dev->name == "eth0"*.
Values are shown as their types say. A display at the end says it where they do not, as in *skb->mark:x*: *:d* decimal, *:x*
hexadecimal, *:ip*, *:mac*, *:port*, *:string*, *:enum* for the name of a value, *:symbol* for the address of a function.
A file has tables *[[point]]*, as *--gen* writes them. Those of a file of rtrace-drop, *[[function]]*, are taken as well.
The exit code is 1 if one of them is not possible on this kernel.`,
	"counters": `
Protocols have the names that *nstat*(8) gives their counters; others are named *group.counter*, such as *softnet.dropped*.
The groups are, from the wire up: *devlink*, *driver*, *queue*, *softnet*, *interface*, *qdisc*, *filter*, *neighbour*,
*nftables*, *iptables*, *conntrack*, *nfqueue*, *fragment*, *xfrm*, *socket*. *--name* shows one of them.
Statistics of drivers have the names that *ethtool -S* shows, as in *dropwatch explain driver.rx_out_of_buffer*.
*LOST?* says whether a packet is lost when the counter rises: *yes*, *maybe*, *no*, or *-* if nothing is known of the counter.
It is *maybe* if the counter has attempts and copies as well, or packets that other counters have.
A level, such as the length of a queue, is shown when it has reached its limit.
A counter that began again at 0 in between is marked *reset*, one whose object was made in between *new*.
With a *file* that *record --counters* has written, its first and last counters are compared.
*dropwatch explain* takes the names of counters, too.`,
	"doctor": `
For each thing that dropwatch needs, a line says whether it is all right, and if not the command that fixes it.
The exit code is 1 if no source works.
With *--settings* it shows the settings that decide which packets are dropped, sysctls and those of devices (rings, queues, MTUs):
those whose value is not the usual one, and those by which packets were lost, or soon will be; with *--all* every one.
Each has its value, the file that set it, the interfaces on which another value counts, when packets are lost by it, and what the
kernel has counted of that, also in the second for which it is watched.`,
}

const manSources = `
A source is how dropwatch learns of drops.
*--source auto*, the default, uses the first of these that works; a session's *start* and *dump* use *netdm* first.
A message on standard error says which source is used and why the ones before it are unavailable.
When another program stops the drop monitor, a run with *auto* goes on with the next source and reports the time that neither covered.
There is none if *trace* ran beside the drop monitor, unless packets were dropped in the very moment when the next source began.
*dump* ends instead, and so does a session's *start*, as in the C program, unless *set source auto* was given.`

// manSourceList describes the sources in the order in which they are tried.
var manSourceList = []entry{
	{"bpf", `The trace event *skb:kfree_skb*, read by a BPF program: Linux 5.8 with BTF (CONFIG_DEBUG_INFO_BTF),
also in containers that may use it.
It provides location, reason (from 5.17), packet, interface, network namespace, and the socket that the packet belongs
to: the sender's, and from Linux 6.11 the receiver's.
The process, unit, container and pod of that socket are looked up; what is not certain is marked.
Of each kind of drop (location, reason, interface, namespace, protocol), each CPU reports the first 100 of a second
individually, or as many as *--sample* says.
The kernel counts the others, exactly; once a second one line says how many they are.
In a flood it loses nothing.
It also shows how full a receive buffer was (*rmem*, *rcvbuf*), the queueing discipline and its own reason (Linux 7.2), and
what XDP loses in drivers (*XDP_EXCEPTION* and others).
It sees no drops by hardware.`},
	{"netdm", `The kernel's drop monitor (CONFIG_NET_DROP_MONITOR, the module *drop_monitor*, which is loaded
automatically), in the host's own network namespace only.
It provides packets with all their bytes, drops by hardware, and from Linux 5.18 the reason; packets need Linux 5.4.
In packet mode it skips packets that have no MAC header yet: those made on this host and dropped by a firewall on
OUTPUT, for want of a route or of a neighbour.
Therefore a second source runs beside it where possible, also with *--source netdm*; drops that only that one saw are
marked *[not in packet mode]*, and none is shown twice.
In a flood it loses packets and says how many.
When another program stops it, or its software or hardware drops alone, dropwatch notices after a second without drops
of that kind, from Linux 5.4.
If that program starts it again within the second, nothing shows it.
It knows neither owners nor network namespaces: this host's own copies of broadcasts are recognised as harmless in
dropwatch's own namespace only.`},
	{"trace", `The trace event *skb:kfree_skb*, on any kernel with tracepoints and perf events, also in containers that may use them.
It provides location, reason (from 5.17), protocol, CPU and thread, and with *--stack* the kernel stack trace, of packets in all namespaces.
It provides no bytes, and so no flow, length or owner, and no drops by hardware.
It also shows what other trace events say: the queueing discipline and its own reason (Linux 7.2), how full the receive
buffer of a raw or ping socket was (*rmem*, *rcvbuf*; not that of UDP), how much memory a protocol uses where no more is
allowed, and what XDP loses in drivers (*XDP_EXCEPTION* and others).
It knows the index of the interface where XDP or, from Linux 7.2, a queueing discipline drops, and nowhere else.
It recognises the harmless drops of a connection that was closed in order and of a full *NFQUEUE*.
Unread ICMP errors of a closed socket, unread copies of a closed capture and this host's own copies of its broadcasts
count as losses, because only the packet or its socket distinguishes them.
In a flood it takes much of a CPU, and at the end it waits some 300 ms until the kernel has removed the events.`},
}

const manLedger = `
The last lines of a run are its ledger.
Every packet that the kernel dropped is in exactly one of these numbers, and their sum is the total.`

// manLedgerList explains the numbers of the ledger.
var manLedgerList = []entry{
	{"shown", "Drops that were shown, individually or in a count."},
	{"harmless", "Drops that lost no packet, such as those of a connection that was closed in order. They are shown with *--harmless*."},
	{"lost", `Drops that dropwatch failed to see, by where they were lost: at its socket (receive buffer full), in
the kernel's queue of a CPU, in the kernel's ring, in messages that could not be decoded, or not read before stopping.
With *bpf* a flood loses nothing, unless an expression needs each drop whole and the ring is full.`},
	{"filtered", "Drops that the filter expression rejected, in the kernel or in dropwatch."},
	{"undecided", "Drops for which the filter expression could not be decided, because it needs facts that are not known: an " +
		"interface, an owner, bytes of the packet."},
	{"fragments", "Further fragments of a reassembled packet whose drop is counted already."},
}

const manLedgerLimits = `
What cannot be counted is said in words.
A summary of the drop monitor holds 64 locations a second and CPU; if one was full, drops at further locations are counted nowhere.
A summary that was lost has an unknown number of drops.
When packet mode stops, the kernel discards what is queued and not sent; dropwatch waits a moment for it.
Some losses raise no event in any kernel, for example SYNs that a full accept queue refuses on recent kernels: check
*nstat* and *ip -s link* as well.`

const manOutputs = `
*--output* says where drops are written and in which form, instead of lines on standard output.
It is given once for each output:

*dropwatch watch --output text --output json:/var/log/drops.json,explain*

It has a name, perhaps a colon and a target, and options after commas.
A comma that is part of a target or value has a backslash before it.`

const manOutputsEnd = `
Each output has a queue of its own, so that a slow one delays neither the source nor the others.
Drops that it has no room for are counted as lost.
The ledger of a run is that of its first output; what another one did not get is said on standard error.
The exit code is 1 if any of them could not write something, whichever it is: see *EXIT STATUS*.
A file that lines are appended to is followed when it is moved away.
SIGHUP releases the moved file at once, where dropwatch has no terminal; on a terminal it ends dropwatch.
Elasticsearch: a document that is sent again exists once, as its ID stays the same; one that the server refuses is counted as
lost, with the server's reason.
Secrets come from files or the environment, never from the command line.
When the disk of a file is full, no half line is left, and drops are counted as lost until there is room.
*--json* stands for *--output json*, and *-w* FILE for *--output text --output pcapng:FILE*.
*--hex*, *--explain* and *--harmless* are for all outputs that have these options.`

const manOwners = `
The owner of a packet is the process whose socket sent it or would have received it, never the process that a CPU happened to run.`

// manOwnerList explains how owners are written.
var manOwnerList = []entry{
	{"from nginx/812", "This process sent it. The kernel names its socket, which no other process has open."},
	{"to nginx/812", "This process was to receive it. The kernel names the socket from Linux 6.11."},
	{"to nginx/812?", "Likely: several processes have the socket open, or it was found by the packet's addresses among those of the " +
		"namespace (before Linux 6.11), or other users' processes cannot be read."},
	{"to nginx/812 in web", "In this container (docker, containerd, cri-o, podman, lxc, systemd-nspawn), or in the pod *namespace/name*."},
	{"cpu 0 ip/24904", "No owner: what the CPU was running when the packet was dropped, shown where the packet's bytes are not known. " +
		"It need not have anything to do with the packet."},
	{"netns blue", "In another network namespace than the host's: its name in */run/netns*, or that of its container."},
}

const manExpressions = `
A filter expression selects drops: live, in a replay, and in a session with *filter*.

*reason == NO_SOCKET and dst port 53 and not iface lo*

The arguments of a command are one expression; quote *< > ( ) !* from the shell.
It consists of comparisons, joined by *not*, *and*, *or*, which bind in this order, and parentheses.
A comparison is a field, an operator and a value:`

// manOperators are those of package stage/filter.
var manOperators = []entry{
	{"*field*", "Is present."},
	{"*==*, *!=*", "Is equal; is present and not equal.\nNames may be in any case, and an asterisk matches anything."},
	{"*<*, *<=*, *>*, *>=*", "For numbers."},
	{"*in {A, B, 1-9}*", "Is one of them."},
	{"*~*, *!~*", "Matches the regular expression, or does not."},
	{"*has*", "Has all these flags: *tcp.flags has syn+ack*.\nOr, of *stack*, this function."},
}

const manWords = `
A field that a drop does not have compares false, with every operator; with *not* before it the result is true.

The primitives of *pcap-filter*(7) work as well: *udp port 53*, *src host 192.0.2.1*, *net 10.0.0.0/8*, *portrange 1-1023*, *less 100*.
*inner* before them and before any field of a packet means the packet in the tunnel, and *quoted* the one that an ICMP error is about.
*dropwatch help filter* has more.`

const manJSON = `
With *--json* each line is an object, for programs such as *jq*(1).
Its *kind* is *drop*, *point* (an event at a point), *loss* (drops that dropwatch failed to see) or, in the last line, *end*: the
ledger. With *--summary*, lines of kind *summary* replace those of drops and points: they have a row for each location and reason,
and one for each point.
Its *host* is the name of the host that dropped the packets; a capture file has none.
What is not known is left out.
Names do not change their meaning; new ones may be added.
*dropwatch help json* prints the JSON schema, which describes each.`

// An entry is a term of a list in the manual page, and its explanation.
type entry struct{ term, text string }

// manExits are the exit codes; their numbers are those of app.go and child.go.
var manExits = []entry{
	{"0", "Success."},
	{"1", "A command failed, or one of a script; or an output could not write all that it got (a full disk, a server that was down), " +
		"also if it could again later.\nAn output that was only too slow is no failure: the ledger has what it lost. " +
		"A reader that closes the pipe, as *head*(1) does, is no failure."},
	{"2", "The command line is wrong."},
	{"3", "With *--fail-if-any*: a drop matched. Of *diagnose*: there is a finding that matters, see *--fail-on*."},
	{"of the command", "With a command after *--*: its exit code, if it is not 0; 127 if there is no such command, " +
		"126 if it cannot be run."},
	{"128+N", "Signal N ended it: 143 for SIGTERM, 129 for SIGHUP (see *OUTPUTS*), 131 for SIGQUIT.\n" +
		"Ctrl-C (SIGINT) is how a capture ends, with 0; 130 if it did not end, or if there was none."},
}

var manEnvironment = []entry{
	{"NO_COLOR", "If it is not empty, nothing is coloured.\nOutput that is not a terminal never has colours."},
	{elastic.KeyVariable, "The API key for Elasticsearch or OpenSearch, unless the output has *user* or *api-key-file*."},
	{elastic.PasswordVariable, "The password of the output's *user*, unless it has *password-file*."},
	{"XDG_STATE_HOME", "Where the history is kept, instead of *~/.local/state*."},
}

var manFiles = []entry{
	{"/var/lib/dropwatch", "The last drops, which *dropwatch run* has recorded and *dropwatch last* shows."},
	{"/etc/dropwatch.toml", "What *dropwatch run* does, unless *--config* names another file."},
	{"~/.local/state/dropwatch/history", "The lines of earlier sessions, readable by their owner only."},
	{"/proc/kallsyms", "The kernel's symbols, which name locations."},
	{"/sys/kernel/tracing", "The descriptions of trace events.\n" +
		"If it is not mounted, dropwatch mounts it for a moment, in a mount namespace of its own."},
}

const manPrivilegesIntro = `
Run it as root, or give it these capabilities.
*replay* needs none, nor do *show* and *stats* in a session.`

// manPrivileges are the capabilities, with what needs them.
var manPrivileges = []entry{
	{"CAP_BPF and CAP_PERFMON", "For the source *bpf*, from Linux 5.8; before 5.11 CAP_SYS_RESOURCE too."},
	{"CAP_NET_ADMIN", "To start, stop and configure the drop monitor, in the initial user namespace."},
	{"CAP_SYS_ADMIN", "To receive its drops, from Linux 6.7 and stable kernels since December 2023.\n" +
		"Earlier kernels let everybody receive them."},
	{"CAP_PERFMON", "For the source *trace*, with the right to read */sys/kernel/tracing*, which is root's, or CAP_DAC_READ_SEARCH.\n" +
		"Where *kernel.perf_event_paranoid* is above 2, as on Debian, and before Linux 5.8, CAP_SYS_ADMIN."},
	{"CAP_PERFMON and CAP_DAC_OVERRIDE", "For points, as the list of probes in */sys/kernel/tracing* is written, which is root's; with " +
		"CAP_BPF they cost less.\nCAP_SYS_ADMIN as for *trace*."},
	{"CAP_IPC_LOCK", "For *trace* with more memory than *kernel.perf_event_mlock_kb* allows."},
	{"CAP_SYSLOG", "To see the addresses of symbols, and *kernel.kptr_restrict* below 2.\n" +
		"Otherwise drops in summaries are shown by address."},
	{"CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", "To find processes of other users that own packets."},
}

var manExamples = []entry{
	{"# dropwatch doctor", "Check what works on this host, and how to fix the rest:"},
	{"# dropwatch watch not iface lo", "A line for each drop, except those of the loopback interface:"},
	{"# dropwatch top process nginx", "Live view of the drops of one program:"},
	{"# dropwatch watch --summary 'reason == NO_SOCKET and udp'", "Datagrams that no socket receives, one table per second:"},
	{"# dropwatch watch --json -d 10s | jq -r '[.count, .reason] | @tsv' |\n" +
		"    awk 'NF == 2 {n[$2] += $1} END {for (r in n) print n[r], r}'", "Count ten seconds of drops by reason:"},
	{"# dropwatch watch -w drops.pcapng net 192.0.2.0/24", "Write the dropped packets of a network for Wireshark:"},
	{"# dropwatch record --duration 8h night.dw\n$ dropwatch replay night.dw 'symbol ~ ^tcp_'",
		"Record a night, and filter it in the morning:"},
	{"# dropwatch\ndropwatch> start", "Count drops by location in a session, until Ctrl-C:"},
	{"# printf 'set alertlimit 10\\nstart\\n' | dropwatch", "Show the next ten drops, by a script:"},
	{"# dropwatch dump -w drops.pcap\n# tshark -V -r drops.pcap", "Write the drop monitor's messages to a file, and decode it:"},
	{"# dwdump | tshark -r -", "Decode them as they come:"},
	{"$ source <(dropwatch completion bash)", "Enable completion in this shell:"},
}

const manDifferencesIntro = "Everything that the C dropwatch prints is printed byte for byte, except for the following."

// manDifferences are the deliberate differences from the C dropwatch.
var manDifferences = []string{
	"*-l kas* is the default; *-l none* shows addresses, as the C program does without *-l*.",
	"An address with no known symbol is *unknown location*, not the nearest symbol with an offset of megabytes.",
	"*set alertlimit* counts drops, also in summary mode where the C program counts lines; it begins again at each start, " +
		"and the capture stops exactly there.",
	"Unknown commands, extra arguments and bad values are errors and change nothing.\n" +
		"The C program ignores them, uses the number at their beginning, and reads *showx* as *show*.",
	"Errors go to standard error and say what to do.\n" +
		"A failed command does not end a session on a terminal.\n" +
		"It ends a script, with exit code 1 instead of 0.",
	"A wrong command line exits with 2 instead of 1.\n*--help* is not an error.",
	"Mode, truncation and queue length are restored at the end, and a signal leaves nothing switched on.",
	"*start*, *stop* and *set* ask before they stop what another program has started.",
	"Ctrl-C shows what the kernel has counted and not sent yet; in summary mode that takes up to a second.",
	"A line at the end of a capture says what was lost, and what packet mode could not show.",
	"*Waiting for ... ack* is not printed: dropwatch waits for the answer.",
	"*dump* does not write to a terminal, and its numbers must be numbers.\n" +
		"It writes the time of the drop, in nanoseconds, and whole packets only; its receive buffer is 16 MiB.",
	"Where there is no drop monitor, a session takes its drops from the next source.",
	"Names that the kernel gives are escaped where a terminal could interpret them.",
	"The commands *quit*, *status*, *filter* and those of the command line, the settings *rcvbuf*, *takeover* and " +
		"*source*, and all long options but *--lmethod* are new.",
}
