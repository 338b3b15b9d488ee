package zoo

import (
	"errors"
	"fmt"
	"syscall"

	"dropwatch/internal/vmtest/drops"
)

// firewall are losses by netfilter and its kin.
var firewall = []Scenario{
	{
		"nft INPUT, a rule with a counter", nft("input", "policy accept", "udp dport 9 counter drop"),
		ruled("INPUT", "lo").counted("udp dport 9").fixed("nft delete rule ip t c handle 2"),
	},
	{
		"nft INPUT, a rule without a counter", nft("input", "policy accept", "udp dport 9 drop"),
		ruled("INPUT", "lo").by("exactly", "udp dport 9 drop").fixed("nft delete rule ip t c handle 2"),
	},
	{
		"nft INPUT, a rule without a counter in a chain that others jump to", nftJump,
		ruled("INPUT", "lo").by("exactly", "inet t sub handle"),
	},
	{
		"nft INPUT, by a set without a name", nft("input", "policy accept", "udp dport { 7, 9 } counter drop"),
		ruled("INPUT", "lo").counted("(udp dport { 7, 9 } counter drop), element 9").fixed("nft insert rule ip t c handle"),
	},
	{
		"nft INPUT, a rule without a counter by conntrack's state", nft("input", "policy accept", "ct state new drop"),
		ruled("INPUT", "lo").by("likely", "ct state new drop"),
	},
	{
		"nft INPUT, two rules that depend on conntrack's state",
		nft("input", "policy accept", "ct state established udp dport 9 drop; udp dport 7 drop; ct state new drop"),
		ruled("INPUT", "lo").by("one of", "ct state established udp dport 9 drop); nftables ip t c handle"),
	},
	{"nft INPUT, by policy", nft("input", "policy drop", ""), ruled("INPUT", "lo").by("policy of chain", "ip t c")},
	{
		"nft OUTPUT", nft("output", "policy accept", "udp dport 9 counter drop"),
		ruled("OUTPUT", "").counted("udp dport 9").mine(),
	},
	{
		"nft PREROUTING", nft("prerouting", "policy accept", "udp dport 9 counter drop"),
		ruled("PREROUTING", "lo").counted("udp dport 9"),
	},
	{"nft FORWARD, by policy", nftForward, ruled("FORWARD", "far").by("policy of chain", "ip t c")},
	{"nft FORWARD, a flood", flood(nftForward), ruled("FORWARD", "far").by("policy of chain", "ip t c").times(floodTimes)},
	{
		"conntrack INVALID, the end of no connection", invalid("1", finFlag|ackFlag),
		isInvalid("a FIN, a reset or a SYN/ACK").fixed("Find why 10.0.0.9 sends").not("loose"),
	},
	{
		"conntrack INVALID, data of no connection", invalid("0", ackFlag),
		isInvalid("it has no entry").fixed("At nf_conntrack_tcp_loose = 0").not("delete"),
	},
	{
		"XFRM policy that blocks what arrives", blockIn,
		Want{
			IDs: id("XFRM_POLICY"), Class: "policy", Severity: "maybe", IfName: "far", Counter: "xfrm.XfrmInPolBlock", Fix: "policies",
		},
	},
	{
		"XFRM policy that blocks what is sent", blockOut,
		Want{IDs: id("xfrm.XfrmOutPolBlock"), Class: "policy", Severity: "maybe", Cause: "policy blocks"},
	},
	{
		"XDP program, generic", runXDP(xdpDrop, skbMode),
		Want{IDs: id("XDP", "do_xdp_generic"), Class: "policy", Severity: "maybe", IfName: "far", Cause: "XDP", Fix: "program"},
	},
	{
		"XDP program, in the driver", runXDP(xdpDrop, 0),
		Want{IDs: id("XDP", "veth_xdp_rcv_skb"), Class: "policy", Severity: "maybe", IfName: "far", Cause: "XDP", Fix: "program"},
	},
	{
		"XDP program that aborts", runXDP(aborts, 0),
		Want{IDs: id("XDP_EXCEPTION"), Class: "error", Severity: "harm", IfName: "far", Says: "XDP_ABORTED", Fix: "program"},
	},
	{
		"XDP redirect to nowhere, generic", runXDP(nowhere, skbMode), lostByRedirect,
	},
	{
		"XDP redirect to nowhere", runXDP(nowhere, 0), lostByRedirect,
	},
	{
		"BPF program at the control group of the sender", cgroupEgress,
		Want{
			IDs: id("BPF_CGROUP_EGRESS"), Class: "policy", Severity: "maybe", IfName: "far", Process: self,
			Rule: "at control group /zoo-egress", Confidence: "exactly", Fix: "policy",
		},
	},
	{
		"BPF program at the control group of the receiver", cgroupIngress,
		Want{
			IDs: id("SOCKET_FILTER"), Class: "policy", Severity: "maybe", IfName: "lo", Process: self, Apart: "of the group",
			Rule: "at control group /zoo-ingress", Confidence: "likely", Fix: "policy of the unit",
		},
	},
	{
		"tc filter at ingress", tcIngress,
		Want{IDs: id("TC_INGRESS"), Class: "policy", Severity: "maybe", IfName: "far", Fix: "filter"},
	},
}

// ruled is what is wanted of packets that a chain drops.
func ruled(hook, ifname string) Want {
	return Want{
		IDs: id("NETFILTER_DROP"), Class: "policy", Severity: "maybe", IfName: ifname, Cause: hook, Fix: "llow the traffic", Apart: hook,
	}
}

// counted returns the Want with the rule that drops, which has a counter.
func (w Want) counted(rule string) Want {
	w.Apart += " " + rule
	return w.by("exactly", rule)
}

