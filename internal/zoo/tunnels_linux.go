package zoo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"dropwatch/internal/vmtest/drops"
)

// tunnels are losses at tunnels, at what is sent, and by limits of the whole host.
var tunnels = []Scenario{
	{
		"VXLAN frame from this host's own MAC address", ownMAC,
		Want{IDs: id("LOCAL_MAC"), Class: "error", Severity: "harm", IfName: "vx", Cause: "own MAC address", Fix: "loop"},
	},
	{
		"VXLAN with a wrong outer checksum", outerChecksum,
		Want{
			IDs: id("UDP_CSUM"), Class: "error", Severity: "harm", IfName: "far", Counter: "UdpInCsumErrors",
			Says: `"dst":"10.0.0.1:4789"`, Fix: "sender",
		},
	},
	{
		"tc filter at egress", tcEgress,
		Want{IDs: id("TC_EGRESS"), Class: "policy", Severity: "maybe", IfName: "far", Process: self, Fix: "filter"},
	},
	{
		"fragment memory full", fragmentMemory,
		Want{
			IDs: id("ip_defrag"), Class: "no_buffer", Severity: "harm", IfName: "far", Counter: "IpReasmFails",
			Setting: "net.ipv4.ipfrag_high_thresh", Fix: "ipfrag_high_thresh",
		},
	},
	{
		"XFRM policy that asks for IPsec, and clear text", clearText,
		Want{
			IDs: id("XFRM_POLICY"), Class: "policy", Severity: "maybe", IfName: "far", Counter: "xfrm.XfrmInTmplMismatch",
			Cause: "clear text", Fix: "policies",
		},
	},
	{
		"neighbour table full", neighbourTableFull,
		Want{
			IDs: id("NEIGH_CREATEFAIL"), Class: "no_buffer", Severity: "harm", IfName: "far", Process: self,
			Counter: "neighbour.table_fulls", Setting: "net.ipv4.neigh.default.gc_thresh3", Fix: "gc_thresh3",
		},
	},
}

// vxlan is a datagram from the other host of a VNI, with a checksum and a frame inside.
func vxlan(vni byte, checksum uint16, inside []byte) []byte {
	payload := append(drops.UDPHeader(checksum), 8, 0, 0, 0, 0, 0, vni, 0)
	binary.BigEndian.PutUint16(payload[2:], 4789)
	payload = append(payload, inside...)
	binary.BigEndian.PutUint16(payload[4:], uint16(len(payload)))
	return datagram("10.0.0.1", payload)
}

// tunnel has a datagram of VXLAN arrive for an interface of VNI 5 with the address drops.FarMAC.
func tunnel(ns *drops.Namespace, n int, frame []byte) func() {
	lose := arrive(frame)(ns, n)
	ns.Run("ip", "link", "add", "vx", "address", drops.FarMAC, "type", "vxlan", "id", "5", "dstport", "4789",
		"local", "10.0.0.1", "dev", "far")
	ns.Run("ip", "link", "set", "vx", "up")
	return lose
}

// outerChecksum sends VXLAN datagrams whose UDP checksum is wrong.
func outerChecksum(ns *drops.Namespace, n int) func() {
	return tunnel(ns, n, vxlan(5, 0xbaad, make([]byte, 60)))
}

// ownMAC has a frame come back to the interface that sent it.
func ownMAC(ns *drops.Namespace, n int) func() {
	frame := datagram("10.0.0.1", drops.UDPHeader(0))
	copy(frame[6:12], frame[:6])
	return tunnel(ns, n, vxlan(5, 0, frame))
}

// tcEgress has a filter that returns TC_ACT_SHOT for what is sent. It is dropped by sch_handle_egress (net/core/dev.c).
func tcEgress(ns *drops.Namespace, n int) func() {
	knownPeer(ns)
	ns.Run("tc", "qdisc", "add", "dev", "far", "clsact")
	ns.Run("tc", "filter", "add", "dev", "far", "egress", "bpf", "da", "bytecode", "1,6 0 0 2")
	fd := ns.Socket(syscall.SOCK_DGRAM)
	return func() {
		ns.Do(func() error {
			for range n {
				err := syscall.Sendto(fd, []byte("x"), 0, &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{10, 0, 0, 2}})
				if err != nil && !errors.Is(err, syscall.ENOBUFS) {
					return err
				}
			}
			return nil
		})
	}
}

// neighbourTableFull fills the neighbour table, which all network namespaces share, from another one and from its own,
// so that it has no room for further hosts. The kernel refuses to make neighbours (net/core/neighbour.c neigh_alloc).
func neighbourTableFull(ns *drops.Namespace, n int) func() {
	const room = 8
	peer := ns.Peer()
	ns.HostSysctl("ipv4/neigh/default/gc_thresh3", strconv.Itoa(room))
	peer.Sysctl("ipv4/neigh/near/mcast_solicit", "100") // attempts: an entry that has failed makes room
	ns.Sysctl("ipv4/neigh/far/mcast_solicit", "100")
	newHosts(peer, peer.Socket(syscall.SOCK_DGRAM), 10, room/2)
	fd := ns.Socket(syscall.SOCK_DGRAM)
	newHosts(ns, fd, 10+room/2, room/2)
	return func() { newHosts(ns, fd, 10+room, n) }
}

// newHosts sends a datagram to each of n addresses, from 10.0.0.first on, that no host has.
func newHosts(ns *drops.Namespace, fd, first, n int) {
	ns.Do(func() error {
		for i := range n {
			host := &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{10, 0, 0, byte(first + i)}}
			if err := syscall.Sendto(fd, []byte("x"), 0, host); err != nil && !tableIsFull(err) {
				return fmt.Errorf("send to a new host: %w", err)
			}
		}
		return nil
	})
}

// tableIsFull reports whether the kernel refused to send to a new host. Linux 5.10 calls a
// full table EINVAL.
func tableIsFull(err error) bool {
	return errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.EINVAL)
}

// fragmentMemory has fragments of many packets arrive, and memory for few. They are dropped by inet_frag_alloc and what
// calls it (net/ipv4/inet_fragment.c), for net.ipv4.ipfrag_high_thresh.
func fragmentMemory(ns *drops.Namespace, n int) func() {
	peer := ns.Peer()
	ns.Sysctl("ipv4/ipfrag_time", "600")
	ns.Sysctl("ipv4/ipfrag_low_thresh", "1")
	ns.Sysctl("ipv4/ipfrag_high_thresh", "1")
	p := drops.IPv4{Src: "10.0.0.2", Dst: "10.0.0.1", Flags: drops.MoreFragments, Protocol: 17, Payload: make([]byte, 64)}
	begin := func(n int) {
		arriveEach(peer, n, func(int) []byte {
			p.ID++
			return p.Frame()
		})
	}
	begin(1)
	return func() { begin(n) }
}

// clearText has datagrams arrive that had to be encrypted.
func clearText(ns *drops.Namespace, n int) func() {
	lose := arrive(datagram("10.0.0.1", drops.UDPHeader(0)))(ns, n)
	ns.Run("ip", "xfrm", "policy", "add", "dir", "in", "src", "10.0.0.2", "dst", "10.0.0.1", "tmpl", "proto", "esp", "mode", "transport")
	fd := ns.Socket(syscall.SOCK_DGRAM)
	ns.Do(func() error { return syscall.Bind(fd, here) })
	return lose
}
