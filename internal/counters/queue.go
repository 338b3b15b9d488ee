package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Command, attributes and values of include/uapi/linux/netdev.h.
const (
	netdevFamily    = "netdev"
	netdevQstatsGet = 12 // since Linux 6.9

	qstatsIfindex   = 1
	qstatsQueueType = 2
	qstatsQueueID   = 3
	qstatsScope     = 4
	qstatsFirst     = 8 // statistic

	qstatsScopeQueue = 1 // a message for each queue
	queueTypeTX      = 1
)

// queueStatNames are the statistics of a queue from the attribute qstatsFirst on, by the names
// of Documentation/netlink/specs/netdev.yaml. A kernel may have more.
var queueStatNames = []string{
	"rx-packets", "rx-bytes", "tx-packets", "tx-bytes", "rx-alloc-fail", "rx-hw-drops", "rx-hw-drop-overruns", "rx-csum-complete",
	"rx-csum-unnecessary", "rx-csum-none", "rx-csum-bad", "rx-hw-gro-packets", "rx-hw-gro-bytes", "rx-hw-gro-wire-packets",
	"rx-hw-gro-wire-bytes", "rx-hw-drop-ratelimits", "tx-hw-drops", "tx-hw-drop-errors", "tx-csum-none", "tx-needs-csum",
	"tx-hw-gso-packets", "tx-hw-gso-bytes", "tx-hw-gso-wire-packets", "tx-hw-gso-wire-bytes", "tx-hw-drop-ratelimits", "tx-stop",
	"tx-wake",
}

// queues reads the statistics of each queue of the interfaces whose drivers have them.
func (r *reading) queues() error {
	names, err := r.linkNames()
	if err != nil {
		return err
	}
	request := netlink.NewAttributeEncoder()
	request.Uint32(qstatsScope, qstatsScopeQueue)
	attributes, err := request.Encode()
	if err != nil {
		return err
	}
	use := func(queue []byte) error { return r.queue(queue, names) }
	return kernel.DumpGeneric(netdevFamily, netdevQstatsGet, attributes, use)
}

// queue adds the counters of one queue, "rx 0". Statistics that have no name yet are kept
// by their number.
func (r *reading) queue(attributes []byte, ifnames map[uint32]string) error {
	var ifindex, typ, id uint64
	var found []Counter
	var bad error
	err := kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		value, err := netlinkUint(a.Bytes())
		switch t := int(a.Type()); {
		case err != nil:
			bad = errors.Join(bad, err)
		case t == qstatsIfindex:
			ifindex = value
		case t == qstatsQueueType:
			typ = value
		case t == qstatsQueueID:
			id = value
		case t >= qstatsFirst:
			found = append(found, Counter{Key: Key{Name: queueStatName(t - qstatsFirst)}, Value: value})
		}
	})
	object := fmt.Sprintf("rx %d", id)
	if typ == queueTypeTX {
		object = fmt.Sprintf("tx %d", id)
	}
	for _, c := range found {
		c.IfName, c.Object = ifnames[uint32(ifindex)], object
		c.Part = inDrops(c.Name, found)
		r.add(c)
	}
	return errors.Join(err, bad)
}

// queueStatName names a number of struct gnet_stats_queue or of a driver's queue by its place; one that this version
// does not know, by that.
func queueStatName(i int) string {
	if i < len(queueStatNames) {
		return queueStatNames[i]
	}
	return fmt.Sprintf("qstats[%d]", i+qstatsFirst)
}

// inDrops reports whether a statistic counts some of the drops that another of the queue
// counts all of, as rx-hw-drop-overruns does of rx-hw-drops.
func inDrops(name string, all []Counter) bool {
	direction, _, special := strings.Cut(name, "-hw-drop-")
	for i := range all {
		if special && all[i].Name == direction+"-hw-drops" {
			return true
		}
	}
	return false
}

// netlinkUint reads an integer of the width that the kernel chose: a "uint" has 4 bytes
// if they suffice, otherwise 8.
func netlinkUint(b []byte) (uint64, error) {
	switch len(b) {
	case 4:
		return uint64(binary.NativeEndian.Uint32(b)), nil
	case 8:
		return binary.NativeEndian.Uint64(b), nil
	}
	return 0, fmt.Errorf("read the kernel's message: a number has %d bytes, and should have 4 or 8", len(b))
}
