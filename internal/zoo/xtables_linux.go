package zoo

import "dropwatch/internal/vmtest/drops"

// xtables are losses by rules of iptables, of its older and its newer kind, and by what else
// nftables can drop with.
var xtables = []Scenario{
	{
		"iptables INPUT", iptables("-A INPUT -p udp --dport 9 -j DROP"),
		ruled("INPUT", "lo").counted("dport 9").fixed("iptables-legacy -t filter -D INPUT 1"),
	},
	{"iptables INPUT, by policy", iptables("-P INPUT DROP"), ruled("INPUT", "lo").by("policy of chain", "filter INPUT")},
	{"iptables OUTPUT", iptables("-A OUTPUT -p udp --dport 9 -j DROP"), ruled("OUTPUT", "").counted("dport 9").mine()},
	{"iptables FORWARD", iptablesForward, ruled("FORWARD", "far").counted("-d 10.0.1.0/24")},
	{"iptables raw", iptables("-t raw -A PREROUTING -p udp --dport 9 -j DROP"), ruled("PREROUTING", "lo").counted("raw PREROUTING")},
	{"iptables-nft INPUT", iptablesNFT, ruled("INPUT", "lo").counted("dport 9")},
	{
		"nft INPUT, by a set with a counter", nftSet("udp dport @ports counter drop"),
		ruled("INPUT", "lo").counted("(udp dport @ports counter drop), element 9 of @ports").
			fixed("nft delete element ip t ports { 9 }").not("delete rule"),
	},
	{
		"nft INPUT, by a set without a counter", nftSet("udp dport @ports drop"),
		ruled("INPUT", "lo").by("exactly", "(udp dport @ports drop), element 9 of @ports").fixed("nft delete element ip t ports { 9 }"),
	},
	{
		"NFQUEUE that no program reads", freed("queue without a program"),
		Want{
			IDs: id("nf_queue"), Class: "local", Severity: "harm", IfName: "lo", Apart: "unread", Confidence: "likely", Rule: "dport 9",
			Cause: "No program reads", Says: `"nfqueues":[{"number":0,"waiting":0}]`, Fix: "bypass", NotFix: "CPU",
		},
	},
	{
		"NFQUEUE full, as its program gives no verdicts", freed("full queue of a program"),
		Want{
			IDs: id("nf_queue"), Class: "no_buffer", Severity: "harm", IfName: "lo", Apart: "full", Confidence: "likely", Rule: "dport 9",
			Cause: "The NFQUEUE is full", Counter: "nfqueue.queue_dropped", Says: `"nfqueues":[{"number":0,"port_id":`, Fix: "CPU",
			NotFix: "bypass",
		},
	},
	{
		"NFQUEUE whose program has a full buffer", freed("full buffer of a queue's program"),
		Want{
			IDs: id("nf_queue"), Class: "no_buffer", Severity: "harm", IfName: "lo", Apart: "buffer", Confidence: "likely", Rule: "dport 9",
			Cause: "The buffer of the socket", Counter: "nfqueue.queue_user_dropped", Setting: "net.core.rmem_max", Fix: "larger buffer",
			Says: `"nfqueues":[{"number":0,"port_id":`,
		},
	},
	{"nft ingress", nftIngress("udp dport 9 counter drop"), ruled("ingress", "far").counted("udp dport 9")},
	{"nft ingress, without a counter", nftIngress("udp dport 9 drop"), ruled("ingress", "far").by("exactly", "udp dport 9 drop")},
}

// iptables has a rule or a policy for datagrams that are sent on lo.
func iptables(rule string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		if !ns.Has("iptables-legacy -w " + rule) {
			return nil
		}
		return func() { ns.SendUDP(n) }
	}
}

// iptablesForward has the iptables of the kernel drop packets that this host forwards; nil without iptables-legacy.
func iptablesForward(ns *drops.Namespace, n int) func() {
	lose := toAnotherNetwork(ns, n)
	if !ns.Has("iptables-legacy -w -A FORWARD -d 10.0.1.0/24 -j DROP") {
		return nil
	}
	return lose
}

// toAnotherNetwork has a datagram arrive that this host is to forward.
func toAnotherNetwork(ns *drops.Namespace, n int) func() {
	lose := arrive(datagram("10.0.1.1", drops.UDPHeader(0)))(ns, n)
	ns.Run("ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.2")
	return lose
}

// iptablesNFT has nf_tables drop, with a rule that was written by iptables; nil without iptables-nft.
func iptablesNFT(ns *drops.Namespace, n int) func() {
	if !ns.Has("iptables-nft -w -A INPUT -p udp --dport 9 -j DROP") {
		return nil
	}
	return func() { ns.SendUDP(n) }
}

// nftSet has a rule that drops what a set names.
func nftSet(rule string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		ns.Run("nft", "table ip t { set ports { type inet_service; elements = { 9, 10 }; };"+
			" chain c { type filter hook input priority 0; "+rule+"; }; }")
		return func() { ns.SendUDP(n) }
	}
}

// nftIngress has a chain at the ingress of an interface.
func nftIngress(rule string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		lose := arrive(datagram("10.0.0.1", drops.UDPHeader(0)))(ns, n)
		ns.Run("nft", "table netdev t { chain c { type filter hook ingress device far priority 0; "+rule+"; }; }")
		return lose
	}
}
