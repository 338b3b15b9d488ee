package knowledge

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"dropwatch/internal/event"
)

var symbolic = regexp.MustCompile(`\{ \d+, "(\w+)" \}`)

// kernelReasons are those of the kernels whose format files we have, but for the
// ends of the enum and the reason that is none.
func kernelReasons(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../source/trace/testdata/*.format")
	if err != nil || len(files) == 0 {
		t.Fatalf("format files %q: %v", files, err)
	}
	names := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range symbolic.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	for _, none := range []string{"NOT_DROPPED_YET", "NOT_SPECIFIED", "MAX"} {
		delete(names, none)
	}
	return slices.Sorted(maps.Keys(names))
}

func TestReasonsAreTheKernels(t *testing.T) {
	got, want := slices.Sorted(maps.Keys(reasons)), kernelReasons(t)
	if len(want) < 100 {
		t.Fatalf("the kernels have only the reasons %q", want)
	}
	for _, name := range want {
		if _, ok := reasons[name]; !ok {
			t.Errorf("no entry for %s", name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("no kernel has %s", name)
		}
	}
}

const longest = 110 // characters of a sentence

func TestProse(t *testing.T) {
	layers := strings.Fields("bpf bridge can device fragment icmp ip ipv6 link memory neighbour netfilter psp qdisc socket tcp tunnel udp vxlan xdp xfrm")
	for _, table := range []map[string]Entry{reasons, functions, traps} {
		for name, en := range table {
			if !slices.Contains(layers, en.Layer) {
				t.Errorf("%s: layer %q", name, en.Layer)
			}
			if !strings.HasSuffix(en.Cause, ".") || en.Remedy != "" && !strings.HasSuffix(en.Remedy, ".") {
				t.Errorf("%s: cause %q or remedy %q ends without a full stop", name, en.Cause, en.Remedy)
			}
			for _, text := range []string{en.Cause, en.Check, en.Remedy} {
				if strings.Join(strings.Fields(text), " ") != text {
					t.Errorf("%s: blanks in %q", name, text)
				}
				for part := range strings.SplitSeq(text, ". ") {
					if n := utf8.RuneCountInString(part); n > longest {
						t.Errorf("%s: %d characters in %q", name, n, part)
					}
				}
			}
		}
	}
}

func TestOf(t *testing.T) {
	at := func(symbol string) event.Where {
		return event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: symbol}}
	}
	for _, c := range []struct {
		name  string
		event event.Event
		want  Entry
		ok    bool
	}{
		{"reason", event.Event{Reason: "IP_CSUM"}, reasons["IP_CSUM"], true},
		{"reason before function", event.Event{Reason: "NO_SOCKET", Where: at("nf_hook_slow")}, reasons["NO_SOCKET"], true},
		{"unknown reason", event.Event{Reason: "NEW", Where: at("nf_hook_slow")}, Entry{}, false},
		{"no reason", event.Event{Where: at("nf_hook_slow")}, functions["nf_hook_slow"], true},
		{"unspecified", event.Event{Reason: "NOT_SPECIFIED", Where: at("ip_forward")}, functions["ip_forward"], true},
		{"copy of a function", event.Event{Where: at("packet_rcv.part.0")}, functions["packet_rcv"], true},
		{"kernel's name", event.Event{Where: event.Where{Kernel: "icmp_rcv+0x1a/0x40"}}, functions["icmp_rcv"], true},
		{"trap", event.Event{Where: event.Where{Trap: "tail_drop"}}, traps["tail_drop"], true},
		{"unknown trap", event.Event{Where: event.Where{Trap: "new"}}, Entry{}, false},
		{"unknown function", event.Event{Where: at("f")}, Entry{}, false},
		{"nothing", event.Event{}, Entry{}, false},
	} {
		got, ok := Of(&c.event)
		if got != c.want || ok != c.ok || ok && got.Cause == "" {
			t.Errorf("%s: %+v, %v, want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		entry Entry
		want  string
	}{
		{Entry{"tcp", "It broke.", "ss -nt", "Mend it."}, "It broke.\ncheck: ss -nt\nmend: Mend it."},
		{Entry{Layer: "tcp", Cause: "It broke.", Remedy: "Mend it."}, "It broke.\nmend: Mend it."},
		{Entry{Layer: "tcp", Cause: "It broke."}, "It broke."},
		{Entry{}, ""},
	} {
		if got := c.entry.String(); got != c.want {
			t.Errorf("String of %+v = %q, want %q", c.entry, got, c.want)
		}
	}
}
