package knowledge

import (
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

// kernelReasons are those of the kernels whose format files we have, and of the lists
// in testdata, but for the ends of the enum.
func kernelReasons(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, text := range files(t, "../source/trace/testdata/*.format") {
		for _, m := range symbolic.FindAllStringSubmatch(text, -1) {
			names[m[1]] = true
		}
	}
	for _, text := range files(t, "testdata/*.reasons") {
		for line := range strings.Lines(text) {
			if name := strings.TrimSpace(line); name != "" && name[0] != '#' {
				names[name] = true
			}
		}
	}
	delete(names, "NOT_DROPPED_YET")
	delete(names, "MAX")
	return names
}

func files(t *testing.T, pattern string) (texts []string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("files %q: %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func TestReasonsAreTheKernels(t *testing.T) {
	kernels := kernelReasons(t)
	if len(kernels) < 200 {
		t.Fatalf("the kernels have only %d reasons", len(kernels))
	}
	for name := range kernels {
		if index()[id{Reason, name}] == nil {
			t.Errorf("no entry for %s", name)
		}
	}
	for _, en := range All() {
		if en.Kind == Reason && !kernels[en.Name] {
			t.Errorf("no kernel has %s", en.Name)
		}
	}
}

// TestNamesAreUnique: a name is in one table, once.
func TestNamesAreUnique(t *testing.T) {
	seen := map[id]bool{}
	for _, table := range tables {
		for _, en := range table.entries {
			if key := (id{en.Kind, en.Name}); seen[key] {
				t.Errorf("%v %s is there twice", en.Kind, en.Name)
			} else {
				seen[key] = true
			}
			if en.Same != "" && len(Lookup(en.Same)) == 0 {
				t.Errorf("%s is the same as %s, which is not there", en.Name, en.Same)
			}
		}
	}
}

const longest = 140 // characters of a sentence

func TestProse(t *testing.T) {
	for _, en := range All() {
		if en.Module == "" || en.Class == 0 || en.Severity == 0 || en.Cause == "" {
			t.Errorf("%s lacks a module, a class, a severity or a cause: %+v", en.Name, en)
		}
		if (en.Kind == Counter) != (en.Loses != 0) || (en.Kind == Counter) != (en.Unit != 0) {
			t.Errorf("%s, a %v: whether a packet is lost and what is counted is for counters, and all of them", en.Name, en.Kind)
		}
		isProse(t, en.Name, en.Cause)
		isProse(t, en.Name, en.Fix)
		isProse(t, en.Name, en.Steady)
		for _, c := range en.Cases {
			isProse(t, en.Name, c.Cause)
			isProse(t, en.Name, c.Fix)
		}
	}
}

// isProse wants whole sentences of a length that can be read, in words of WORDS.md.
func isProse(t *testing.T, name, text string) {
	t.Helper()
	if text == "" {
		return
	}
	if !strings.HasSuffix(text, ".") {
		t.Errorf("%s: no full stop: %q", name, text)
	}
	if strings.Join(strings.Fields(text), " ") != text {
		t.Errorf("%s: blanks in %q", name, text)
	}
	for part := range strings.SplitSeq(text, ". ") {
		if n := utf8.RuneCountInString(part); n > longest {
			t.Errorf("%s: %d characters in %q", name, n, part)
		}
	}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if slices.Contains([]string{"mend", "we", "us", "our", "faked", "whose", "tells"}, word) {
			t.Errorf("%s: %q in %q", name, word, text)
		}
	}
}

// provides says which evidence fills a hole.
var provides = map[string]Evidence{
	"mac": Addressed, "vlan": Tagged, "ethertype": EtherType, "ttl": Expired, "ifname": NoCarrier,
	"addr": Multicast | Misaddressed | ToItself, "src": Multicast,
}

// TestHoles: a hole of a cause is one that the evidence for it fills, and no hole is
// misspelled.
func TestHoles(t *testing.T) {
	check := func(name, text string, given Evidence, sure bool) {
		for _, m := range hole.FindAllStringSubmatch(text, -1) {
			if unknown[m[1]] == "" {
				t.Errorf("%s: unknown hole {%s} in %q", name, m[1], text)
			}
			if sure && given&provides[m[1]] == 0 {
				t.Errorf("%s: the evidence does not fill {%s} in %q", name, m[1], text)
			}
		}
	}
	for _, en := range All() {
		check(en.Name, en.Cause, 0, true)
		for _, text := range slices.Concat(en.Check, en.Apply, []string{en.Fix}) {
			check(en.Name, text, 0, false)
		}
		for _, c := range en.Cases {
			check(en.Name, c.Cause, c.If, true)
			for _, text := range slices.Concat(c.Check, c.Apply, []string{c.Fix}) {
				check(en.Name, text, c.If, false)
			}
		}
	}
}

// TestCases: every case has evidence, and says something of its own.
func TestCases(t *testing.T) {
	for _, en := range All() {
		for i, c := range en.Cases {
			if c.If == 0 && len(c.Via) == 0 {
				t.Errorf("%s: case %d is always true", en.Name, i)
			}
			if c.Cause == "" && len(c.Check) == 0 {
				t.Errorf("%s: case %d says nothing", en.Name, i)
			}
		}
	}
}

func at(symbol string) event.Where {
	return event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: symbol}}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		name  string
		event event.Event
		want  string // the Entry's name
	}{
		{"reason", event.Event{Reason: "IP_CSUM"}, "IP_CSUM"},
		{"reason before function", event.Event{Reason: "NO_SOCKET", Where: at("nf_hook_slow")}, "NO_SOCKET"},
		{"unknown reason", event.Event{Reason: "NEW", Where: at("nf_hook_slow")}, ""},
		{"no reason", event.Event{Where: at("nf_hook_slow")}, "nf_hook_slow"},
		{"not specified", event.Event{Reason: "NOT_SPECIFIED", Where: at("ip_forward")}, "ip_forward"},
		{"copy of a function", event.Event{Where: at("packet_rcv.part.0")}, "packet_rcv"},
		{"kernel's name", event.Event{Where: event.Where{Kernel: "icmp_rcv+0x1a/0x40"}}, "icmp_rcv"},
		{"trap", event.Event{Where: event.Where{Trap: "tail_drop"}}, "tail_drop"},
		{"unknown trap", event.Event{Where: event.Where{Trap: "new"}}, ""},
		{"unknown function", event.Event{Where: at("f")}, ""},
		{"nothing", event.Event{}, ""},
	} {
		got, ok := Of(&c.event)
		name := ""
		if ok {
			name = got.Entry.Name
		}
		if name != c.want || ok && got.Cause == "" {
			t.Errorf("%s: %q, %+v, want %q", c.name, name, got, c.want)
		}
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"NO_SOCKET": "NO_SOCKET", "no_socket": "NO_SOCKET", "SKB_DROP_REASON_NO_SOCKET": "NO_SOCKET", " XDP ": "XDP",
		"ip_forward": "ip_forward", "nf_hook_slow+0xa8/0x110 [nf]": "nf_hook_slow", "packet_rcv.part.0": "packet_rcv",
		"tail_drop": "tail_drop", "tcp_v6_rcv": "tcp_v6_rcv", "nothing": "", "": "",
		"skb_drop_reason_no_socket": "NO_SOCKET", "Skb_Drop_Reason_No_Socket": "NO_SOCKET", "No_Socket": "NO_SOCKET",
		"TCP_V4_RCV+0X1F": "tcp_v4_rcv", "Tail_Drop": "tail_drop",
	} {
		found := Lookup(name)
		got := ""
		if len(found) > 0 {
			got = found[0].Name
		}
		if got != want || len(found) > 1 || got != "" && found[0].Cause == "" {
			t.Errorf("%q: %d entries, %q, want %q", name, len(found), got, want)
		}
	}
	if en := Lookup("tcp_v6_rcv")[0]; en.Layer != Transport || en.Module != "tcp" || en.Cause != Lookup("tcp_v4_rcv")[0].Cause {
		t.Errorf("the same texts: %+v", en)
	}
}

