package archtest

import (
	"slices"
	"strings"
	"testing"
)

// A world is a synthetic module: a package, and after it what it imports, what
// its tests import after "test".
func world(lines ...string) (pkgs []pkg) {
	for _, line := range lines {
		code, tests, _ := strings.Cut(line, " test ")
		f := strings.Fields(code)
		p := pkg{ImportPath: module + "/" + f[0], Imports: f[1:]}
		for i, imp := range strings.Fields(tests) {
			if i%2 == 0 {
				p.TestImports = append(p.TestImports, imp)
			} else {
				p.XTestImports = append(p.XTestImports, imp)
			}
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

// TestRulesCanFail holds worlds that are wrong in one thing each against the
// real rules.
func TestRulesCanFail(t *testing.T) {
	const netdm, text, event = "dropwatch/internal/source/netdm", "dropwatch/internal/sink/text", "dropwatch/internal/event"
	tests := map[string]struct{ line, want string }{
		"the vocabulary knows nobody": {"internal/event dropwatch/netlink", "internal/event imports netlink: the vocabulary"},
		"public packages stand alone": {"netlink " + event, "netlink imports internal/event: it is public"},
		"pipeline knows no source":    {"internal/pipeline " + netdm, "internal/pipeline imports internal/source/netdm: it joins"},
		"a source knows no source": {
			"internal/source/bpf " + netdm, "internal/source/bpf imports internal/source/netdm: a source only",
		},
		"a sink knows no stage": {
			"internal/sink/x dropwatch/internal/stage/resolve",
			"internal/sink/x imports internal/stage/resolve: a sink only",
		},
		"a stage knows no sink":        {"internal/stage/x " + text, "internal/stage/x imports internal/sink/text: a stage only"},
		"the language knows no kernel": {"internal/repl dropwatch/netlink", "internal/repl imports netlink: the language"},
		"main knows app alone":         {"cmd/dropwatch " + event, "cmd/dropwatch imports internal/event: main hands"},
		"nobody but main knows app":    {"internal/repl dropwatch/internal/app", "internal/repl imports internal/app: the language"},
		"nor does a test": {
			"internal/repl test fmt dropwatch/internal/app", "internal/repl imports internal/app: the language",
		},
		"a guest is for tests": {
			"internal/app dropwatch/internal/vmtest", "internal/app imports internal/vmtest: it has the verbs",
		},
		"a package without a room": {"internal/util", "internal/util is in no room: say"},
		"a room too deep":          {"internal/sink/text/more", "internal/sink/text/more is in no room: say"},

		"netlink's library": {
			"internal/source/netdm github.com/mdlayher/netlink",
			"internal/source/netdm imports github.com/mdlayher/netlink: netlink hides",
		},
		"and its packages": {
			"internal/app github.com/mdlayher/netlink/nlenc",
			"internal/app imports github.com/mdlayher/netlink/nlenc: netlink hides",
		},
		"BPF in a sink": {"internal/sink/x github.com/cilium/ebpf", "internal/sink/x imports github.com/cilium/ebpf: 2 MB"},
		"readline elsewhere": {
			"internal/repl github.com/chzyer/readline",
			"internal/repl imports github.com/chzyer/readline: it has faults",
		},
		"demangling elsewhere": {
			"internal/sink/x github.com/ianlancetaylor/demangle",
			"internal/sink/x imports github.com/ianlancetaylor/demangle: names are",
		},
		"flags elsewhere":    {"cmd/dropwatch github.com/spf13/pflag", "cmd/dropwatch imports github.com/spf13/pflag: a verb"},
		"the network in app": {"internal/app net/http", "internal/app imports net/http: 1 MB"},
		"TLS in app":         {"internal/app crypto/tls", "internal/app imports crypto/tls: 2 MB"},
		"a test's library in code": {
			"internal/app github.com/google/go-cmp/cmp",
			"internal/app imports github.com/google/go-cmp/cmp: differences",
		},
		"a library nobody named yet": {"internal/app example.org/x/y", "internal/app imports example.org/x/y: say in libraries"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := checker{rooms: rooms, libraries: libraries, testRooms: testRooms}
			c.check(world(tt.line))
			if len(c.problems) != 1 || !strings.HasPrefix(c.problems[0], tt.want) {
				t.Errorf("problems %q, want one that begins with %q", c.problems, tt.want)
			}
		})
	}
}

func TestRulesAllowWhatTheyShould(t *testing.T) {
	c := checker{rooms: rooms, libraries: libraries, testRooms: testRooms}
	c.check(world(
		"cmd/dropwatch dropwatch/internal/app os",
		"internal/app dropwatch/internal/source/netdm dropwatch/internal/sink/text dropwatch/netlink github.com/spf13/pflag",
		"internal/sink/elastic dropwatch/internal/event dropwatch/internal/knowledge crypto/tls net/http",
		"internal/sink/text dropwatch/internal/event test dropwatch/internal/stage/resolve dropwatch/netlink github.com/google/go-cmp/cmp",
		"internal/source/bpf github.com/cilium/ebpf github.com/cilium/ebpf/btf",
		"kallsyms github.com/ianlancetaylor/demangle test dropwatch/kallsyms",
		"internal/vmtest github.com/rogpeppe/go-internal/txtar dropwatch/internal/vmtest/guest",
	))
	if len(c.problems) > 0 {
		t.Errorf("problems %q", c.problems)
	}
}

func TestStaleRules(t *testing.T) {
	c := checker{
		rooms:     []room{{pkgs: "a"}, {pkgs: "b", future: true}, {pkgs: "gone"}, {pkgs: "soon", future: true}},
		libraries: []library{{imports: "x.org/used", by: []string{"*"}}, {imports: "x.org/gone"}, {imports: "x.org/soon", future: true}},
	}
	c.check(world("a x.org/used", "b"))
	c.stale()
	want := []string{
		"the rule for room b is marked as future, but it is there",
		"the rule for room gone fits nothing: remove it, or mark it as future",
		"the rule for library x.org/gone fits nothing: remove it, or mark it as future",
	}
	if !slices.Equal(c.problems, want) {
		t.Errorf("problems %q, want %q", c.problems, want)
	}
}

func TestTwoRooms(t *testing.T) {
	c := checker{rooms: []room{{pkgs: "a/*"}, {pkgs: "a/..."}}}
	c.check(world("a/b"))
	if want := []string{"a/b is in two rooms, a/* and a/..."}; !slices.Equal(c.problems, want) {
		t.Errorf("problems %q, want %q", c.problems, want)
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"internal/sink/*", "internal/sink/text", true},
		{"internal/sink/*", "internal/sink", false},
		{"internal/sink/*", "internal/sink/text/more", false},
		{"a/...", "a", true},
		{"a/...", "a/b/c", true},
		{"a/...", "ab", false},
		{"netlink", "netlink", true},
		{"netlink", "netlink/x", false},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

func TestTouches(t *testing.T) {
	const text = `package p
import (
	"fmt"
	sys "os"
)
type o struct{ Stdout int }
func f(os o) {
	_ = os.Stdout // a field
	fmt.Fprintln(sys.Stderr, sys.Args)
	defer sys.Exit(1)
	fmt.Println()
}`
	want := []string{
		"p.go:9:15: os.Stderr is for cmd alone",
		"p.go:10:8: os.Exit is for cmd alone",
		"p.go:11:2: fmt.Println is for cmd alone",
	}
	if got := touches(t, "p.go", text); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestStrangers(t *testing.T) {
	got := strangers([]string{".git", ".ci", "bin", "cmd", "go.mod", "x.test", "pkg", "notes.txt"})
	if want := []string{"pkg", "notes.txt"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestReads(t *testing.T) {
	const text = `package p
import "os"
const dir = "/sys/kernel/tracing"
func f(pid string) {
	os.ReadFile("/proc/" + pid + "/comm")
	os.Readlink("/sys/x")
	os.ReadFile(dir + "/format") // a mount
	os.Open("/etc/passwd")
	println("/proc/x")
}`
	want := []string{
		"p.go:5:2: internal/host reads /proc and /sys, with limits and without blocking",
		"p.go:6:2: internal/host reads /proc and /sys, with limits and without blocking",
	}
	if got := reads(t, "p.go", text); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