// by returns the Want with the rule that drops.
func (w Want) by(confidence, rule string) Want {
	w.Confidence, w.Rule = confidence, rule
	return w
}

// saying returns the Want with a part of the finding.
func (w Want) saying(part string) Want {
	w.Says = part
	return w
}

// fixed returns the Want with a command of the fix.
func (w Want) fixed(command string) Want {
	w.Fix = command
	return w
}

// floodTimes makes a scenario lose more packets than diagnose sees one by one.
const floodTimes = 200

// flood makes a scenario lose floodTimes as many packets.
func flood(prepare func(*drops.Namespace, int) func()) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() { return prepare(ns, n*floodTimes) }
}

// not returns the Want with words that the fix may not have.
func (w Want) not(words string) Want {
	w.NotFix = words
	return w
}

// times returns the Want for so many times as many packets.
func (w Want) times(n uint64) Want {
	w.Times = n
	return w
}

// mine returns the Want with this process as the culprit.
func (w Want) mine() Want {
	w.Process = self
	return w
}

// nft has a chain at a hook for datagrams that are sent on lo. They are dropped by nft_do_chain
// (net/netfilter/nf_tables_core.c), or by nf_hook_slow for its verdict.
func nft(hook, policy, rule string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		chain(ns, hook, policy, rule)
		return func() { ns.SendUDP(n) }
	}
}

// chain adds a chain at a hook of IPv4, with at most one rule.
func chain(ns *drops.Namespace, hook, policy, rule string) {
	ns.Run("nft", fmt.Sprintf("table ip t { chain c { type filter hook %s priority 0; %s; %s; }; }", hook, policy, rule))
}

// nftJump has a rule in a chain that a map of another chain leads to.
func nftJump(ns *drops.Namespace, n int) func() {
	ns.Run("nft", "table inet t { chain sub { ip saddr 127.0.0.0/8 ip daddr . udp dport { 127.0.0.1 . 5-9 } drop; };"+
		" chain c { type filter hook input priority 0; meta l4proto vmap { udp : jump sub, tcp : drop }; }; }")
	return func() { ns.SendUDP(n) }
}

// nftForward has a datagram arrive that is for another network.
func nftForward(ns *drops.Namespace, n int) func() {
	lose := arrive(datagram("10.0.1.1", drops.UDPHeader(0)))(ns, n)
	ns.Run("ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.2")
	chain(ns, "forward", "policy drop", "")
	return lose
}

// isInvalid is what is wanted of packets of no connection that a rule drops.
func isInvalid(cause string) Want {
	return Want{
		IDs: id("NETFILTER_DROP"), Class: "policy", Severity: "maybe", IfName: "far", Cause: "INVALID: " + cause,
		Apart: "INVALID",
	}.by("exactly", "ct state invalid").saying(`"conntrack":{"state":"none"}`)
}

// invalid has a segment arrive that is of no connection, and a rule against such.
func invalid(loose string, flags byte) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		lose := fromSilent(segment{port: 1, flags: flags}.frame())(ns, n)
		chain(ns, "input", "policy accept", "ct state invalid counter drop")
		ns.Sysctl("netfilter/nf_conntrack_tcp_loose", loose)
		return lose
	}
}

// blockIn has an IPsec policy against what arrives for this host. They are dropped by what calls xfrm_policy_check
// (net/xfrm/xfrm_policy.c).
func blockIn(ns *drops.Namespace, n int) func() {
	lose := arrive(datagram("10.0.0.1", drops.UDPHeader(0)))(ns, n)
	ns.Run("ip", "xfrm", "policy", "add", "dir", "in", "src", "10.0.0.2", "dst", "10.0.0.1", "action", "block")
	fd := ns.Socket(syscall.SOCK_DGRAM)
	ns.Do(func() error { return syscall.Bind(fd, here) })
	return lose
}

// blockOut has one against what is sent.
func blockOut(ns *drops.Namespace, n int) func() {
	ns.Peer()
	ns.Run("ip", "xfrm", "policy", "add", "dir", "out", "src", "10.0.0.1", "dst", "10.0.0.2", "action", "block")
	return refusedToSend(ns, n)
}

// refusedToSend sends datagrams to the other host, each of which fails.
func refusedToSend(ns *drops.Namespace, n int) func() {
	fd := ns.Socket(syscall.SOCK_DGRAM)
	return func() {
		ns.Do(func() error {
			for range n {
				err := syscall.Sendto(fd, []byte("x"), 0, &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{10, 0, 0, 2}})
				if !errors.Is(err, syscall.EPERM) {
					return fmt.Errorf("send what is to be refused: %w", err)
				}
			}
			return nil
		})
	}
}

// tcIngress has a filter that drops. They are dropped by sch_handle_ingress (net/core/dev.c).
func tcIngress(ns *drops.Namespace, n int) func() {
	lose := arrive(datagram("10.0.0.1", drops.UDPHeader(0)))(ns, n)
	classify(ns, "far", shot)
	return lose
}

// lostByRedirect is what is wanted of a program that redirects to an interface that is not there.
var lostByRedirect = Want{
	IDs: id("XDP_REDIRECT_ERR"), Class: "error", Severity: "harm", IfName: "far", Cause: "redirected", Says: "EINVAL", Fix: "interface",
}

// What a filter of tc may do with a packet (include/uapi/linux/pkt_cls.h): TC_ACT_SHOT,
// which drops it, and TC_ACT_STOLEN.
const shot, stolen = 2, 4

// classify adds a filter that does the same with all that arrives at an interface.
func classify(ns *drops.Namespace, ifname string, action int) {
	ns.Run("tc", "qdisc", "add", "dev", ifname, "clsact")
	ns.Run("tc", "filter", "add", "dev", ifname, "ingress", "bpf", "da", "bytecode", fmt.Sprintf("1,6 0 0 %d", action))
}
