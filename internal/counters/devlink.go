package counters

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Command, attributes and values of include/uapi/linux/devlink.h.
const (
	devlinkFamily    = "devlink"
	devlinkHealthGet = 52
	devlinkTrapGet   = 61

	devlinkBusName    = 1
	devlinkDevName    = 2
	devlinkPortIndex  = 3
	devlinkReporter   = 114
	reporterName      = 115 // in devlinkReporter, as the next ones
	reporterState     = 116
	reporterErrors    = 117
	reporterRecovered = 118
	devlinkStats      = 129
	devlinkTrapName   = 130
	devlinkAction     = 131
	devlinkTrapType   = 132
	devlinkGroupName  = 135
)

// Names of what a trap does with a packet, why it is there, and what is counted, as devlink
// prints them.
var (
	trapActions = []string{"drop", "trap", "mirror"}
	trapTypes   = []string{"drop", "exception", "control"}
	trapStats   = []string{"rx_packets", "rx_bytes", "rx_dropped"}
)

// devlink reads what devices report of their traps and of their health.
func (r *reading) devlink() error { return errors.Join(ifThere(r.traps()), ifThere(r.health())) }

// health reads how often parts of each device failed, since Linux 5.1.
func (r *reading) health() error {
	return kernel.DumpGeneric(devlinkFamily, devlinkHealthGet, nil, r.reporter)
}

// A handle names a device, or one of its ports.
type handle struct{ bus, device, port string }

// read takes the part that an attribute has.
func (h *handle) read(a *netlink.AttributeDecoder) {
	switch a.Type() {
	case devlinkBusName:
		h.bus = a.String()
	case devlinkDevName:
		h.device = a.String()
	case devlinkPortIndex:
		h.port = fmt.Sprintf("/%d", a.Uint32())
	}
}

// String returns the handle as devlink prints it: "pci/0000:01:00.0/1".
func (h *handle) String() string { return h.bus + "/" + h.device + h.port }

// reporter adds the counters of one part of a device: "pci/0000:01:00.0",
// "fw.health_errors". That of one port has its number: "pci/0000:01:00.0/1".
func (r *reading) reporter(attributes []byte) error {
	var of handle
	var name string
	var state uint8
	var failed, recovered uint64
	var bad error
	err := kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		if of.read(a); a.Type() == devlinkReporter {
			bad = errors.Join(bad, kernel.EachAttribute(a.Bytes(), func(h *netlink.AttributeDecoder) {
				switch h.Type() {
				case reporterName:
					name = h.String()
				case reporterState:
					state = h.Uint8()
				case reporterErrors:
					failed = h.Uint64()
				case reporterRecovered:
					recovered = h.Uint64()
				}
			}))
		}
	})
	if err := errors.Join(err, bad); err != nil {
		return err
	}
	key := Key{Object: of.String(), Name: name + ".health_errors"}
	r.add(Counter{Key: key, Value: failed, About: fmt.Sprintf("%d recovered", recovered)})
	if state != 0 {
		key.Name = name + ".health_failed"
		r.add(Counter{Key: key, Value: 1, Limit: 1, Gauge: true, About: "error"})
	}
	return nil
}

// traps reads the statistics of the traps of each device. What a trap whose action is drop
// has dropped is in rx_dropped, since Linux 5.14, if the device counts it; no event tells of
// it. Rx_packets are the packets that this host got instead, and that are hardware drops.
func (r *reading) traps() error {
	return kernel.DumpGeneric(devlinkFamily, devlinkTrapGet, nil, r.trap)
}

// trap adds the counters of one trap: "pci/0000:01:00.0", "blackhole_route.rx_dropped".
func (r *reading) trap(attributes []byte) error {
	var of handle
	var name, group, action, typ string
	stats := make(map[uint16]uint64)
	var bad error
	err := kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		of.read(a)
		switch a.Type() {
		case devlinkTrapName:
			name = a.String()
		case devlinkGroupName:
			group = a.String()
		case devlinkAction:
			action = nameOf(trapActions, a.Uint8())
		case devlinkTrapType:
			typ = nameOf(trapTypes, a.Uint8())
		case devlinkStats:
			bad = errors.Join(bad, kernel.EachAttribute(a.Bytes(), func(s *netlink.AttributeDecoder) { stats[s.Type()] = s.Uint64() }))
		}
	})
	for i, stat := range trapStats {
		if value, ok := stats[uint16(i)]; ok {
			r.add(Counter{
				Key: Key{Object: of.String(), Name: name + "." + stat}, Value: value,
				About: fmt.Sprintf("type %s, action %s, group %s", typ, action, group),
			})
		}
	}
	return errors.Join(err, bad)
}

// nameOf names a value, by its number if it has no name.
func nameOf(names []string, value uint8) string {
	if int(value) < len(names) {
		return names[value]
	}
	return fmt.Sprint(value)
}
