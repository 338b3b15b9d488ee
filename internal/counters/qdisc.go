package counters

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Sizes and attributes of include/uapi/linux/{rtnetlink,gen_stats}.h.
const (
	sizeofTcmsg = 20

	tcaKind       = 1
	tcaStats2     = 7
	tcaStatsQueue = 3
	tcaStatsApp   = 4
)

// A qdisc is a queueing discipline, or a class's, as tc -s qdisc shows it.
type qdisc struct {
	ifindex        uint32
	handle, parent uint32
	kind           string
	queue          []byte // struct gnet_stats_queue
	options, own   []byte // as its kind has them
}

// queueStats are the fields of struct gnet_stats_queue, by the names of tc -s.
var queueStats = []string{"qlen", "backlog", "dropped", "requeues", "overlimits"}

// qdiscs reads the queue of each queueing discipline, those below others as well.
func (r *reading) qdiscs() error {
	names, err := r.linkNames()
	if err != nil {
		return err
	}
	return qdiscs(func(message []byte) error {
		q, err := parseQdisc(message)
		if err != nil {
			return err
		}
		r.queueStats(&q, names[q.ifindex])
		return nil
	})
}

// queueStats adds the counters of one. What has no statistics, as noqueue, is left out.
func (r *reading) queueStats(q *qdisc, ifname string) {
	for i, name := range queueStats {
		if 4*i+4 > len(q.queue) {
			return
		}
		c := Counter{
			Key:   Key{IfName: ifname, Object: q.String(), Name: name},
			Value: uint64(binary.NativeEndian.Uint32(q.queue[4*i : 4*i+4])), Bits: 32,
			Gauge: name == "qlen" || name == "backlog", Part: q.below(),
		}
		if name == "dropped" && c.Value > 0 {
			c.About = q.limits()
		}
		r.add(c)
	}
	r.ownStats(q, ifname)
}

// ownStats adds why fq or netem dropped packets, which they count in dropped as well: those of
// fq beyond the limit of their flow (struct tc_fq_qd_stats), and those that netem dropped
// to emulate loss, which are all if its queue has room (struct tc_netem_qopt).
func (r *reading) ownStats(q *qdisc, ifname string) {
	add := func(name string, value uint64, bits uint8) {
		r.add(Counter{Key: Key{IfName: ifname, Object: q.String(), Name: name}, Value: value, Bits: bits})
	}
	const flowsPlimit, limit = 4 * 8, 1 * 4
	number := binary.NativeEndian.Uint32
	switch {
	case q.kind == "fq" && len(q.own) >= flowsPlimit+8:
		add("flows_plimit", binary.NativeEndian.Uint64(q.own[flowsPlimit:]), 64)
	case q.kind == "netem" && len(q.options) >= limit+4 && len(q.queue) >= 12 && number(q.queue) < number(q.options[limit:]):
		add("emulated_loss", uint64(number(q.queue[8:])), 32)
	}
}

// String is the discipline as tc names it: "fq_codel 8001: parent 1:2".
func (q *qdisc) String() string {
	name := fmt.Sprintf("%s %x:", q.kind, q.handle>>16)
	if q.below() {
		name += fmt.Sprintf(" parent %x:%x", q.parent>>16, q.parent&0xffff)
	}
	return name
}

// below reports whether it is part of another (include/uapi/linux/pkt_sched.h).
func (q *qdisc) below() bool {
	const root, ingress = 0xffffffff, 0xfffffff1
	return q.parent != root && q.parent != ingress
}

// parseQdisc reads a message (net/sched/sch_api.c tc_fill_qdisc).
func parseQdisc(data []byte) (q qdisc, err error) {
	if err := kernel.CheckSize(data, sizeofTcmsg, "a qdisc"); err != nil {
		return q, err
	}
	u32 := binary.NativeEndian.Uint32
	q.ifindex, q.handle, q.parent = u32(data[4:8]), u32(data[8:12]), u32(data[12:16])
	return q, kernel.EachAttribute(data[sizeofTcmsg:], func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case tcaKind:
			q.kind = a.String()
		case tcaOptions:
			q.options = a.Bytes()
		case tcaStats2:
			a.Nested(func(stats *netlink.AttributeDecoder) error {
				for stats.Next() {
					switch stats.Type() {
					case tcaStatsQueue:
						q.queue = stats.Bytes()
					case tcaStatsApp:
						q.own = stats.Bytes()
					}
				}
				return stats.Err()
			})
		}
	})
}
