// Package follow counts the packets of some flows where they pass: received, delivered, forwarded and sent, by
// interface and network namespace. BPF programs test a condition at tracepoints of the kernel, and count exactly, on
// each CPU. They send nothing to user space. What is dropped is not counted here: source bpf reports it.
//
// # Where packets are counted
//
//   - net:netif_receive_skb: an interface received a packet. What a driver drops before, or an XDP program in it, has
//     not been received. GRO has joined segments by then: both numbers are counted. A packet that came in by an
//     interface before, as that of a bridge by its port, is HandedUp. VLAN interfaces, bonds and macvlan take
//     over a packet without this tracepoint.
//   - net:net_dev_start_xmit: a driver was given a packet to send. Not those that AF_XDP or a packet socket with
//     PACKET_QDISC_BYPASS sends. What a busy driver returns (net:net_dev_xmit) is subtracted. An skb that has an
//     skb_iif was received before, and is forwarded, by IP, a bridge or tc. At an interface that is above others
//     it is SentDown: the one below sends it.
//   - net:net_dev_queue: a packet is handed to the queue of an interface, if it has one. It is in QueuedOwn or QueuedOn until
//     the driver is given it: those are not numbers that only grow.
//   - ip_protocol_deliver_rcu and ip6_protocol_deliver_rcu, by fentry: IP hands a packet to the protocol above it, as
//     UDP or TCP, that may still drop it. No tracepoint says so. Where BPF cannot attach to functions,
//     [Counter.Blind] says why.
//
// # What the condition tests
//
// Addresses, ports and protocols, as they are in the packet at that point: NAT changes them, so that a packet may
// match before it and not after. Headers in VLAN tags that are in the data, behind IPv6 extension headers, or in fragments
// but the first may not be known: such a packet is Undecided where the condition needs them.
//
// All programs begin and end counting at the same moment. What was on its way then is counted at some points only.
package follow

import "dropwatch/internal/condition"

//go:generate -command compile go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -target bpfel,bpfeb
//go:generate compile -type what -type facts follow follow.bpf.c -- -O2 -mcpu=v3 -Wall -Werror

// Fields are what a condition may test: other fields are of drops, or differ between the interfaces that a packet
// passes.
var Fields = condition.Of(condition.Netns, condition.Protocol, condition.Network, condition.Transport, condition.SrcPort,
	condition.DstPort, condition.Src, condition.Dst)

// Options of a Counter.
type Options struct {
	// Condition selects the packets; nil selects all. Its size is at most condition.MaxSize, and it tests Fields only.
	Condition condition.Node
}
