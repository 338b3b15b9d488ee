package archtest

// A room says what its packages may import of this module. Patterns are those of
// match, below the module's path.
type room struct {
	pkgs   string
	may    []string
	reason string
	future bool // nothing is there yet
}

// The rooms from the inside out: vocabulary, then knowledge, then what knows
// where drops come from and go to.
var (
	inner = []string{
		"internal/event", "internal/clock", "internal/host", "internal/packet", "internal/suggest", "internal/tally",
		"internal/interval", "internal/kernel", "internal/bpfprog", "internal/perf", "internal/member", "internal/point",
		"kallsyms", "netlink",
	}
	middle = append([]string{
		"internal/condition", "internal/knowledge", "internal/counters", "internal/nftables", "internal/conntrack", "internal/routing",
		"internal/iptables", "internal/detail",
		"internal/doctor", "internal/retrans", "internal/pipeline", "internal/records", "internal/session", "internal/live",
		"internal/diagnose", "internal/settings", "internal/flows",
	}, inner...)
)

// rooms holds every package of the module exactly once.
var rooms = []room{
	{pkgs: "internal/event", reason: "the vocabulary is everybody's, so it is nobody's customer"},
	{pkgs: "internal/packet", may: []string{"internal/event"}, reason: "decoding of bytes makes a Flow and asks nobody"},
	{pkgs: "internal/condition", reason: "what a filter asks and a source tests is neither's"},
	{pkgs: "internal/condition/conditiontest", may: []string{"internal/condition"}, reason: "tests of several rooms evaluate conditions"},
	{pkgs: "internal/detail", may: []string{"internal/event"}, reason: "several sources say the same of a drop in the same words"},
	{pkgs: "internal/clock", may: []string{"internal/host"}, reason: "it reads clocks, for whoever needs them"},
	{pkgs: "internal/host", reason: "it reads the files of any host, for whoever needs them"},
	{pkgs: "internal/kernel", reason: "it asks the kernel, and does not know what for"},
	{
		pkgs: "internal/bpfprog", may: []string{"internal/event", "internal/host", "internal/condition"},
		reason: "it loads programs, and does not know what they report",
	},
	{pkgs: "internal/perf", may: []string{"internal/host"}, reason: "it reads events of the kernel, and does not know what they mean"},
	{pkgs: "internal/perf/perftest", reason: "tests of several rooms fill a ring as the kernel does"},
	{pkgs: "internal/interval", reason: "it divides time, for any sink"},
	{
		pkgs: "internal/member", may: []string{"internal/event", "internal/suggest"},
		reason: "it reads expressions over the kernel's types, and does not know who reads the values",
	},
	{pkgs: "internal/tally", reason: "it counts by any key, and needs no package of this module"},
	{pkgs: "internal/suggest", reason: "it compares any names"},
	{
		pkgs: "internal/point", may: []string{"internal/suggest", "internal/knowledge"},
		reason: "what is to be read is text, whoever reads it",
	},
	{pkgs: "internal/records", reason: "it writes bytes, and no events"},
	{pkgs: "kallsyms", reason: "it is public, and useful without dropwatch"},
	{pkgs: "netlink", reason: "it is public, and useful without dropwatch"},

	{pkgs: "internal/pipeline", may: inner, reason: "it joins what it does not know"},
	{pkgs: "internal/knowledge", may: inner, reason: "a table needs no source and no sink"},
	{
		pkgs:   "internal/counters",
		may:    append([]string{"internal/knowledge", "internal/nftables", "internal/iptables", "internal/routing"}, inner...),
		reason: "it reads the host, not our events",
	},
	{
		pkgs: "internal/nftables", may: []string{"internal/event", "internal/kernel"},
		reason: "it reads rules, and of a drop the packet alone",
	},
	{
		pkgs: "internal/iptables", may: []string{"internal/nftables"},
		reason: "it reads rules, wherever they come from, and has the names of nftables for what both match",
	},
	{pkgs: "internal/routing", may: []string{"internal/kernel", "internal/host"}, reason: "it looks up routes, and no events"},
	{pkgs: "internal/conntrack", may: []string{"internal/kernel"}, reason: "it looks up connections, whatever became of their packets"},
	{
		pkgs: "internal/diagnose",
		may: append([]string{
			"internal/condition", "internal/knowledge", "internal/counters", "internal/nftables", "internal/conntrack", "internal/routing",
			"internal/settings", "internal/point", "internal/flows",
		}, inner...),
		reason: "it joins drops and counters, wherever they come from",
	},
	{pkgs: "internal/settings", may: append([]string{"internal/counters"}, inner...), reason: "it reads the host, not our events"},
	{pkgs: "internal/doctor", may: inner, reason: "it reads the host, and no events"},
	{pkgs: "internal/live", may: inner, reason: "it counts for whoever looks on, and knows no screen"},
	{
		pkgs: "internal/flows", may: append([]string{"internal/knowledge"}, inner...),
		reason: "it adds up what others count, and knows no source",
	},
	{pkgs: "internal/retrans", may: inner, reason: "live and recorded segments look alike to it"},

	{
		pkgs: "internal/session", may: append([]string{"internal/pipeline", "internal/counters"}, inner...),
		reason: "a file is written and read in one place: it is a sink, and a source, that know only each other",
	},

	{pkgs: "internal/source/*", may: middle, reason: "a source only makes events: it knows no other source, no stage and no sink"},
	{
		pkgs:   "internal/source/sourcetest/detailtest",
		may:    append([]string{"internal/source/sourcetest", "internal/vmtest/..."}, middle...),
		reason: "tests of several sources lose the same packets",
	},
	{
		pkgs: "internal/stage/*", may: middle,
		reason: "a stage only enriches or rejects events: it knows neither where they come from nor where they go",
	},
	{pkgs: "internal/sink/*", may: middle, reason: "a sink only writes events: it does not know where they come from"},

	{
		pkgs: "internal/repl", may: []string{"internal/event", "internal/suggest"},
		reason: "the language knows what it is handed, no kernel and no terminal",
	},
	{pkgs: "internal/term", may: []string{"internal/event"}, reason: "the terminal knows lines, not what they mean"},
	{pkgs: "internal/cli", may: []string{"internal/suggest"}, reason: "it reads command lines, and does not know what they are for"},
	{
		pkgs: "internal/capture", reason: "it joins sources, stages and sinks, whoever asks for a run: a verb, or a session",
		may: append([]string{"internal/source/*", "internal/stage/*", "internal/sink/*", "internal/term"}, middle...),
	},
	{
		pkgs: "internal/config", reason: "a file describes a run in the words of capture, which checks it",
		may: []string{
			"internal/capture", "internal/stage/filter", "internal/source/bpf", "internal/sink/alert",
			"internal/host", "internal/event", "internal/suggest", "internal/point", "netlink",
		},
	},
	{pkgs: "internal/systemd", reason: "it speaks to the service manager, for any service"},
	{
		pkgs: "internal/service",
		may: []string{
			"internal/capture", "internal/config", "internal/pipeline", "internal/sink/alert", "internal/systemd", "internal/term",
		},
		reason: "it runs one configuration after the other, and knows no verb",
	},
	{
		pkgs: "internal/app", reason: "it has the verbs, and hands what they ask for to the others",
		may: append([]string{
			"internal/capture", "internal/config", "internal/service", "internal/systemd", "internal/cli", "internal/repl", "internal/term",
			"internal/source/*", "internal/stage/*", "internal/sink/*",
		}, middle...),
	},
	{pkgs: "cmd/*", may: []string{"internal/app"}, reason: "main hands over arguments and streams, no more"},

	{pkgs: "internal/vmtest/...", may: []string{"internal/vmtest/..."}, reason: "it boots kernels for any room's tests"},
	{pkgs: "internal/acceptance", reason: "its tests run the program, and know nothing that a user does not"},
	{
		pkgs: "internal/zoo", may: []string{
			"internal/vmtest/...", "kallsyms",
			"internal/event", "internal/member", "internal/point", "internal/source/probe", "internal/source/sourcetest", // of points
		},
		reason: "its test runs the program, and knows nothing that a user does not; the losses that it makes reach points, too",
	},
	{pkgs: "internal/archtest", reason: "it reads the others' imports, and has none"},
}

