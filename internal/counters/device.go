package counters

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
	"dropwatch/internal/routing"
)

// Attributes of include/uapi/linux/{if_link,if_tunnel,ethtool_netlink}.h.
const (
	iflaMTU       = 4
	iflaLink      = 5
	iflaMaster    = 10
	iflaTxqlen    = 13
	iflaLinkNetns = 37

	infoData = 2 // in iflaLinkinfo

	ethtoolChannelsGet = 17 // since Linux 5.8

	channelsRX       = 6 // their largest numbers have the attributes less 4
	channelsCombined = 9

	flagLoopback = 8
)

// A Device is an interface with what decides whether it loses packets.
type Device struct {
	IfName, Kind string          // the kind as ip-link(8) has it, "vlan"; empty for hardware and loopback
	Loopback     bool            // it has no hardware that could lose packets
	MTU, Queue   uint32          // bytes of a packet; txqueuelen in packets
	Lower        string          // interface by which it sends: that below it, or that of the route to its remote end; empty if not known
	Master       string          // bridge, bond or other interface that it is a port of
	Inside       uint32          // what it adds before a packet that the lower interface sends, in bytes
	Rings        map[string]Size // by the names of counters, "ring_rx"
	Receive      Size            // queues that receive; zero if the driver does not say

	GRO, LRO, TxChecksum bool // features, as ethtool -k has them: that are on
}

// A Size is how many there are, and how many there may be.
type Size struct{ Now, Most uint32 }

// ReadDevices reads the interfaces of the network namespace of the calling thread, by their
// names. What a kernel or a driver does not say is zero.
func ReadDevices() ([]Device, error) {
	all, err := readLinks()
	if err != nil {
		return nil, err
	}
	devices := devicesOf(all, func(remote netip.Addr) uint32 {
		oif, _ := routing.EgressIndex(remote, netip.Addr{}, 0) // 0, which no interface has
		return oif
	})
	byName := make(map[string]*Device, len(devices))
	for i := range devices {
		byName[devices[i].IfName] = &devices[i]
	}
	rings := reading{into: new(Snapshot)}
	err = errors.Join(
		ifThere(rings.rings()), readFeatures(devices),
		ifThere(ethtoolDump(ethtoolChannelsGet, 0, func(attributes []byte) error { return setChannels(byName, attributes) })),
	)
	for _, c := range rings.into.Counters {
		if d := byName[c.IfName]; d != nil { // made meanwhile
			d.Rings[c.Name] = Size{uint32(c.Value), uint32(c.Limit)}
		}
	}
	return devices, err
}

// devicesOf joins interfaces by their indexes. Route returns the index of the interface by which
// packets to an address leave.
func devicesOf(all []link, route func(netip.Addr) uint32) []Device {
	names, devices := namesOf(all), make([]Device, len(all))
	for i := range all {
		l := &all[i]
		lower := l.lower
		if lower == 0 && l.remote.IsValid() && !l.remote.IsUnspecified() {
			lower = route(l.remote)
		}
		devices[i] = Device{
			IfName: l.name, Kind: l.kind, Loopback: l.flags&flagLoopback != 0, MTU: l.mtu, Queue: l.queue, Master: names[l.master],
			Inside: l.header(), Rings: make(map[string]Size),
		}
		if l.kind != "veth" && !l.elsewhere && lower != l.index { // of a veth it is its peer
			devices[i].Lower = names[lower]
		}
	}
	slices.SortFunc(devices, func(a, b Device) int { return cmp.Compare(a.IfName, b.IfName) })
	return devices
}

// headers are the bytes that tunnels put before a packet, with IPv4 outside and without options.
var headers = map[string]uint32{
	"vxlan": 50, "geneve": 50, "gretap": 38, "gre": 24, "ipip": 20, "sit": 20, "ip6tnl": 40, "ip6gre": 44, "ip6gretap": 58,
}

// outer6 is how much longer the outer header is with IPv6.
const outer6 = 20

// header is what the interface adds to a packet that the lower one sends, in bytes. A VLAN tag is
// not part of what the MTU limits.
func (l *link) header() uint32 {
	n := headers[l.kind]
	if n > 0 && l.remote.Is6() && !strings.HasPrefix(l.kind, "ip6") {
		n += outer6
	}
	return n
}

// remotes are the attributes of the remote end in infoData, by the kind of tunnel: of IPv4, then
// of IPv6.
var remotes = map[string][]uint16{
	"vxlan": {2, 16}, "geneve": {2, 7}, "gre": {7}, "gretap": {7}, "ip6gre": {7}, "ip6gretap": {7}, "ipip": {3}, "sit": {3}, "ip6tnl": {3},
}

// parseData reads the remote end of a tunnel, whose kind is known by then.
func (l *link) parseData(a *netlink.AttributeDecoder) error {
	for a.Next() {
		if slices.Contains(remotes[l.kind], a.Type()) {
			l.remote, _ = netip.AddrFromSlice(a.Bytes())
		}
	}
	return a.Err()
}

// setChannels sets how many queues of one interface receive.
func setChannels(devices map[string]*Device, attributes []byte) error {
	ifname, counts := "", make(map[uint16]uint32)
	err := kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch t := a.Type(); {
		case t == ethtoolHeader:
			a.Nested(headerName(&ifname))
		case t > ethtoolHeader && t <= channelsCombined:
			counts[t] = a.Uint32()
		}
	})
	if d := devices[ifname]; d != nil {
		d.Receive = Size{counts[channelsRX] + counts[channelsCombined], counts[channelsRX-4] + counts[channelsCombined-4]}
	}
	return err
}
