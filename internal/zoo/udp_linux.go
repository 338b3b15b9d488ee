package zoo

import (
	"errors"
	"syscall"
	"unsafe"

	"dropwatch/internal/vmtest/drops"
)

// closedBefore rise if the sender has closed its socket before the ICMP error comes.
var closedBefore = id("IcmpInErrors", "Icmp6InErrors")

// udp are losses at the sockets of UDP and ICMP.
var udp = []Scenario{
	{
		"UDP to a closed port", same("UDP to a closed port"),
		Want{
			IDs: id("NO_SOCKET"), Class: "local", Severity: "maybe", IfName: "lo", Counter: "UdpNoPorts",
			Cause: "nothing listens", Fix: "Start the service", Elsewhere: closedBefore,
		},
	},
	{
		"UDP to a closed port, IPv6", closedPort6,
		Want{
			IDs: id("NO_SOCKET"), Class: "local", Severity: "maybe", IfName: "lo", Counter: "Udp6NoPorts",
			Cause: "nothing listens", Fix: "Start the service", Elsewhere: closedBefore,
		},
	},
	{
		"UDP to a socket that is connected to another peer", connectedSocket,
		Want{
			IDs: id("NO_SOCKET"), Class: "local", Severity: "maybe", IfName: "lo", Counter: "UdpNoPorts", Apart: "connected",
			Cause: "connected to another peer", Says: `"remote":"127.0.0.1:7"`, Fix: "must not connect", Elsewhere: closedBefore,
		},
	},
	{
		"filter of a UDP socket", socketFilter,
		Want{
			IDs: id("SOCKET_FILTER"), Class: "policy", Severity: "maybe", IfName: "lo", Process: self,
			Cause: "set at its own socket", Fix: "correct its filter",
		},
	},
	{
		"capture that does not read", capture,
		Want{
			IDs: id("PACKET_SOCK_ERROR", "packet_rcv"), Class: "no_buffer", Severity: "noise", IfName: "lo",
			Counter: "socket.capture_drops", Cause: "unharmed", Fix: "No action needed",
		},
	},
	{"UDP broadcast to a closed port", broadcastToClosedPort, noise("far", "udp_rcv", "__udp4_lib_rcv", "__udp4_lib_mcast_deliver")},
	{"capture whose ring is full, which only the capture is told", captureRing, Want{}},
	{
		"UDP receive buffer full, its reader is asleep", same("full receive buffer"),
		Want{
			IDs: id("SOCKET_RCVBUFF"), Class: "no_buffer", Severity: "harm", IfName: "lo", Process: self,
			Counter: "UdpRcvbufErrors", Setting: "net.core.rmem_max", Fix: "read",
		},
	},
	{
		"UDP receive buffer full, a dead member of a reuseport group", deadMember,
		Want{
			IDs: id("SOCKET_RCVBUFF"), Class: "no_buffer", Severity: "harm", IfName: "lo", Process: "sleep",
			Counter: "UdpRcvbufErrors", Setting: "net.core.rmem_max", Advice: "not the limit",
			Cause: "1 of 2 sockets that share the address", Fix: "close the socket", NotFix: "rmem_max",
		},
	},
	{
		"UDP with a wrong checksum", arrive(datagram("10.0.0.1", drops.UDPHeader(0xbaad))),
		Want{
			IDs: id("UDP_CSUM"), Class: "error", Severity: "harm", IfName: "far", Counter: "UdpInCsumErrors",
			Fix: "offload", NotFix: "rmem",
		},
	},
	{
		"ICMP with a wrong checksum", arrive(packet(syscall.IPPROTO_ICMP, "10.0.0.1", []byte{8, 0, 0xba, 0xad, 0, 1, 0, 1})),
		Want{IDs: id("ICMP_CSUM"), Class: "error", Severity: "harm", IfName: "far", Counter: "IcmpInCsumErrors", Fix: "path"},
	},
	{
		"pings that the host is set not to answer", ignoredPing,
		Want{
			IDs: id("IcmpInEchos"), Class: "policy", Severity: "maybe", Counter: "IcmpInEchos", Setting: "net.ipv4.icmp_echo_ignore_all",
			Cause: "set to answer no ping", Fix: "icmp_echo_ignore_all=0",
		},
	},
}

// ignoredPing has pings arrive at a host that is set to answer none.
func ignoredPing(ns *drops.Namespace, n int) func() {
	ns.Sysctl("ipv4/icmp_echo_ignore_all", "1")
	return arrive(packet(syscall.IPPROTO_ICMP, "10.0.0.1", []byte{8, 0, 0xf7, 0xfd, 0, 1, 0, 1}))(ns, n)
}

