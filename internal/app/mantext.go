package app

// The prose of the manual page: a sentence a line, *asterisks* for bold.

const manDescription = `
*dropwatch* shows where the Linux kernel drops packets, and why, and accounts for every drop that it could not show.
*dropwatch watch* is where to begin: a line a drop.

Without a command it runs a session with the commands and the words of the C program.
On a terminal, commands are typed at a prompt, with editing, history and completion by the Tab key.
From a pipe or a file, standard input is a script of the same commands, which are shown as they are read.

A program called *dwdump*, as a link to *dropwatch* can be, is the command *dump*.

The monitor is one for the whole host.
What *dropwatch* has switched on it switches off, and what it has set it puts back, when it ends, also when a signal or a fault ends it.
Monitoring that another program has switched on is stopped only when a person at the terminal says so, or after *--takeover* or *set takeover true*.`

const manSession = `
While a capture runs, each drop is shown as it is reported.
Ctrl-C ends the capture, and a second Ctrl-C a capture that does not end.
At the end it says what was lost, if anything was: drops that the kernel reported, or had to report, and that could not be shown.

A command that fails says on standard error what was tried, why it failed and what to do.
It ends a script, but not a session on a terminal.
`

// manVerbs are what there is to say of commands before their options.
var manVerbs = map[string]string{
	"watch": `
Each drop is a line: time, place, reason, interface, flow, length and owner, with a *-* for what is not known.
With the source *bpf*, a line with *more* is a count of drops of the same kind.
An owner with *?* is likely: the kernel did not name the socket, or several processes have it.
At the end, by Ctrl-C or a limit, follow a table by place and reason, and the ledger: what was shown, what was lost and where, what the expression rejected.
Standard output has the drops, standard error what is to be said of the source.`,
	"top": `
It needs a terminal.
Enter shows more about a row and what its reason means, *h* the keys, *q* ends it, and then the table and the ledger of the run are printed.
What is lost is always in sight.`,
	"record": `
The file has packets, places by name, reasons, losses, and the host and kernel they are from.
It is written as drops come, so that a crash costs no more than the last moment.
The file *-* is standard output.`,
	"replay": `
The file is read as the host it is from saw it: no symbol table or interface of this host is asked.
One that breaks off is read as far as it goes, which is said and makes the exit code 1.
The file *-* is standard input.`,
	"dump": `
Packets are written as the kernel reports them, each with its place and reason, until a signal comes.
*tshark* and *wireshark* decode them.`,
	"doctor": `
A line says of each thing that dropwatch needs whether it is right, and if not the command that mends it.
It exits with 1 if no source of drops works.`,
}

const manSources = `
Drops come from the first of these sources that works, or from the one that *--source* names.
A session's *start* begins with *netdm*.
Standard error says why it is not one before.`

// manLadder are the sources in the order in which they are tried.
var manLadder = []entry{
	{"bpf", `The trace event *skb:kfree_skb*, read by a BPF program: Linux 5.8 with BTF (CONFIG_DEBUG_INFO_BTF), also in containers that may use it.
It gives place, reason (since 5.17), packet, interface, network namespace, and the socket that the packet was of: the sender's, and since Linux 6.11 the receiver's.
What process, unit, container and pod that is of is looked up, and what is not certain is marked.
Of each kind of drop (place, reason, interface, namespace, protocol), each CPU shows the first 100 of a second, or as many as *--sample* says, by themselves.
The others are counted in the kernel, exactly, and shown once a second as one line that says how many they are.
It sees no hardware drops.`},
	{"netdm", `The kernel's drop monitor (CONFIG_NET_DROP_MONITOR), in the host's network namespace alone.
It gives packets with their bytes, drops by hardware, and on Linux since 5.18 the reason.
In packet mode it skips packets that have no MAC header yet, such as those that a firewall drops on OUTPUT.
So *trace* runs beside it, if it can, and its drops are shown without bytes and marked *[not in packet mode]*; none is shown twice.`},
	{"trace", `The trace event *skb:kfree_skb*, on any kernel with tracepoints, also in containers that may use it.
It gives place, reason (since 5.17), protocol, CPU and thread, and with *--stack* the calls, of packets in all namespaces.
It knows neither bytes nor interface, flow or length, and no hardware drops.`},
}

const manExpressions = `
An expression says which drops are wanted, live, in a replay, and by *filter* in a session:

*reason == NO_SOCKET and dst port 53 and not iface lo*

The arguments of a command are one expression, in which *< > ( ) !* and the like are quoted from the shell.
It is made of comparisons, joined by *not*, *and*, *or*, which bind in this order, and parentheses.
A comparison is a field, an operator and a value:`

var manOperators = []entry{
	{"*field*", "It is there."},
	{"*==*, *!=*", "Is equal, or is there and is not.\nIn names, which may be in any case, an asterisk stands for anything."},
	{"*<*, *<=*, *>*, *>=*", "For numbers."},
	{"*in {A, B, 1-9}*", "Is one of them."},
	{"*~*, *!~*", "Fits the regular expression, or does not."},
	{"*has*", "Has all these flags: *tcp.flags has syn+ack*.\nOr, of *stack*, this function."},
}

