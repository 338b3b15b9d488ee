package zoo

import (
	"fmt"

	"dropwatch/internal/vmtest/drops"
)

// queues are losses by queueing disciplines and actions of tc that not every host has.
var queues = []Scenario{
	{"fq_codel limit below tbf", limitBelow("fq_codel limit 2 drop_batch 1"), queueFull},
	{
		"class of htb, its rate", shapedClass,
		queueFull.fixed("tc class change dev far parent 1:0 classid 1:10 htb rate 8bit ceil 8bit"),
	},
	{
		"fq, the limit of one flow", limitBelow("fq flow_limit 2"),
		Want{
			IDs:   id("QDISC_DROP", "FQ_FLOW_LIMIT", "QDISC_DROP_FLOW_LIMIT"),
			Class: "no_buffer", Severity: "maybe", IfName: "far", Process: self, Counter: "qdisc.dropped",
			Cause: "One flow", Fix: "flow_limit",
		},
	},
	{
		"netem loss", netem("loss 100%"),
		Want{
			IDs:   id("QDISC_DROP", "QDISC_DROP_GENERIC"),
			Class: "policy", Severity: "maybe", IfName: "far", Process: self, Counter: "qdisc.dropped",
			Cause: "netem", Fix: "Remove netem",
		},
	},
	{"netem limit", netem("delay 200s limit 2"), queueFull},
	{
		"tc police action", police,
		Want{
			IDs: id("TC_INGRESS"), Class: "policy", Severity: "maybe", IfName: "far", Counter: "filter.dropped", Fix: "filter",
		},
	},
	{
		"namespace destroyed with packets in its queue", destroyed,
		Want{Nowhere: id("QUEUE_PURGE", "__rtnl_unlock", "skb_queue_purge")},
	},
}

// shapedClass sends to an interface with a class that sends a byte a second. They are dropped by the queue of the class,
// in htb_enqueue (net/sched/sch_htb.c).
func shapedClass(ns *drops.Namespace, n int) func() {
	knownPeer(ns)
	if !ns.Has("tc qdisc add dev far root handle 1: htb default 10") {
		return nil
	}
	ns.Run("tc", "class", "add", "dev", "far", "parent", "1:", "classid", "1:10", "htb", "rate", "8bit", "burst", "200")
	ns.Run("tc", "qdisc", "add", "dev", "far", "parent", "1:10", "handle", "2:", "pfifo", "limit", "2")
	fd := send(ns, "10.0.0.2", 100)
	return func() { sendBy(ns, fd, "10.0.0.2", n) }
}

// netem has a qdisc that emulates a network. Its losses are in netem_enqueue (net/sched/sch_netem.c).
func netem(options string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		knownPeer(ns)
		if !ns.Has("tc qdisc add dev far root netem " + options) {
			return nil
		}
		send(ns, "10.0.0.2", 10)
		return func() { send(ns, "10.0.0.2", n) }
	}
}

// police has a filter that drops what exceeds a size, which every packet does. They are dropped where a classifier
// returns TC_ACT_SHOT, at the ingress or in the qdisc (net/sched/act_police.c).
func police(ns *drops.Namespace, n int) func() {
	lose := arrive(datagram("10.0.0.1", append(drops.UDPHeader(0), make([]byte, 1000)...)))(ns, n)
	ns.Run("tc", "qdisc", "add", "dev", "far", "clsact")
	if !ns.Has("tc filter add dev far ingress matchall action police rate 1mbit burst 10k mtu 512 conform-exceed drop") {
		return nil
	}
	return lose
}

// destroyed has a network namespace that ends while packets wait there, which it forwards: those
// of its own sockets would keep it.
func destroyed(ns *drops.Namespace, n int) func() {
	other := ns.Another()
	peer := slowPackets(other, fmt.Sprint("pfifo limit ", n))
	other.Run("ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.2")
	peer.Inject("near", datagram("10.0.1.1", append(drops.UDPHeader(0), make([]byte, 100)...)), 100)
	other.Batch("link add probe type veth peer name probed\n")
	other.MoveTo(ns, "probed")
	return func() {
		other.End()
		ns.Await("the namespace is gone", func() bool { return !ns.Has("ip link show probed") })
	}
}
