package nftables

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// messages are those of nf_tables in testdata, by their type: of Linux 6.18, for
// the rules in TestCounters.
func messages(t testing.TB) map[string][][]byte { return messagesOf(t, "testdata/rules.txt") }

func messagesOf(t testing.TB, name string) map[string][][]byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][][]byte)
	for line := range strings.Lines(string(text)) {
		typ, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		all[typ] = append(all[typ], b)
	}
	return all
}

// newCounting writes each counter as a line.
func newCounting(w io.Writer) *counting {
	use := func(c *Counter) {
		name := "packets"
		if c.Drops {
			name = "drops"
		}
		fmt.Fprintf(w, "%s | %s | %s | %s | %d\n", name, c.Object, c.Text, c.Hook, c.Packets)
	}
	return &counting{use: use, hooks: make(map[string]string), named: make(map[string]*rule)}
}

// TestCounters: a rule is a drop only if all that it counts is dropped. The texts are
// nft's, but for elements of unnamed sets and what reject answers.
func TestCounters(t *testing.T) {
	var b strings.Builder
	c, m := newCounting(&b), messages(t)
	for _, read := range []struct {
		typ string
		use func([]byte) error
	}{{"4", c.addChain}, {"7", c.addRule}, {"19", c.addObject}} {
		for _, message := range m[read.typ] {
			if err := read.use(message); err != nil {
				t.Fatal(err)
			}
		}
	}
	const want = `drops | inet fw input handle 6 | ct state invalid counter drop | INPUT | 0
packets | inet fw input handle 7 | tcp dport 22 counter accept | INPUT | 0
drops | inet fw input handle 8 | iifname "eth*" ip saddr 192.168.0.0/16 udp dport 53 counter reject | INPUT | 0
drops | inet fw input handle 9 | ip saddr @blocked counter drop comment "block list" | INPUT | 0
drops | inet fw input handle 10 | ip6 saddr fe80::/10 icmpv6 type 128 counter drop | INPUT | 0
packets | inet fw input handle 11 | counter limit rate 1/second drop | INPUT | 0
drops | inet fw input handle 14 | udp dport >= 10 udp dport <= 12 counter log drop | INPUT | 0
packets | inet fw input handle 15 | udp sport != 5 meta mark 0x00000003 counter jump sub | INPUT | 0
drops | inet fw input handle 18 | tcp flags & 0x12 == 0x02 counter drop | INPUT | 0
packets | inet fw input handle 19 | meta skuid 0 counter | INPUT | 0
packets | inet fw input handle 20 | ct state established,related counter accept | INPUT | 0
drops | inet fw input handle 21 | ip daddr 1.2.3.4 ip protocol tcp counter drop | INPUT | 0
packets | inet fw input handle 23 | udp dport vmap { ... } counter | INPUT | 0
drops | inet fw sub handle 24 | counter drop |  | 0
drops | netdev nd c handle 2 | meta iiftype 1 ether saddr 00:11:22:33:44:55 counter drop | ingress | 0
drops | bridge br c handle 2 | counter drop | bridge forward | 3
drops | inet fw counter named | udp dport { ... } counter name "named" drop |  | 0
packets | inet fw counter both | udp dport 9 counter name "both" drop; udp dport 99 counter name "both" accept |  | 0
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestPolicy: a chain that counts tells what came to its policy.
func TestPolicy(t *testing.T) {
	var b strings.Builder
	c := newCounting(&b)
	c.usePolicy(&chain{name: "ip filter FORWARD", hook: "FORWARD", drop: true, packets: 7, counts: true})
	c.usePolicy(&chain{name: "ip filter INPUT", hook: "INPUT", drop: true})
	const want = "drops | ip filter FORWARD policy | policy drop | FORWARD | 7\n"
	if got := b.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHookNames(t *testing.T) {
	for _, test := range []struct {
		family string
		hook   uint32
		want   string
	}{
		{"ip", 4, "POSTROUTING"}, {"inet", 5, "ingress"}, {"netdev", 1, "egress"}, {"bridge", 0, "bridge prerouting"},
		{"arp", 1, "arp output"}, {"ip", 9, "hook 9"},
	} {
		if got := hookName(test.family, test.hook); got != test.want {
			t.Errorf("hook %d of %s is %s, want %s", test.hook, test.family, got, test.want)
		}
	}
}

// FuzzMessages: no message makes it fail.
func FuzzMessages(f *testing.F) {
	for _, of := range messages(f) {
		for _, message := range of {
			f.Add(message)
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		c := newCounting(io.Discard)
		_ = c.addChain(message)
		_ = c.addRule(message)
		_ = c.addObject(message)
	})
}
