package counters

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// Attributes of include/uapi/linux/{rtnetlink,pkt_cls,gen_stats}.h.
const (
	tcaOptions = 2
	tcaStats   = 3  // struct tc_stats, of a filter with the police of old
	tcaChain   = 11 // of filters

	tcaActKind  = 1
	tcaActStats = 4

	tcaStatsBasic = 1

	// blockIndex is the index of the interface in messages about a filter of a block,
	// which several interfaces share (TCM_IFINDEX_MAGIC_BLOCK). The number of the block
	// is where the parent would be.
	blockIndex = 0xffffffff
)

// Parents of filters (include/uapi/linux/pkt_sched.h).
const (
	parentIngress = 0xfffffff2
	parentEgress  = 0xfffffff3
)

// actionAttributes are the attributes of the options of a filter, by its kind, that
// have its actions.
var actionAttributes = map[string]uint16{
	"basic": 3, "bpf": 1, "cgroup": 1, "flow": 9, "flower": 3, "fw": 4, "matchall": 2, "route": 6, "u32": 7,
}

// ethertypes are the protocols of filters that have a name, as tc has it.
var ethertypes = map[uint16]string{0x0003: "all", 0x0800: "ip", 0x86dd: "ipv6", 0x0806: "arp", 0x8100: "802.1Q"}

// A filter is one of tc, as tc -s filter shows it.
type filter struct {
	ifindex, handle, parent uint32
	preference, protocol    uint16
	chain                   uint32 // 0: the one that packets come to first
	kind                    string // as tc has it: "u32", "flower"
	options, police         []byte // attributes of the kind, and those of an action police in it
}

// filters reads what the actions of each filter count.
func (r *reading) filters() error {
	names, err := r.linkNames()
	if err != nil {
		return err
	}
	var hosts []qdisc
	err = qdiscs(func(message []byte) error {
		q, err := parseQdisc(message)
		if q.handle != 0 { // those that nobody made have no filters
			hosts = append(hosts, q)
		}
		return err
	})
	if err != nil {
		return err
	}
	blocks := make(map[uint32]bool)
	for i := range hosts {
		for _, parent := range hosts[i].filterParents() {
			if err := r.filtersAt(&hosts[i], parent, names, blocks); err != nil {
				return err
			}
		}
	}
	return nil
}

// filterParents are the parents of the filters of a qdisc.
func (q *qdisc) filterParents() []uint32 {
	switch q.kind {
	case "clsact":
		return []uint32{parentIngress, parentEgress}
	case "ingress":
		return []uint32{parentIngress}
	}
	return []uint32{q.handle}
}

// filtersAt adds the filters at a qdisc. Those of a block come with each of its
// interfaces, and are added once.
func (r *reading) filtersAt(q *qdisc, parent uint32, names map[uint32]string, blocks map[uint32]bool) error {
	read := make(map[uint32]bool)
	err := filters(q.ifindex, parent, func(message []byte) error {
		f, err := parseFilter(message)
		if err != nil || f.ifindex == blockIndex && blocks[f.parent] {
			return err
		}
		if f.ifindex == blockIndex {
			read[f.parent] = true
		} else {
			f.parent = parent
		}
		return r.filter(&f, names[f.ifindex])
	})
	for block := range read {
		blocks[block] = true
	}
	return err
}

// filter adds the counters of the actions of one.
func (r *reading) filter(f *filter, ifname string) error {
	if len(f.police) >= 20 {
		r.add(Counter{
			Key:   Key{IfName: ifname, Object: f.String() + " police", Name: "dropped"},
			Value: uint64(binary.NativeEndian.Uint32(f.police[12:16])), Bits: 32,
		})
	}
	actions := kernel.Attribute(f.options, actionAttributes[f.kind])
	if actions == nil {
		return nil
	}
	return kernel.EachAttribute(actions, func(a *netlink.AttributeDecoder) {
		kind := nlenc.String(kernel.Attribute(a.Bytes(), tcaActKind))
		r.action(Key{IfName: ifname, Object: fmt.Sprintf("%v action %d %s", f, a.Type(), kind)}, kernel.Attribute(a.Bytes(), tcaActStats))
	})
}

// action adds the counters of one, by the names of tc -s (struct gnet_stats_basic and
// gnet_stats_queue).
func (r *reading) action(key Key, stats []byte) {
	add := func(name string, b []byte) {
		key.Name = name
		r.add(Counter{Key: key, Value: uint64(binary.NativeEndian.Uint32(b)), Bits: 32})
	}
	if b := kernel.Attribute(stats, tcaStatsBasic); len(b) >= 12 {
		add("packets", b[8:])
	}
	if q := kernel.Attribute(stats, tcaStatsQueue); len(q) >= 20 {
		add("dropped", q[8:])
		add("overlimits", q[16:])
	}
}

// String is the filter as tc names it: "ingress protocol ip pref 1 flower handle 0x1".
func (f *filter) String() string {
	where := fmt.Sprintf("parent %x:%x", f.parent>>16, f.parent&0xffff)
	switch {
	case f.ifindex == blockIndex:
		where = fmt.Sprintf("block %d", f.parent)
	case f.parent == parentIngress:
		where = "ingress"
	case f.parent == parentEgress:
		where = "egress"
	}
	protocol := ethertypes[f.protocol]
	if protocol == "" {
		protocol = fmt.Sprintf("0x%04x", f.protocol)
	}
	handle := fmt.Sprintf("handle %#x", f.handle)
	if f.kind == "u32" { // table, bucket, node
		bucket := fmt.Sprintf("%x", f.handle>>12&0xff)
		handle = fmt.Sprintf("fh %x:%s:%x", f.handle>>20, strings.TrimPrefix(bucket, "0"), f.handle&0xfff)
	}
	chain := ""
	if f.chain != 0 {
		chain = fmt.Sprintf(" chain %d", f.chain)
	}
	return fmt.Sprintf("%s protocol %s pref %d %s%s %s", where, protocol, f.preference, f.kind, chain, handle)
}

// parseFilter reads a message (net/sched/cls_api.c tcf_fill_node).
func parseFilter(data []byte) (f filter, err error) {
	if err := kernel.CheckSize(data, sizeofTcmsg, "a filter"); err != nil {
		return f, err
	}
	number := func(at int) uint32 { return binary.NativeEndian.Uint32(data[at:]) }
	f.ifindex, f.handle, f.parent = number(4), number(8), number(12)
	f.preference, f.protocol = uint16(number(16)>>16), binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, uint16(number(16))))
	return f, kernel.EachAttribute(data[sizeofTcmsg:], func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case tcaKind:
			f.kind = a.String()
		case tcaOptions:
			f.options = a.Bytes()
		case tcaStats:
			f.police = a.Bytes()
		case tcaChain:
			f.chain = a.Uint32()
		}
	})
}
