package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// firewalls are network namespaces with a firewall, each with what diagnose has to say
// of the rule that dropped five datagrams to port 9 of 127.0.0.1.
var firewalls = []struct{ name, make, confidence, rule string }{
	{
		"a rule with a counter", "nft 'table inet fw { chain in { type filter hook input priority 0; udp dport 9 counter drop; }; }'",
		"exactly", "nftables inet fw in handle N (udp dport 9 counter drop)",
	},
	{
		"one of two rules", "nft 'table inet fw { chain in { type filter hook input priority 0; udp dport 7 counter drop; " +
			"meta mark 0 counter drop; }; }'",
		"exactly", "nftables inet fw in handle N (meta mark 0x00000000 counter drop)",
	},
	{
		"rules without a counter", "nft 'table inet fw { chain in { type filter hook input priority 0; udp dport 9 drop; }; " +
			"chain late { type filter hook input priority 9; policy drop; }; chain out { type filter hook output priority 0; }; }'",
		"exactly", "nftables inet fw in handle N (udp dport 9 drop)",
	},
	{
		"a policy of iptables", "iptables-legacy -P OUTPUT DROP", "policy of chain", "iptables ip filter OUTPUT",
	},
	{
		"a rule of iptables", "iptables-legacy -N sub; iptables-legacy -A INPUT -p udp -j sub; iptables-legacy -A sub -j REJECT",
		"exactly", "iptables ip filter sub -j REJECT (rule 1)",
	},
}

// handle depends on the kernel.
var handle = regexp.MustCompile(`handle \d+`)

// TestDiagnoseNamesTheRule: one run, for all namespaces.
func TestDiagnoseNamesTheRule(t *testing.T) {
	vmtest.RequireRoot(t)
	if _, err := exec.LookPath("iptables-legacy"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	first := drops.NewNamespace(t)
	all := make(map[uint32]int)
	spaces := make([]*drops.Namespace, len(firewalls))
	for i, f := range firewalls {
		spaces[i] = first
		if i > 0 {
			spaces[i] = first.Another()
		}
		all[spaces[i].Inode()] = i
		sleep := exec.Command("sleep", "600") // by which the namespace is found
		spaces[i].Do(sleep.Start)
		t.Cleanup(func() { sleep.Process.Kill(); sleep.Wait() })
		spaces[i].Do(func() error { return exec.Command("sh", "-ec", f.make).Run() })
	}
	found := make([]bool, len(firewalls))
	for _, finding := range diagnosed(t, func() {
		for _, ns := range spaces {
			sendFive(ns)
		}
	}) {
		i, mine := all[finding.NetnsInode]
		if !mine || finding.ID != "NETFILTER_DROP" {
			continue
		}
		found[i] = true
		rule, want := finding.Culprit.Rule, firewalls[i]
		rule.Text = handle.ReplaceAllString(rule.Text, "handle N")
		if finding.Count != 5 || rule.Confidence != want.confidence || rule.Text != want.rule {
			t.Errorf("%s: %d drops, %s %s\nwant 5, %s %s", want.name, finding.Count, rule.Confidence, rule.Text, want.confidence, want.rule)
		}
	}
	for i, ok := range found {
		if !ok {
			t.Errorf("%s: nothing was found", firewalls[i].name)
		}
	}
}

// TestDiagnoseSelectsRetransmissions: what an expression selects of what TCP sends again is joined with the drops.
func TestDiagnoseSelectsRetransmissions(t *testing.T) {
	ns := drops.NewNamespace(t)
	if !ns.Has("test -e /sys/kernel/btf/vmlinux") {
		vmtest.SkipOrFail(t, errors.New("this kernel has no BTF"))
	}
	ns.Run("nft", "table inet fw { chain in { type filter hook input priority 0; tcp flags syn counter drop; }; }")
	connect := func(to string) {
		ns.Do(func() error {
			d := net.Dialer{Timeout: 1500 * time.Millisecond}
			if c, err := d.Dial("tcp4", to); err == nil {
				c.Close()
			}
			return nil
		})
	}
	again := func() int { return ns.Counter("snmp", "Tcp", "RetransSegs") }
	var segments int
	for _, f := range diagnosed(t, func() {
		for segments == 0 {
			connect("127.0.0.1:9")
			segments = again()
		}
		for before := again(); again() == before; {
			connect("127.0.0.2:9")
		}
	}, "host 127.0.0.1 and not host 127.0.0.2") {
		if f.NetnsInode != ns.Inode() || f.ID != "NETFILTER_DROP" {
			continue
		}
		if len(f.SentAgain) != 1 || f.SentAgain[0].Peer != "127.0.0.1" || f.SentAgain[0].Segments != segments {
			t.Errorf("sent again %+v, want %d to 127.0.0.1", f.SentAgain, segments)
		}
		return
	}
	t.Error("nothing was found")
}

// sendFive sends datagrams. Those that a firewall drops at once are an error of the
// sender.
func sendFive(ns *drops.Namespace) {
	ns.Do(func() error {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		for range 5 {
			c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:9")))
		}
		return nil
	})
}

// A finding is one of diagnose --json, as far as these tests look at it.
type finding struct {
	Kind, ID   string
	Count      int
	NetnsInode uint32 `json:"netns_inode"`
	Culprit    struct {
		Rule struct{ Text, Confidence string }
	}
	SentAgain []struct {
		Peer     string
		Segments int
	} `json:"sent_again"`
}

// diagnosed runs diagnose, and drop while it watches.
func diagnosed(t *testing.T, drop func(), expression ...string) (all []finding) {
	t.Helper()
	out, end := startWaiting(t, append([]string{"diagnose", "--json", "--fail-on", "never", "-d", "1m"}, expression...)...)
	drop()
	end()
	for line := range strings.Lines(out.String()) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, f)
	}
	return all
}