// A library says which packages may import another module. Tests may, too,
// where the library is for tests.
type library struct {
	imports string
	by      []string
	tests   bool // any test, and vmtest, may
	reason  string
	future  bool // nobody imports it yet
}

// libraries holds everything from outside the standard library, and what of
// that is confined.
var libraries = []library{
	{
		imports: "github.com/mdlayher/...", by: []string{
			"netlink", "internal/kernel", "internal/counters", "internal/nftables", "internal/conntrack", "internal/routing",
		},
		reason: "netlink hides how we talk to the kernel",
	},
	{
		imports: "github.com/cilium/ebpf/btf", by: []string{
			"internal/bpfprog", "internal/source/bpf", "internal/source/retrans", "internal/source/follow", "internal/source/probe",
			"internal/member",
		},
		reason: "the kernel's types are read where they are needed, without BPF",
	},
	{
		imports: "github.com/cilium/ebpf/...",
		by: []string{
			"internal/bpfprog", "internal/source/bpf", "internal/source/retrans", "internal/source/follow", "internal/source/trace",
			"internal/source/probe",
			"internal/source/sourcetest/detailtest",
		},
		reason: "2 MB of BPF serve the sources alone",
	},
	{
		imports: "github.com/chzyer/readline", by: []string{"internal/term"},
		reason: "it has faults that term guards against, and may be replaced",
	},
	{imports: "github.com/ianlancetaylor/demangle", by: []string{"kallsyms"}, reason: "names are made readable where they are read"},
	{imports: "github.com/spf13/pflag", by: []string{"internal/app", "internal/cli"}, reason: "a verb has its flags beside it"},
	{imports: "github.com/pelletier/go-toml/v2", by: []string{"internal/config"}, reason: "there is one format of configuration"},
	{imports: "github.com/pelletier/go-toml/v2/unstable", by: []string{"internal/config"}, reason: "it has the lines of settings"},
	{imports: "github.com/spf13/cobra", by: []string{"internal/cli"}, reason: "command lines are read in one place"},
	{
		imports: "golang.org/x/sys/...", by: []string{
			"netlink", "internal/bpfprog", "internal/clock", "internal/detail", "internal/host", "internal/perf", "internal/source/...",
			"internal/counters", "internal/doctor", "internal/kernel", "internal/term", "internal/systemd", "internal/sink/syslog",
		},
		reason: "system calls are for those who speak to the kernel",
	},
	{imports: "golang.org/x/term", by: []string{"internal/term"}, reason: "there is one terminal"},
	{imports: "charm.land/bubbletea/v2", by: []string{"internal/sink/top"}, reason: "1 MB of screen serves one view, and may be replaced"},
	{imports: "github.com/charmbracelet/x/ansi", by: []string{"internal/sink/top"}, reason: "columns are measured as the screen does"},
	{
		imports: "github.com/klauspost/compress/...", by: []string{"internal/sink/file", "internal/source/pcap"},
		reason: "files are compressed where they are rotated, and capture files decompressed where they are read",
	},
	{imports: "crypto/tls", by: []string{"internal/sink/elastic"}, reason: "2 MB of TLS serve what talks to servers"},
	{
		imports: "net/http", by: []string{"internal/sink/elastic"}, tests: true,
		reason: "1 MB of HTTP serves what talks to servers",
	},

	{imports: "github.com/creack/pty", tests: true, reason: "a terminal for tests"},
	{imports: "github.com/google/go-cmp/...", tests: true, reason: "differences for tests"},
	{imports: "github.com/rogpeppe/go-internal/...", tests: true, reason: "scripts and archives for tests"},
	{imports: "golang.org/x/tools/txtar", tests: true, reason: "archives for tests"},
}

// testRooms are what tests of a room may know besides what the room may: a
// test joins neighbours where the program does so too, in app. Only app itself
// and cmd stay out of reach, as they would turn the arrow round.
var testRooms = append([]string{
	"internal/source/*", "internal/stage/*", "internal/sink/*", "internal/repl", "internal/term", "internal/vmtest/...",
	"internal/condition/conditiontest", "internal/source/sourcetest/detailtest", "internal/perf/perftest",
}, middle...)
