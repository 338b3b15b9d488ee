package counters

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Sizes and attributes of include/uapi/linux/{rtnetlink,if_link}.h, which are the same
// everywhere; the tests of messages run anywhere.
const (
	sizeofIfInfomsg = 16

	iflaAddress   = 1
	iflaIfname    = 3
	iflaOperstate = 16
	iflaLinkinfo  = 18
	iflaStats64   = 23

	iflaCarrierUpCount   = 47 // since Linux 4.16
	iflaCarrierDownCount = 48

	infoKind      = 1 // in iflaLinkinfo
	infoSlaveKind = 4 // of what the interface is a port
	infoSlaveData = 5
	portState     = 1 // in infoSlaveData, of a bridge's port and of a bond's
	bondLink      = 2 // in infoSlaveData of a bond's port, as the next ones
	bondFailures  = 3
	bondLACP      = 7 // of bonds of mode 802.3ad only

	flagUp = 1
)

// States in which packets are lost, by the names of ip and bridge.
var (
	operStates = map[uint8]string{2: "down", 3: "lowerlayerdown"}
	portStates = map[uint8]string{0: "disabled", 1: "listening", 2: "learning", 4: "blocking"}
	bondLinks  = map[uint8]string{1: "going down", 2: "down", 3: "going up"} // include/uapi/linux/if_bonding.h
)

// States of a port in LACP (include/uapi/linux/if_bonding.h).
const (
	lacpInSync      = 0x08
	lacpDistributes = 0x10 | 0x20 // and collects
	lacpDefaulted   = 0x40
	lacpExpired     = 0x80
)

// linkStats are the fields of struct rtnl_link_stats64, in order, by the names that
// /sys/class/net/*/statistics has for them. A kernel may have fewer, or more.
var linkStats = []string{
	"rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped", "multicast",
	"collisions", "rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors", "rx_fifo_errors", "rx_missed_errors",
	"tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors", "tx_heartbeat_errors", "tx_window_errors", "rx_compressed",
	"tx_compressed", "rx_nohandler", "rx_otherhost_dropped",
}

// A link is an interface as rtnetlink has it.
type link struct {
	index, flags uint32 // flags are IFF_*
	name, kind   string // kind: "bridge"; empty for hardware
	oper         uint8  // state, as in RFC 2863
	stats        []byte // struct rtnl_link_stats64
	port         string // the kind of what it is a port of: "bridge"
	state        uint8  // of the port, if hasState
	hasState     bool
	isolated     bool // port of a bridge
	bond         bondPort

	carrierUps, carrierDowns uint32 // how often it got and lost its carrier, if countsCarrier
	countsCarrier            bool

	mtu, queue    uint32 // queue: txqueuelen
	lower, master uint32 // indexes, 0 if there is none
	elsewhere     bool   // the lower interface is in another network namespace
	netnsID       uint32 // that one, by the number that this one has for it
	mac           net.HardwareAddr
	remote        netip.Addr // of a tunnel; invalid if it has none
}

// A bondPort is what a bond keeps of a member.
type bondPort struct {
	link     uint8  // of bondLinks, 0 if it is up
	failures uint32 // how often the link of the member went down
	lacp     uint8  // states of this end, if hasLACP
	hasLACP  bool
}

// interfaces reads the statistics of each interface, and its states in which it loses
// packets.
func (r *reading) interfaces() error {
	all, err := r.links()
	for i := range all {
		l := &all[i]
		r.linkStats(l.name, l.stats)
		r.linkStates(l)
		r.linkFailures(l)
	}
	return err
}

// linkStats adds the counters of one interface. Fields that have no name yet are
// kept by their number.
func (r *reading) linkStats(ifname string, stats []byte) {
	for i := 0; 8*i+8 <= len(stats); i++ {
		name := fmt.Sprintf("stats64[%d]", i)
		if i < len(linkStats) {
			name = linkStats[i]
		}
		r.add(Counter{Key: Key{IfName: ifname, Name: name}, Value: binary.NativeEndian.Uint64(stats[8*i : 8*i+8])})
	}
}

// linkStates adds a counter, 1 of 1, for each state of an interface in which it loses
// packets. A bridge without carrier is one without ports. Of hardware it matters whether
// there was a carrier before: others have none while what they belong to is not in use.
func (r *reading) linkStates(l *link) {
	add := func(name, about string) {
		r.add(Counter{Key: Key{IfName: l.name, Name: name}, Value: 1, Limit: 1, Gauge: true, About: about})
	}
	if l.flags&flagUp == 0 {
		return
	}
	switch oper := operStates[l.oper]; {
	case oper == "" || l.kind == "bridge":
	case l.kind == "" && l.carrierUps > 0:
		add("carrier_lost", oper)
	default:
		add("no_carrier", oper)
	}
	if state := portStates[l.state]; l.hasState && l.port == "bridge" && state != "" {
		add("bridge_port_blocked", state)
	}
	if l.hasState && l.port == "bond" && l.state != 0 {
		add("bond_member_inactive", "backup")
	}
	if link := bondLinks[l.bond.link]; link != "" {
		add("bond_member_down", link)
	}
	if unused := l.bond.unused(); unused != "" {
		add("bond_lacp_unused", unused)
	}
}