func TestSuggest(t *testing.T) {
	for name, want := range map[string]string{
		"NO_SOKET": "NO_SOCKET", "no_sockte": "NO_SOCKET", "SKB_DROP_REASON_NETFILTER_DORP": "NETFILTER_DROP",
		"ip_forwrad+0x1/0x2": "ip_forward", "rpfilter": "IP_RPFILTER", "blackhole_rout": "blackhole_route",
		"skb_drop_reason_no_sokcet": "NO_SOCKET", "SKB_drop_REASON_no_socke": "NO_SOCKET", "TCP_V4_RVC": "tcp_v4_rcv",
	} {
		if got := Suggest(name); len(got) == 0 || got[0] != want || len(got) > maxSuggestions {
			t.Errorf("%s: %q, want %q first", name, got, want)
		}
	}
	for _, name := range []string{"", "qqqqqqqq", "zz"} {
		if got := Suggest(name); got != nil {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestAll(t *testing.T) {
	var last *Entry
	layers := map[Layer]int{}
	for _, en := range All() {
		layers[en.Layer]++
		if last != nil && (last.Layer > en.Layer || last.Layer == en.Layer && last.Kind > en.Kind) {
			t.Errorf("%s after %s", en.Name, last.Name)
		}
		last = en
	}
	for _, l := range Layers {
		if layers[l] == 0 {
			t.Errorf("no entry of the layer %v", l)
		}
	}
}

// TestCountersAreKnown: each counter that an entry names has an entry of its own.
func TestCountersAreKnown(t *testing.T) {
	for _, en := range All() {
		names := slices.Concat(en.Counters, en.OfPeer)
		for _, c := range en.Cases {
			names = append(names, c.Counters...)
		}
		for _, name := range names {
			if _, known := OfCounter(name, "", event.Netns{}); !known {
				t.Errorf("%s names the counter %s, of which nothing is known", en.Name, name)
			}
		}
	}
}

// TestNamesOfVersions: the kernel's versions have other names for one function.
func TestNamesOfVersions(t *testing.T) {
	for name, want := range map[string]string{"__dev_forward_skb2": "__dev_forward_skb", "udp_destruct_common": "inet_sock_destruct"} {
		x, ok := Of(&event.Event{Where: at(name)})
		y, _ := Of(&event.Event{Where: at(want)})
		if !ok || x.Cause != y.Cause || !slices.Equal(x.Counters, y.Counters) {
			t.Errorf("%s: %+v, want that of %s", name, x, want)
		}
	}
}

// TestNoiseOfFunctions: what needs no attention is noise.
func TestNoiseOfFunctions(t *testing.T) {
	for _, name := range []string{"virtio_transport_recv_pkt", "llc_rcv", "udp_destruct_common"} {
		if x, ok := Of(&event.Event{Where: at(name)}); !ok || x.Severity != Noise {
			t.Errorf("%s: known %v, severity %v", name, ok, x.Severity)
		}
	}
}
