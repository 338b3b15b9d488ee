package perf

import (
	"slices"
	"strings"
	"testing"
)

func TestDefinition(t *testing.T) {
	fetch := []Fetch{{"qlen", "+392($arg3):u32"}, {"dev", "+0(+16($arg4)):string"}}
	result := []Fetch{{"ret", "$retval:s32"}}
	tests := map[string]Probe{
		"p:g/e icmp_send": {Function: "icmp_send"},
		"p:g/e tcp_conn_request qlen=+392($arg3):u32 dev=+0(+16($arg4)):string": {Function: "tcp_conn_request", Fetch: fetch},
		"r:g/e nf_tables:nft_do_chain ret=$retval:s32": {
			Function: "nf_tables:nft_do_chain", Return: true, Fetch: result,
		},
	}
	for want, p := range tests {
		if got := p.definition("g/e"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestNamesSayWhose: the kernel accepts them, and they lead back to the process.
func TestNamesSayWhose(t *testing.T) {
	m := maker{namespace: 4026531836, pid: 4194303, start: 9_876_543_210_000_000}
	group, event := m.group(7), m.event(7, strings.Repeat("long_name", 20))
	if got, ok := parseGroup(group); !ok || got != m {
		t.Errorf("%s is of %+v (%v), want %+v", group, got, ok, m)
	}
	for _, name := range []string{group, event} {
		if len(name) > maxProbeName || strings.ContainsFunc(name, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_", r)
		}) {
			t.Errorf("invalid name %q of %d bytes", name, len(name))
		}
	}
	if m.group(8) == group || m.event(8, "x") == m.event(7, "x") {
		t.Error("two sets share a name")
	}
	for _, other := range []string{"", "dropwatch", "dropwatch_1_2_3", "dropwatch_1_2_3_4_5", "dropwatch_1_-_3_4", "kprobes", "x_1_2_3"} {
		if m, ok := parseGroup(other); ok {
			t.Errorf("%q is taken for that of %+v", other, m)
		}
	}
}

func TestTextsOfTheKernel(t *testing.T) {
	list := "p:kprobes/a tcp_v4_rcv skb=$arg1:x64\nr16:dropwatch_1_2_3_4/b f\n\nbad line\n"
	if got := listedEvents(list); !slices.Equal(got, []string{"kprobes/a", "dropwatch_1_2_3_4/b"}) {
		t.Errorf("events %q", got)
	}
	const profile = "  a                      12               3\n  ab                      5               0\n"
	for name, want := range map[string]uint64{"a": 3, "ab": 0, "b": 0} {
		if got := misses(profile, name); got != want {
			t.Errorf("%d misses of %s, want %d", got, name, want)
		}
	}
	const log = "[   12.1] trace_kprobe: error: Invalid symbol\n  Command: p:g/e no_function\n                 ^\n" +
		"[   13.2] trace_kprobe: error: Unknown type\n  Command: p:g/e f a=$arg1:u9\n                            ^\n"
	for command, want := range map[string]string{
		"p:g/e no_function": "Invalid symbol", "p:g/e f a=$arg1:u9": "Unknown type", "p:g/e other": "",
	} {
		if got := logged(log, command); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}
