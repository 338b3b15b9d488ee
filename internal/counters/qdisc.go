package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

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

// A qdisc is a queueing discipline as tc -s qdisc shows it, or a class of one as tc -s class does.
type qdisc struct {
	ifindex        uint32 // of its interface
	class          bool   // it is a class
	handle, parent uint32
	kind           string // as tc has it: "fq_codel"
	queue          []byte // struct gnet_stats_queue
	options, own   []byte // as its kind has them
}

// queueStats are the fields of struct gnet_stats_queue, by the names of tc -s.
var queueStats = []string{"qlen", "backlog", "dropped", "requeues", "overlimits"}

// dropped is the index of the drops among them.
const dropped = 2

// qdiscs reads the queue of each queueing discipline, those below others as well, and of each
// class that is limited to a rate.
func (r *reading) qdiscs() error {
	names, err := r.linkNames()
	if err != nil {
		return err
	}
	var shaped []uint32 // interfaces
	err = qdiscs(func(message []byte) error {
		q, err := parseQdisc(message)
		if err != nil {
			return err
		}
		r.queueStats(&q, names[q.ifindex])
		if classLimits[q.kind] != nil && !slices.Contains(shaped, q.ifindex) {
			shaped = append(shaped, q.ifindex)
		}
		return nil
	})
	for _, ifindex := range shaped {
		err = errors.Join(err, r.classes(ifindex, names[ifindex]))
	}
	return err
}

// classes reads the drops of the classes of an interface. They are in those of its disciplines.
func (r *reading) classes(ifindex uint32, ifname string) error {
	return classes(ifindex, func(message []byte) error {
		q, err := parseQdisc(message)
		if err != nil || classLimits[q.kind] == nil || len(q.queue) < 4*(dropped+1) {
			return err
		}
		q.class = true
		r.add(q.counter(dropped, ifname))
		return nil
	})
}

// queueStats adds the counters of one. What has no statistics, as noqueue, is left out.
func (r *reading) queueStats(q *qdisc, ifname string) {
	for i := range queueStats {
		if 4*i+4 > len(q.queue) {
			return
		}
		r.add(q.counter(i, ifname))
	}
	r.ownStats(q, ifname)
}

// counter returns a statistic of the queue, which has it: with the limits if it dropped packets.
func (q *qdisc) counter(stat int, ifname string) Counter {
	name := queueStats[stat]
	c := Counter{
		Key:   Key{IfName: ifname, Object: q.String(), Name: name},
		Value: uint64(binary.NativeEndian.Uint32(q.queue[4*stat:])), Bits: 32,
		Gauge: name == "qlen" || name == "backlog", Part: q.class || q.below(),
	}
	if stat == dropped && c.Value > 0 {
		c.About = q.limits()
	}
	return c
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

// String is the discipline or class as tc names it: "fq_codel 8001: parent 1:2", "class htb 1:2 parent 1:1".
func (q *qdisc) String() string {
	if q.class {
		return fmt.Sprintf("class %s %s parent %s", q.kind, classID(q.handle), classID(q.classParent()))
	}
	name := fmt.Sprintf("%s %x:", q.kind, q.handle>>16)
	if q.below() {
		name += " parent " + classID(q.parent)
	}
	return name
}

// classID is a class as tc names it: "1:2".
func classID(id uint32) string { return fmt.Sprintf("%x:%x", id>>16, id&0xffff) }

// classParent is the parent of a class: of one without a class above it, the discipline, as tc class
// change takes it.
func (q *qdisc) classParent() uint32 {
	if q.below() {
		return q.parent
	}
	return q.handle &^ 0xffff
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
