package acceptance

import (
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// sub drops what is for port 9, by the second rule of a chain that the second rule of INPUT jumps to.
func sub(ns *drops.Namespace) {
	for _, rule := range []string{
		"-A INPUT -p udp --dport 8 -j DROP", "-N sub", "-A INPUT -p udp -j sub",
		"-A sub -p udp --dport 8 -j ACCEPT", "-A sub -p udp --dport 9 -j DROP",
	} {
		ns.Run("iptables-legacy", append([]string{"-w"}, strings.Fields(rule)...)...)
	}
}

// TestGuestIPTablesRule: a finding has the rule of iptables that the point has seen, with chain and number.
func TestGuestIPTablesRule(t *testing.T) {
	if !guest.AtLeast(7, 0) {
		return // package probe has all kernels
	}
	ns := withProcess(t)
	ns.Name("dropwatch-rule")
	sub(ns)
	here := strconv.Itoa(int(ns.Inode()))
	end := startDiagnose(t, "--point", "iptables", "netns.inode", here)
	ns.SendUDP(diagnosed)
	r := end()
	text := strings.Join(strings.Fields(r.Stdout), " ")
	for _, words := range []string{
		"dropped by iptables: table filter, chain sub, rule 2: -p udp -m udp --dport 9 -j DROP; hook NF_INET_LOCAL_IN, in lo, out ?, " +
			"50 times",
		"exactly iptables ip filter sub -p udp -m udp --dport 9 -j DROP (rule 2)",
		"iptables-legacy -t filter -D sub 2",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("%q is missing in\n%s\n%s", words, r.Stdout, r.Stderr)
		}
	}
}