// linkFailures adds how often hardware that is up lost its carrier, and a bond found the link
// of its member down.
func (r *reading) linkFailures(l *link) {
	add := func(name string, value uint32) {
		r.add(Counter{Key: Key{IfName: l.name, Name: name}, Value: uint64(value), Bits: 32})
	}
	if l.countsCarrier && l.kind == "" && l.flags&flagUp != 0 {
		add("carrier_down_count", l.carrierDowns)
	}
	if l.hasState && l.port == "bond" {
		add("bond_link_failures", l.bond.failures)
	}
}

// unused says why LACP passes nothing through a member whose link is up, empty if it does
// (drivers/net/bonding/bond_3ad.c).
func (b *bondPort) unused() string {
	switch {
	case !b.hasLACP || b.link != 0 || b.lacp&lacpDistributes == lacpDistributes:
		return ""
	case b.lacp&lacpDefaulted != 0:
		return "no partner"
	case b.lacp&lacpExpired != 0:
		return "the partner fell silent"
	case b.lacp&lacpInSync == 0:
		return "not in sync"
	}
	return "the partner is not in sync, or another aggregator is active"
}

// parseLink reads a message about an interface (net/core/rtnetlink.c rtnl_fill_ifinfo).
func parseLink(data []byte) (l link, err error) {
	if err := kernel.CheckSize(data, sizeofIfInfomsg, "an interface"); err != nil {
		return l, err
	}
	l.index, l.flags = binary.NativeEndian.Uint32(data[4:8]), binary.NativeEndian.Uint32(data[8:12])
	return l, kernel.EachAttribute(data[sizeofIfInfomsg:], func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case iflaIfname:
			l.name = a.String()
		case iflaAddress:
			l.mac = a.Bytes()
		case iflaOperstate:
			l.oper = a.Uint8()
		case iflaMTU:
			l.mtu = a.Uint32()
		case iflaTxqlen:
			l.queue = a.Uint32()
		case iflaLink:
			l.lower = a.Uint32()
		case iflaMaster:
			l.master = a.Uint32()
		case iflaLinkNetns:
			l.elsewhere, l.netnsID = true, a.Uint32()
		case iflaStats64:
			l.stats = a.Bytes()
		case iflaLinkinfo:
			a.Nested(l.parseInfo)
		case iflaCarrierUpCount:
			l.carrierUps = a.Uint32()
		case iflaCarrierDownCount:
			l.carrierDowns, l.countsCarrier = a.Uint32(), true
		}
	})
}

// parseInfo reads what kind of interface it is, and of what it is a port.
func (l *link) parseInfo(a *netlink.AttributeDecoder) error {
	for a.Next() {
		switch a.Type() {
		case infoKind:
			l.kind = a.String()
		case infoData:
			a.Nested(l.parseData)
		case infoSlaveKind:
			l.port = a.String()
		case infoSlaveData:
			a.Nested(l.parsePort)
		}
	}
	return a.Err()
}

// parsePort reads the state of a port.
func (l *link) parsePort(a *netlink.AttributeDecoder) error {
	for a.Next() {
		if a.Type() == portState && len(a.Bytes()) == 1 { // other kinds of port have other attributes
			l.state, l.hasState = a.Uint8(), true
		}
		l.parseIsolated(a)
		if l.port == "bond" {
			l.bond.parse(a)
		}
	}
	return a.Err()
}

// parse reads an attribute of a bond's port (drivers/net/bonding/bond_netlink.c
// bond_fill_slave_info).
func (b *bondPort) parse(a *netlink.AttributeDecoder) {
	switch {
	case a.Type() == bondLink && len(a.Bytes()) == 1:
		b.link = a.Uint8()
	case a.Type() == bondFailures && len(a.Bytes()) == 4:
		b.failures = a.Uint32()
	case a.Type() == bondLACP && len(a.Bytes()) == 1:
		b.lacp, b.hasLACP = a.Uint8(), true
	}
}

// readLinks reads the interfaces of the namespace of the calling thread.
func readLinks() (all []link, err error) {
	err = links(func(message []byte) error {
		l, err := parseLink(message)
		all = append(all, l)
		return err
	})
	return all, err
}

// namesOf are the names of interfaces by their indexes.
func namesOf(all []link) map[uint32]string {
	names := make(map[uint32]string, len(all))
	for i := range all {
		names[all[i].index] = all[i].name
	}
	return names
}