// broadcastToClosedPort has another host send to all.
func broadcastToClosedPort(ns *drops.Namespace, n int) func() {
	frame := datagram("255.255.255.255", drops.UDPHeader(0))
	copy(frame, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	return arrive(frame)(ns, n)
}

// deadMember has two sockets that share a port, and a program that does not read the one
// to which the flow belongs.
func deadMember(ns *drops.Namespace, n int) func() {
	sockets := []int{shared(ns, syscall.SOCK_DGRAM), shared(ns, syscall.SOCK_DGRAM)}
	fd := ns.Socket(syscall.SOCK_DGRAM)
	send := func(n int) {
		ns.Do(func() (err error) {
			for range n {
				err = errors.Join(err, syscall.Sendto(fd, make([]byte, 100), 0, loopback))
			}
			return err
		})
	}
	send(100) // they fill one of the sockets
	for _, s := range sockets {
		if _, _, err := syscall.Recvfrom(s, make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT); err == nil {
			ns.Give(s, "sleep", "100")
		}
	}
	return func() { send(n) }
}

// loopback is the port of all scenarios at 127.0.0.1.
var loopback = &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{127, 0, 0, 1}}

// shared opens a socket at the port, which others share, with the least buffer there is.
func shared(ns *drops.Namespace, kind int) (fd int) {
	const reusePort = 15 // SO_REUSEPORT
	fd = ns.Socket(kind)
	ns.Do(func() error {
		return errors.Join(
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, reusePort, 1),
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0),
			syscall.Bind(fd, loopback))
	})
	return fd
}

// closedPort6 sends datagrams to the host itself by IPv6.
func closedPort6(ns *drops.Namespace, n int) func() {
	ns.EnableIPv6()
	return func() {
		ns.Do(func() error {
			fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer syscall.Close(fd)
			for range n {
				err = errors.Join(err, syscall.Sendto(fd, []byte("x"), 0, &syscall.SockaddrInet6{Port: drops.Port, Addr: [16]byte{15: 1}}))
			}
			return err
		})
	}
}

// connectedSocket has a socket at the port that is connected to another one than that of who sends to it.
func connectedSocket(ns *drops.Namespace, n int) func() {
	fd := ns.Listen(syscall.SOCK_DGRAM)
	ns.Do(func() error { return syscall.Connect(fd, &syscall.SockaddrInet4{Port: 7, Addr: loopback.Addr}) })
	return func() { ns.SendUDP(n) }
}

// socketFilter has a socket with a filter that lets nothing pass. They are dropped by udp_queue_rcv_one_skb
// (net/ipv4/udp.c), for what sk_filter says.
func socketFilter(ns *drops.Namespace, n int) func() {
	fd := ns.Listen(syscall.SOCK_DGRAM)
	filter := [1]struct { // struct sock_filter
		code   uint16
		jt, jf uint8
		k      uint32
	}{{code: 6}} // BPF_RET
	program := struct { // struct sock_fprog
		length uint16
		filter unsafe.Pointer
	}{1, unsafe.Pointer(&filter)}
	option := unsafe.String((*byte)(unsafe.Pointer(&program)), unsafe.Sizeof(program))
	ns.Do(func() error {
		return syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER, option)
	})
	return func() { ns.SendUDP(n) }
}

// capture has a packet socket that takes all that is received on lo, and is full. The datagrams themselves arrive. They
// are dropped by packet_rcv (net/packet/af_packet.c).
func capture(ns *drops.Namespace, n int) func() {
	return captureWith(ns, n, func(fd int) error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) })
}

// captureRing has one with a ring of two packets (struct tpacket_req). They are dropped by tpacket_rcv
// (net/packet/af_packet.c).
func captureRing(ns *drops.Namespace, n int) func() {
	const ring = 5 // PACKET_RX_RING
	return captureWith(ns, n, func(fd int) error {
		return syscall.SetsockoptString(fd, syscall.SOL_PACKET, ring, words([]uint32{4096, 1, 2048, 2}))
	})
}

// captureWith has a capture that does not read, with a buffer that limit makes.
func captureWith(ns *drops.Namespace, n int, limit func(fd int) error) func() {
	const all = 0x0003 // ETH_P_ALL
	ns.Listen(syscall.SOCK_DGRAM)
	ns.Do(func() error {
		fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		ns.Cleanup(func() error { return syscall.Close(fd) })
		link := &syscall.SockaddrLinklayer{Protocol: all << 8, Ifindex: 1}
		return errors.Join(limit(fd), syscall.Bind(fd, link))
	})
	ns.SendUDP(50)
	return func() { ns.SendUDP(n) }
}
