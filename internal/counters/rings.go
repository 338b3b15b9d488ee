package counters

import (
	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Commands and attributes of include/uapi/linux/ethtool_netlink.h.
const (
	ethtoolFamily   = "ethtool"
	ethtoolRingsGet = 15 // since Linux 5.8
	ethtoolPauseGet = 21

	ethtoolHeader        = 1 // nested, of every message
	ethtoolHeaderDevName = 2
	ethtoolHeaderFlags   = 3
	ethtoolFlagStats     = 4 // with statistics, since Linux 5.10

	pauseRX     = 3
	pauseTX     = 4
	pauseStats  = 5
	pauseFrames = 2 // sent; those received have the next number
)

// ringNames are the rings by the attributes of their sizes; the attributes of their
// largest sizes are those less 4.
var ringNames = map[uint16]string{6: "ring_rx", 7: "ring_rx_mini", 8: "ring_rx_jumbo", 9: "ring_tx"}

// rings reads the sizes of each interface's rings. A size is no loss, its limit is what
// the device can have.
func (r *reading) rings() error {
	return ethtoolDump(ethtoolRingsGet, 0, r.ring)
}

// ethtoolDump asks for all that a command of the family dumps, with flags of the header. Linux
// 5.10 refuses a request without one.
func ethtoolDump(command uint8, flags uint32, use func(attributes []byte) error) error {
	request := netlink.NewAttributeEncoder()
	request.Nested(ethtoolHeader, func(header *netlink.AttributeEncoder) error {
		header.Uint32(ethtoolHeaderFlags, flags)
		return nil
	})
	attributes, err := request.Encode()
	if err != nil {
		return err
	}
	return kernel.DumpGeneric(ethtoolFamily, command, attributes, use)
}

// ring adds the sizes of one interface's rings. A ring of which the device can have none
// is left out.
func (r *reading) ring(attributes []byte) error {
	ifname, sizes := "", make(map[uint16]uint32)
	err := kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch t := a.Type(); {
		case t == ethtoolHeader:
			a.Nested(headerName(&ifname))
		case t > ethtoolHeader && t <= 9:
			sizes[t] = a.Uint32()
		}
	})
	for t := uint16(6); t <= 9; t++ {
		if largest := sizes[t-4]; largest > 0 {
			r.add(Counter{
				Key: Key{IfName: ifname, Name: ringNames[t]}, Value: uint64(sizes[t]), Gauge: true, Limit: uint64(largest), Bits: 32,
			})
		}
	}
	return err
}

// headerName reads the name of the interface of a message.
func headerName(name *string) func(*netlink.AttributeDecoder) error {
	return func(a *netlink.AttributeDecoder) error {
		for a.Next() {
			if a.Type() == ethtoolHeaderDevName {
				*name = a.String()
			}
		}
		return a.Err()
	}
}

// pause reads whether each interface obeys and sends pause frames, and how many it got
// and sent.
func (r *reading) pause() error {
	return ethtoolDump(ethtoolPauseGet, ethtoolFlagStats, r.pauseOf)
}

// pauseOf adds the pause frames of one interface.
func (r *reading) pauseOf(attributes []byte) error {
	var ifname string
	var found []Counter
	err := kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case ethtoolHeader:
			a.Nested(headerName(&ifname))
		case pauseRX:
			found = append(found, Counter{Key: Key{Name: "pause_rx"}, Value: uint64(a.Uint8()), Gauge: true})
		case pauseTX:
			found = append(found, Counter{Key: Key{Name: "pause_tx"}, Value: uint64(a.Uint8()), Gauge: true})
		case pauseStats:
			a.Nested(func(stats *netlink.AttributeDecoder) error {
				found = append(found, pauseFramesOf(stats)...)
				return stats.Err()
			})
		}
	})
	for _, c := range found {
		c.IfName = ifname
		r.add(c)
	}
	return err
}

// pauseFramesOf reads the pause frames that were sent and received.
func pauseFramesOf(stats *netlink.AttributeDecoder) (found []Counter) {
	for stats.Next() {
		switch stats.Type() {
		case pauseFrames:
			found = append(found, Counter{Key: Key{Name: "pause_tx_frames"}, Value: stats.Uint64()})
		case pauseFrames + 1:
			found = append(found, Counter{Key: Key{Name: "pause_rx_frames"}, Value: stats.Uint64()})
		}
	}
	return found
}