const manWords = `
What a drop does not have compares false, with every operator; *not* before that is true.

The words of *pcap-filter*(7) can be used as well: *udp port 53*, *src host 192.0.2.1*, *net 10.0.0.0/8*, *portrange 1-1023*, *less 100*.
Before them and any field of a packet, *inner* means the packet in the tunnel, and *quoted* the one that an ICMP error is about.
*dropwatch help filter* tells more.`

const manJSON = `
With *--json* each line is an object, for programs such as *jq*(1).
Its *kind* is *drop*, *loss* (drops that dropwatch failed to see) or, in the last line, *end*: the ledger.
What is not known is not there.
Names do not change their meaning; new ones may come.
*dropwatch help json* prints the schema, which describes each.`

// An entry is a term of a list in the manual page, and its explanation.
type entry struct{ term, text string }

var manExits = []entry{
	{"0", "All was done."},
	{"1", "A command failed, or one of a script."},
	{"2", "The command line is wrong."},
	{"128+N", "Signal N ended a session: 143 for SIGTERM.\nA signal is how *watch*, *record* and *dump* end, with 0."},
}

var manEnvironment = []entry{
	{"NO_COLOR", "If it is not empty, nothing is coloured.\nWhat is not a terminal has no colours anyway."},
	{"XDG_STATE_HOME", "Where the history is kept, instead of *~/.local/state*."},
}

var manFiles = []entry{
	{"~/.local/state/dropwatch/history", "The lines of earlier sessions, which only their owner can read."},
	{"/proc/kallsyms", "The kernel's symbols, from which places are named."},
	{"/sys/kernel/tracing", "The trace event's description.\nIf it is not there it is mounted for a moment, where nobody sees it."},
}

var manPrivileges = []entry{
	{"CAP_NET_ADMIN", "To start, stop and configure the drop monitor, in the host's own user namespace."},
	{"CAP_SYS_ADMIN", "To receive its drops, on Linux since 6.7 and on stable kernels since December 2023.\nEarlier ones let everybody listen."},
	{"CAP_BPF and CAP_PERFMON", "For the source *bpf*; before Linux 5.8 there is none."},
	{"CAP_PERFMON", "For the source *trace*, and the right to read */sys/kernel/tracing*, which is root's, or CAP_DAC_READ_SEARCH.\nWhere *kernel.perf_event_paranoid* is above 2, as on Debian, and before Linux 5.8, CAP_SYS_ADMIN."},
	{"CAP_IPC_LOCK", "For *trace* with more memory than *kernel.perf_event_mlock_kb* allows."},
	{"CAP_SYSLOG", "To see the addresses of symbols, where *kernel.kptr_restrict* hides them.\nWithout it drops in summaries are shown by address."},
}

var manExamples = []entry{
	{"# dropwatch doctor", "See what works here, and what mends the rest:"},
	{"# dropwatch watch not iface lo", "Watch drops, a line each, but for those of the loopback:"},
	{"# dropwatch top process nginx", "Look on at those of one program, by place and reason:"},
	{"# dropwatch watch --summary 'reason == NO_SOCKET and udp'", "Where datagrams go that nobody listens for, a table a second:"},
	{"# dropwatch watch --json -d 10s | jq -r .reason | sort | uniq -c", "Count ten seconds of drops by reason:"},
	{"# dropwatch watch -w drops.pcapng net 192.0.2.0/24", "Keep the packets of a network for Wireshark:"},
	{"# dropwatch record --duration 8h night.dw\n$ dropwatch replay night.dw 'symbol ~ ^tcp_'", "Record a night, and ask in the morning:"},
	{"# dropwatch\ndropwatch> start", "Count drops by place in a session, until Ctrl-C:"},
	{"# printf 'set alertlimit 10\\nstart\\n' | dropwatch", "Show the next ten reports of drops, by a script:"},
	{"# dropwatch dump -w drops.pcap\n# tshark -V -r drops.pcap", "Write what the drop monitor sends to a file, and read it:"},
	{"# dwdump | tshark -r -", "Watch them as they are dropped:"},
	{"$ source <(dropwatch completion bash)", "Complete words in this shell:"},
}

// manDifferences are all that we do unlike C dropwatch on purpose.
var manDifferences = []string{
	"Without *-l*, places are named; *-l none* shows addresses as the C program does without it.",
	"*set alertlimit* counts anew at each start, and the capture stops exactly there.",
	"An unknown command, a word too many and a bad value are errors and change nothing.\nThe C program passes over them, or takes the number at their beginning, and reads *showx* as *show*.",
	"Errors are on standard error, and say what to do.\nA failed command does not end a session on a terminal.\nIt ends a script, which then exits with 1 instead of 0.",
	"A wrong command line exits with 2 instead of 1.\n*--help* is no error.",
	"What was set is put back at the end, and a signal leaves nothing switched on.",
	"*start*, *stop* and *set* ask before they stop what another program has switched on.",
	"What was lost is told at the end of a capture.",
	"It does not say that it waits for the kernel to acknowledge the end of a capture.",
	"*dump* does not write to a terminal, and its numbers must be numbers.",
	"Where there is no drop monitor, a session takes its drops from the source *trace*.",
	"Packets that packet mode could not show are counted by place at the end of a capture, if *trace* can see them.",
	"The commands *quit*, *status*, *filter* and those of the command line, the settings *rcvbuf*, *takeover* and *source*, and all long options but *--lmethod* are new.",
}
