package counters

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Attributes of include/uapi/linux/{if_link,neighbour}.h.
const (
	rtmGetNeigh = 30
	afBridge    = 7

	portIsolated = 33 // in infoSlaveData, since Linux 4.18

	iflaTargetNetns = 46

	sizeofNdmsg = 12
	ndaLLAddr   = 2
)

// A Port is a port of a bridge.
type Port struct {
	IfName   string `json:"ifname"`
	State    string `json:"state,omitempty"` // of spanning tree, as bridge(8) has it; empty if it forwards
	Isolated bool   `json:"isolated,omitempty"`
}

// ReadPorts returns, in the network namespace of the calling thread, a port of a bridge by its name, and the port behind which
// the bridge has seen a MAC address: both are zero if there is no such port, the second if the address is not known.
func ReadPorts(ifname string, mac [6]byte) (in, out Port, err error) {
	all, err := readLinks()
	if err != nil {
		return in, out, err
	}
	behind := make(map[uint32]bool) // indexes
	body := make([]byte, sizeofNdmsg)
	body[0] = afBridge
	err = kernel.Dump(kernel.Route, rtmGetNeigh, body, func(message []byte) error {
		index, address, err := parseForwarding(message)
		behind[index] = behind[index] || bytes.Equal(address, mac[:])
		return err
	})
	in, out = portsOf(all, ifname, behind)
	return in, out, err
}

// portsOf returns the port of a name, and another of the same bridge, or the same one, among some.
func portsOf(all []link, ifname string, behind map[uint32]bool) (in, out Port) {
	var bridge uint32
	for i := range all {
		if l := &all[i]; l.name == ifname && l.port == "bridge" {
			in, bridge = l.asPort(), l.master
		}
	}
	for i := range all {
		if l := &all[i]; bridge != 0 && l.master == bridge && behind[l.index] {
			out = l.asPort()
		}
	}
	return in, out
}

func (l *link) asPort() Port {
	return Port{IfName: l.name, State: portStates[l.state], Isolated: l.isolated}
}

// parseForwarding reads an entry of a bridge's forwarding table (net/bridge/br_fdb.c fdb_fill_info).
func parseForwarding(data []byte) (index uint32, address []byte, err error) {
	if err := kernel.CheckSize(data, sizeofNdmsg, "a forwarding entry"); err != nil {
		return 0, nil, err
	}
	return binary.NativeEndian.Uint32(data[4:8]), kernel.Attribute(data[sizeofNdmsg:], ndaLLAddr), nil
}

// A Veth is one end of a pair of virtual Ethernet devices.
type Veth struct {
	IfName string `json:"ifname"`
	MAC    string `json:"mac"`
	MTU    uint32 `json:"mtu"` // bytes
	Up     bool   `json:"up,omitempty"`
}

// ReadPair returns a veth in the network namespace of the calling thread, and its other end, which may be in another: the zero
// Veth if there is no such veth. It fails before Linux 4.20, which does not say what is in another.
func ReadPair(ifname string) (own, peer Veth, err error) {
	all, err := readLinks()
	if err != nil {
		return own, peer, err
	}
	i := slices.IndexFunc(all, func(l link) bool { return l.name == ifname && l.kind == "veth" })
	if i < 0 {
		return own, peer, nil
	}
	l := &all[i]
	err = kernel.Get(kernel.Route, rtmGetLink, peerRequest(l), func(message []byte) error {
		other, err := parseLink(message)
		peer = other.asVeth()
		return err
	})
	return l.asVeth(), peer, err
}

// peerRequest asks for the other end of a veth.
func peerRequest(l *link) []byte {
	const size = 8 // of the attribute, with its header
	body := make([]byte, sizeofIfInfomsg)
	binary.NativeEndian.PutUint32(body[4:], l.lower)
	if l.elsewhere {
		body = binary.NativeEndian.AppendUint16(body, size)
		body = binary.NativeEndian.AppendUint16(body, iflaTargetNetns)
		body = binary.NativeEndian.AppendUint32(body, l.netnsID)
	}
	return body
}

func (l *link) asVeth() Veth { return Veth{l.name, l.mac.String(), l.mtu, l.flags&flagUp != 0} }

// parseIsolated reads whether a port of a bridge is isolated.
func (l *link) parseIsolated(a *netlink.AttributeDecoder) {
	if l.port == "bridge" && a.Type() == portIsolated && len(a.Bytes()) == 1 {
		l.isolated = a.Uint8() != 0
	}
}
