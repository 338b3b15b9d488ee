package zoo

import (
	"errors"
	"fmt"
	"syscall"

	"dropwatch/internal/vmtest/drops"
)

// limits are losses by limits of what this host answers, joins and forwards, and frees that
// mean no loss.
var limits = []Scenario{
	{
		"ICMP errors beyond their rate limit", icmpLimit,
		Want{
			IDs: id("NO_SOCKET", "__udp4_lib_rcv"), Class: "local", Severity: "maybe", IfName: "far", Counter: "UdpNoPorts",
			Cause: "nothing listens", Fix: "Start the service",
		},
	},
	{
		"multicast group beyond the membership limit", membershipLimit,
		Want{
			IDs: id("ip_rcv_finish_core"), Class: "local", Severity: "maybe", IfName: "far", Cause: "joined the multicast group 224.1.2.4",
			Setting: "net.ipv4.igmp_max_memberships", Fix: "join", NotFix: "rp_filter",
		},
	},
	{
		"joined packets (GRO) that are too big to forward", joinedTooBig,
		Want{
			IDs: id("PKT_TOO_BIG"), Class: "error", Severity: "harm", IfName: "far", Counter: "IpFragFails",
			Cause: "MTU", Says: `"segments":21,`, Fix: "MSS",
		},
	},
	{
		"tunnel inside a tunnel, its MTU too large", tunnelInTunnel,
		Want{
			IDs: id("PKT_TOO_BIG", "ip_fragment"), Class: "error", Severity: "harm", IfName: "vx1", Counter: "IpFragFails", Process: self,
			Cause: "MTU", Says: `"args":{"mtu":1450}`, Fix: "MTU",
		},
	},
	{
		"IPv6 address that another host has", duplicateAddress,
		Want{
			IDs: id("IP_INADDRERRORS", "ip6_forward"), Class: "error", Severity: "harm", IfName: "far",
			Cause: "Another host has", Fix: "address",
		},
	},
	{
		"XFRM policy without a state", noState,
		Want{IDs: id("xfrm.XfrmOutNoStates"), Class: "error", Severity: "harm", Cause: "no state", Fix: "Establish the tunnel"},
	},
	{
		"ESP packet without a state", espWithoutState,
		Want{
			IDs: id("xfrm_input", "xfrm.XfrmInNoStates"), Class: "error", Severity: "harm", IfName: "far", Counter: "xfrm.XfrmInNoStates",
			Cause: "no state", Fix: "Establish the tunnel",
		},
	},
	{"Unix socket closed before it is read", unixClosed, Want{}},
	{"netlink socket that does not read", netlinkFull, Want{}},
}

// icmpLimit has datagrams arrive for a closed port, of which one is answered. The limit is that of icmp_global_allow and
// icmpv4_xrlim_allow (net/ipv4/icmp.c).
func icmpLimit(ns *drops.Namespace, n int) func() {
	peer := knownPeer(ns)
	classify(peer, "near", stolen)
	ns.Sysctl("ipv4/icmp_ratemask", "8") // 1 << ICMP_DEST_UNREACH
	ns.Sysctl("ipv4/icmp_ratelimit", "100000")
	frame := datagram("10.0.0.1", drops.UDPHeader(0))
	peer.Inject("near", frame, 10)
	return func() { peer.Inject("near", frame, n) }
}

// membershipLimit has a program join one group more than it may, to which datagrams come.
func membershipLimit(ns *drops.Namespace, n int) func() {
	frame := datagram("224.1.2.4", drops.UDPHeader(0))
	copy(frame, []byte{1, 0, 0x5e, 1, 2, 4})
	lose := arrive(frame)(ns, n)
	ns.Sysctl("ipv4/igmp_max_memberships", "1")
	fd := ns.Socket(syscall.SOCK_DGRAM)
	join := func(group byte) error {
		return syscall.SetsockoptIPMreq(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP,
			&syscall.IPMreq{Multiaddr: [4]byte{224, 1, 2, group}, Interface: [4]byte{10, 0, 0, 1}})
	}
	ns.Do(func() error {
		if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Port: drops.Port}), join(3)); err != nil {
			return err
		}
		if err := join(4); err != syscall.ENOBUFS {
			return fmt.Errorf("join a group too many: %v", err)
		}
		return nil
	})
	return lose
}

// joinedTooBig has packets arrive that are segments joined to one, for a network whose link takes only smaller ones.
// They are dropped by ip_forward, as ip_exceeds_mtu says of the segments.
func joinedTooBig(ns *drops.Namespace, n int) func() {
	const size = 1200
	peer := ns.Peer()
	ns.Run("ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.2", "mtu", "1000")
	tcp := make([]byte, 20+3*size)
	tcp[12], tcp[13] = 5<<4, ackFlag
	p := drops.IPv4{Src: "10.0.0.2", Dst: "10.0.1.1", Flags: drops.DontFragment, Protocol: syscall.IPPROTO_TCP, Payload: tcp}
	return func() { peer.InjectJoined("near", p.Frame(), size, n) }
}

