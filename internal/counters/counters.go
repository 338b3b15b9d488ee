// Package counters reads what a host counts about packets: the protocols' own
// counters, interfaces, queues, drivers, queueing disciplines, firewalls, conntrack,
// neighbour tables and sockets, in one network namespace or in all of them.
//
// A [Reader] takes a [Snapshot]; [Compare] says what changed between two. What a
// counter means, and whether a packet was lost when it rises, is knowledge, not
// counted here: [Counter.ID] is the name by which package knowledge has it.
//
// Reading changes nothing on the host, but may load the kernel's module that answers, as
// ss and nft do. A group that cannot be read, for want of a privilege or of a kernel
// option, is a [Failure] in the snapshot and leaves the others as they are.
package counters

import (
	"dropwatch/internal/event"
)

// A Group is where counters come from, as the first part of [Counter.ID].
type Group string

// The groups, each with the interface of the kernel that it is read from.
const (
	Protocol  Group = "protocol"  // /proc/net/{snmp,snmp6,netstat,sctp/snmp}; names as nstat has them
	Softnet   Group = "softnet"   // /proc/net/softnet_stat, by CPU
	XFRM      Group = "xfrm"      // /proc/net/xfrm_stat
	Conntrack Group = "conntrack" // /proc/net/stat/nf_conntrack, and its count against nf_conntrack_max
	Neighbour Group = "neighbour" // /proc/net/stat/{arp_cache,ndisc_cache}, and entries against gc_thresh3
	Fragment  Group = "fragment"  // /proc/net/sockstat{,6}: memory of reassembly against ipfrag_high_thresh
	Interface Group = "interface" // rtnetlink IFLA_STATS64, and the states of bridge ports and bonds
	Queue     Group = "queue"     // generic netlink netdev, by queue of a device
	Driver    Group = "driver"    // ethtool statistics, rings, pause frames
	Qdisc     Group = "qdisc"     // rtnetlink TCA_STATS2
	Filter    Group = "filter"    // tc filters and actions
	NFTables  Group = "nftables"  // rules and objects that have a counter
	IPTables  Group = "iptables"  // rules and policies
	Socket    Group = "socket"    // sock_diag, /proc/net/{netlink,raw,raw6}: queues and drops of one socket
	NFQueue   Group = "nfqueue"   // /proc/net/netfilter/nfnetlink_queue
	Devlink   Group = "devlink"   // statistics of traps, of the devices of the network namespace
)

// A Key is what a counter is known by, for as long as its object lives. It is
// comparable.
type Key struct {
	Netns  event.Netns // zero for what the whole host has in common
	Group  Group       // what kind of counter it is, by where it is read
	IfName string      // interface that it belongs to; empty if none
	Object string      // which one of several: "cpu 3", "fq_codel 8001:", "INPUT rule 3"; empty if there is only one
	Name   string      // as the kernel or driver has it: "ListenOverflows" is TcpExtListenOverflows, "rx_dropped"
}

// A Counter is one number that the host keeps.
type Counter struct {
	Key
	Value uint64 // in the unit of the counter, mostly packets
	Bits  uint8  // width, at which it begins again at 0: 32 or 64

	// Gauge: the value is a present level, which falls as well, not a total since
	// the object was made.
	Gauge bool
	Limit uint64 // at which a gauge loses packets; 0 if there is none, or it is not known

	// Part: another object of the group counts the same, as a queueing discipline does
	// what those below it drop.
	Part bool

	// Sparse: it is in no snapshot while it is 0, as hosts have very many of them.
	Sparse bool

	Inode uint64 // of the socket that it is about, as in /proc/PID/fd; 0 if it is about none

	// Sharing is how many sockets have its address, with this one (SO_REUSEPORT); 0 if it
	// is about none, or about a connection.
	Sharing uint32

	// About says more of the object, as the text of a rule or the process that has
	// a socket; it does not identify it.
	About string

	// Hook is where the chain of a firewall's rule or policy is called, by the names of
	// [knowledge.Hook]: "INPUT", "bridge forward", "ingress". It is empty for a chain
	// that others jump to.
	Hook string
}

// ID is the name by which package knowledge has the counter: that of nstat for
// protocols ("TcpExtListenOverflows"), and group.name for others
// ("softnet.dropped").
func (c *Counter) ID() string {
	if c.Group == Protocol {
		return c.Name
	}
	return string(c.Group) + "." + c.Name
}
