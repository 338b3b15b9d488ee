package app

// The prose of the manual page: a sentence a line, *asterisks* for bold.

const manDescription = `
*dropwatch* shows where the Linux kernel drops packets, as its drop monitor (NET_DM) reports it.
Without a command it runs a session.
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

const manDump = `
Packets are written as the kernel reports them, each with its place and reason, until a signal comes.
*tshark* and *wireshark* decode them.
`

// An entry is a term of a list in the manual page, and its explanation.
type entry struct{ term, text string }

var manExits = []entry{
	{"0", "All was done."},
	{"1", "A command failed, or one of a script."},
	{"2", "The command line is wrong."},
	{"128+N", "Signal N ended a session: 143 for SIGTERM. A signal is how *dump* ends, with 0."},
}

var manFiles = []entry{
	{"~/.local/state/dropwatch/history", "The lines of earlier sessions, which only their owner can read."},
	{"/proc/kallsyms", "The kernel's symbols, from which places are named."},
}

var manPrivileges = []entry{
	{"CAP_NET_ADMIN", "To start, stop and configure monitoring, in the host's own user namespace."},
	{"CAP_SYS_ADMIN", "To receive the drops, on Linux since 6.7 and on stable kernels since December 2023.\nEarlier ones let everybody listen."},
	{"CAP_SYSLOG", "To see the addresses of symbols, where *kernel.kptr_restrict* hides them.\nWithout it drops in summaries are shown by address."},
}

var manExamples = []entry{
	{"# dropwatch\ndropwatch> start", "Count drops by place, until Ctrl-C:"},
	{"# printf 'set alertlimit 10\\nstart\\n' | dropwatch", "Show the next ten reports of drops, by a script:"},
	{"# dropwatch dump -w drops.pcap\n# tshark -V -r drops.pcap", "Write the packets to a file, and read it:"},
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
	"The commands *quit*, *status* and *dump*, the settings *rcvbuf* and *takeover*, and all long options but *--lmethod* are new.",
}