// tunnelInTunnel sends by a VXLAN inside another, both of which believe that there is room.
func tunnelInTunnel(ns *drops.Namespace, n int) func() {
	knownPeer(ns)
	ns.Batch(`link add vx1 mtu 1450 type vxlan id 1 dstport 4789 local 10.0.0.1 remote 10.0.0.2 df set
addr add 10.0.1.1/24 dev vx1
link set vx1 up
neigh add 10.0.1.2 lladdr 02:00:00:00:01:02 dev vx1
link add vx2 mtu 1450 type vxlan id 2 dstport 4789 local 10.0.1.1 remote 10.0.1.2 df set
addr add 10.0.2.1/24 dev vx2
link set vx2 up
`)
	for i := range n { // of each host it is learned that less has room
		ns.Run("ip", "neigh", "add", fmt.Sprint("10.0.2.", 2+i), "lladdr", "02:00:00:00:02:02", "dev", "vx2")
	}
	fd := ns.Socket(syscall.SOCK_DGRAM)
	return func() {
		ns.Do(func() (err error) {
			for i := range n {
				host := &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{10, 0, 2, byte(2 + i)}}
				err = errors.Join(err, syscall.Sendto(fd, make([]byte, 1422), 0, host))
			}
			return err
		})
	}
}

// duplicateAddress has packets arrive for an address that another host has as well, so that
// this host does not use it.
func duplicateAddress(ns *drops.Namespace, n int) func() {
	peer := ns.Peer()
	peer.Sysctl("ipv6/conf/near/disable_ipv6", "0")
	peer.Run("ip", "addr", "add", "fd00::1/64", "dev", "near", "nodad")
	ns.Sysctl("ipv6/conf/far/disable_ipv6", "0")
	ns.Run("ip", "addr", "add", "fd00::1/64", "dev", "far")
	ns.Await("the address is found to be a duplicate", func() bool {
		return ns.Run("ip", "-6", "addr", "show", "dev", "far", "dadfailed") != ""
	})
	frame := drops.Ethernet(drops.FarMAC, 0x86dd, ipv6(syscall.IPPROTO_UDP, drops.UDPHeader(0)))
	return func() { peer.Inject("near", frame, n) }
}

// noState sends what is to be encrypted, while nobody has agreed on keys.
func noState(ns *drops.Namespace, n int) func() {
	const acquire = 1 // XFRMNLGRP_ACQUIRE
	ns.Peer()
	ns.Run("ip", "xfrm", "policy", "add", "dir", "out", "src", "10.0.0.1", "dst", "10.0.0.2", "tmpl", "proto", "esp", "mode", "transport")
	ns.Do(func() error { // a daemon that is asked for keys, and has none
		fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_XFRM)
		if err != nil {
			return err
		}
		ns.Cleanup(func() error { return syscall.Close(fd) })
		return syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: acquire})
	})
	fd := ns.Socket(syscall.SOCK_DGRAM)
	return func() {
		ns.Do(func() error {
			for range n {
				syscall.Sendto(fd, []byte("x"), 0, &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{10, 0, 0, 2}})
			}
			return nil
		})
	}
}

// espWithoutState has packets of ESP arrive with a number (SPI) that nobody knows. They are dropped by xfrm_input
// (net/xfrm/xfrm_input.c).
func espWithoutState(ns *drops.Namespace, n int) func() {
	if !ns.Has("modprobe esp4") {
		return nil
	}
	return arrive(packet(syscall.IPPROTO_ESP, "10.0.0.1", append([]byte{0, 0, 1, 1, 0, 0, 0, 1}, make([]byte, 40)...)))(ns, n)
}

// unixClosed has a Unix socket that is closed with datagrams that nobody has read. The kernel frees them with the socket
// (net/unix/af_unix.c unix_release_sock).
func unixClosed(ns *drops.Namespace, n int) func() {
	return func() {
		ns.Do(func() error {
			pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			for range n {
				err = errors.Join(err, syscall.Sendto(pair[0], []byte("x"), 0, nil))
			}
			return errors.Join(err, syscall.Close(pair[0]), syscall.Close(pair[1]))
		})
	}
}

// netlinkFull has a program that does not read what the kernel says of interfaces. They are dropped by
// netlink_broadcast_deliver, and the program gets ENOBUFS (net/netlink/af_netlink.c).
func netlinkFull(ns *drops.Namespace, n int) func() {
	ns.Do(func() error {
		fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		ns.Cleanup(func() error { return syscall.Close(fd) })
		return errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0),
			syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: 1}))
	})
	change := func(n int) {
		for i := range n {
			ns.Run("ip", "link", "set", "lo", "mtu", fmt.Sprint(60000+i))
		}
	}
	change(10)
	return func() { change(n) }
}
