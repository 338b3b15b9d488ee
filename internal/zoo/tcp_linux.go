package zoo

import (
	"encoding/binary"
	"errors"
	"strconv"
	"syscall"

	"dropwatch/internal/vmtest/drops"
)

// tcp are losses at the sockets of TCP.
var tcp = []Scenario{
	{"TCP, connections that end in order", inOrder, Want{Harmless: true}},
	{
		"TCP SYN to a closed port", fromSilent(segment{port: 1, flags: synFlag}.frame()),
		Want{IDs: id("NO_SOCKET"), Class: "local", Severity: "maybe", IfName: "far", Cause: "reset", Fix: "Start the service"},
	},
	{
		"TCP SYN to a service that listens on the loopback only", loopbackOnly,
		Want{
			IDs: id("NO_SOCKET"), Class: "local", Severity: "harm", IfName: "far", Cause: "listens on the loopback only",
			Says: `"local":"127.0.0.1:9","inode":`, Fix: "listen on 10.0.0.1 or on all addresses", NotFix: "Start the service",
		},
	},
	{
		"TCP reset of no connection", fromSilent(segment{port: 1, flags: rstFlag}.frame()),
		noise("far", "NO_SOCKET"),
	},
	{
		"TCP answer to a SYN that nobody sent", fromSilent(segment{port: 1, flags: synFlag | ackFlag}.frame()),
		Want{
			IDs: id("NO_SOCKET"), Class: "local", Severity: "maybe", IfName: "far", Cause: "answer to a SYN",
			Fix: "who sends SYNs with the address 10.0.0.1", NotFix: "Start the service",
		},
	},
	{
		"TCP with a wrong checksum", same("wrong TCP checksum"),
		Want{IDs: id("TCP_CSUM"), Class: "error", Severity: "harm", IfName: "far", Counter: "TcpInCsumErrors", Fix: "offload"},
	},
	{"TCP accept queue full, of the length that the program asked for", acceptQueue(1, ""), acceptFull("not the limit")},
	{"TCP accept queue full, somaxconn is smaller", acceptQueue(100, "1"), acceptFull("Raise it")},
	{
		"TCP accept queue full, a dead member of a reuseport group", deadListener,
		Want{
			IDs: id("TcpExtListenOverflows"), Class: "no_buffer", Severity: "harm", Process: self,
			Setting: "net.core.somaxconn", Advice: "not the limit: other sockets",
			Cause: "1 of 2 sockets that share the address", Fix: "close the socket", NotFix: "Raise", Point: queueOfOne,
		},
	},
	{
		"TCP accept queue full at the end of a handshake", endOfHandshake,
		Want{
			IDs: id("TCP_LISTEN_OVERFLOW", "TcpExtListenOverflows"), Class: "no_buffer", Severity: "harm", IfName: "lo", Process: self,
			Counter: "TcpExtListenOverflows", Setting: "net.core.somaxconn", Fix: "accept faster",
			Elsewhere: notAnswered,
		},
	},
	{
		"TCP accept queue full, at the end of handshakes with cookies", endWithCookies,
		Want{
			IDs: id("NO_SOCKET"), Class: "no_buffer", Severity: "harm", IfName: "lo", Counter: "TcpExtListenOverflows",
			Setting: "net.core.somaxconn", Cause: "accept queue", Fix: "accept faster", NotFix: "Start the service",
			Elsewhere: notAnswered,
		},
	},
	{
		"TCP SYN queue full, no cookies", synQueue("0"),
		Want{
			IDs: id("TcpExtTCPReqQFullDrop"), Class: "no_buffer", Severity: "harm", Setting: "net.ipv4.tcp_syncookies",
			Fix: "SYN cookies", NotFix: "somaxconn", Elsewhere: notAnswered,
		},
	},
	{
		"TCP SYN queue of the host nearly full, no cookies", synBacklog,
		Want{
			IDs: id("TcpExtListenDrops"), Class: "no_buffer", Severity: "harm", Setting: "net.ipv4.tcp_max_syn_backlog",
			Cause: "SYN queue", Fix: "SYN cookies", NotFix: "somaxconn", Elsewhere: notAnswered,
		},
	},
	{"TCP SYN queue full, cookies", synQueue("1"), Want{Elsewhere: notAnswered}},
	{
		"TCP MD5 signature missing", md5Missing,
		Want{
			IDs: id("TCP_MD5NOTFOUND"), Class: "error", Severity: "harm", IfName: "far", Counter: "TcpExtTCPMD5NotFound",
			Fix: "password",
		},
	},
	{
		"TCP MD5 signature unexpected", md5Unexpected,
		Want{
			IDs: id("TCP_MD5UNEXPECTED"), Class: "error", Severity: "harm", IfName: "far", Counter: "TcpExtTCPMD5Unexpected",
			Fix: "password",
		},
	},
	{
		"TCP zero window", zeroWindow,
		Want{
			IDs: id("TCP_INVALID_END_SEQUENCE", "TCP_ZEROWINDOW"), Class: "no_buffer", Severity: "harm", IfName: "far", Process: self,
			Cause: "window", Fix: "does not read",
		},
	},
	{
		"TCP timestamp too old (PAWS)", paws,
		Want{
			IDs: id("TCP_RFC7323_PAWS"), Class: "error", Severity: "maybe", IfName: "far", Counter: "TcpExtPAWSEstab", Fix: "NAT",
		},
	},
	{
		"TCP data after the program closed its socket", dataAfterClose,
		Want{
			IDs: id("TCP_ABORT_ON_DATA"), Class: "local", Severity: "maybe", IfName: "lo", Counter: "TcpExtTCPAbortOnData",
			Cause: "after the program had closed", Fix: "read to the end",
		},
	},
	{"TCP data that had arrived", oldData, noise("far", "TCP_OLD_DATA", "TCP_OLD_SEQUENCE")},
	{
		"TCP far out of window", outOfWindow,
		Want{
			IDs: id("TCP_INVALID_SEQUENCE"), Class: "error", Severity: "maybe", IfName: "far", Fix: "middlebox",
		},
	},
}

// notAnswered are the counters of the SYN/ACKs that are sent again, as nobody answers.
var notAnswered = id("TcpExtTCPTimeouts", "TcpExtTCPSynRetrans")

// endOfHandshake has the last segment of handshakes find no room. None is begun again, however slow the machine is. The
// kernel makes no connection of it (net/ipv4/tcp_ipv4.c tcp_v4_syn_recv_sock).
func endOfHandshake(ns *drops.Namespace, n int) func() {
	ns.Sysctl("ipv4/tcp_synack_retries", "0")
	return same("end of a handshake with a full accept queue")(ns, n)
}

// endWithCookies has the handshakes of more connections than may wait end at the same time.
func endWithCookies(ns *drops.Namespace, n int) func() {
	ns.Sysctl("ipv4/tcp_syncookies", "2") // also while the SYN queue has room
	ns.Listen(syscall.SOCK_STREAM)
	if !ns.Has("tc qdisc add dev lo root netem delay 200ms") {
		return nil
	}
	return func() {
		for range n + 1 {
			ns.Dial()
		}
		ns.Await("handshakes end", func() bool { return ns.Counter("netstat", "TcpExt", "ListenOverflows") >= n })
	}
}

// inOrder has connections that are opened, used and closed.
func inOrder(ns *drops.Namespace, n int) func() { return drops.FreeScenarios[0].PrepareIn(ns, n) }

// acceptFull is what is wanted of a full accept queue, of which counters alone tell.
func acceptFull(advice string) Want {
	return Want{
		IDs: id("TcpExtListenOverflows"), Class: "no_buffer", Severity: "harm", Process: self,
		Setting: "net.core.somaxconn", Advice: advice, Fix: "accept faster", Point: queueOfOne,
	}
}

// queueOfOne is what a point says of SYNs that were refused because an accept queue of one was full, with one more.
const queueOfOne = `"args":{"limit":1,"port":9,"qlen":2},"local":"127.0.0.1:9","owner":{"pid":`

// acceptQueue has a socket that accepts no connection, and whose queue of one is full: it takes one more. somaxconn is
// empty for what it is. SYNs are refused by tcp_conn_request (net/ipv4/tcp_input.c).
func acceptQueue(backlog int, somaxconn string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		if somaxconn != "" {
			ns.Sysctl("core/somaxconn", somaxconn)
		}
		fd := ns.Listen(syscall.SOCK_STREAM)
		ns.Do(func() error { return syscall.Listen(fd, backlog) })
		ns.Dial()
		ns.Dial()
		return func() {
			for range n { // closed, or they would try again
				fd := ns.Dial()
				ns.Do(func() error { return ns.Close(fd) })
			}
		}
	}
}

// deadListener has two sockets that share a port, and a program that accepts connections
// from one of them.
func deadListener(ns *drops.Namespace, n int) func() {
	dead, alive := shared(ns, syscall.SOCK_STREAM), shared(ns, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK)
	ns.Do(func() error { return errors.Join(syscall.Listen(dead, 1), syscall.Listen(alive, 100)) })
	overflow := func(n int) {
		overflows := func() int { return ns.Counter("netstat", "TcpExt", "ListenOverflows") }
		for end := overflows() + n; overflows() < end; {
			fd := ns.Dial()
			if connection, _, err := syscall.Accept(alive); err == nil {
				syscall.Close(connection)
			}
			ns.Do(func() error { return ns.Close(fd) }) // or it would try again
		}
	}
	overflow(1)
	return func() { overflow(n) }
}

// listen opens a socket at the address of the interface far.
func listen(ns *drops.Namespace, backlog int) (fd int) {
	fd = ns.Socket(syscall.SOCK_STREAM)
	ns.Do(func() error { return errors.Join(syscall.Bind(fd, here), syscall.Listen(fd, backlog)) })
	return fd
}

var (
	here  = &syscall.SockaddrInet4{Port: drops.Port, Addr: [4]byte{10, 0, 0, 1}}
	there = &syscall.SockaddrInet4{Port: 1, Addr: [4]byte{10, 0, 0, 9}}
)

// silent makes another host that takes nothing it gets, which loses no packet: so it resets
// no connection.
func silent(ns *drops.Namespace) (peer *drops.Namespace) {
	peer = ns.Peer()
	classify(peer, "near", stolen)
	ns.Run("ip", "neigh", "add", silentAddr, "lladdr", drops.NearMAC, "dev", "far", "nud", "permanent")
	return peer
}

// fromSilent has frames arrive from it.
func fromSilent(frame []byte) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		peer := silent(ns)
		return func() { peer.Inject("near", frame, n) }
	}
}

// loopbackOnly has SYNs arrive for the address of an interface, while a program listens on 127.0.0.1. They are dropped
// by tcp_v4_rcv (net/ipv4/tcp_ipv4.c), and a RST is sent.
func loopbackOnly(ns *drops.Namespace, n int) func() {
	ns.Listen(syscall.SOCK_STREAM)
	return fromSilent(segment{port: 1, flags: synFlag}.frame())(ns, n)
}

// synQueue has a client that does not answer the SYN/ACK, so that its requests stay in a queue for one, which takes one
// more. SYNs are refused by tcp_conn_request (net/ipv4/tcp_input.c).
func synQueue(cookies string) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		peer := silent(ns)
		ns.Sysctl("ipv4/tcp_syncookies", cookies)
		ns.Sysctl("ipv4/tcp_synack_retries", "100") // a request that is given up makes room
		listen(ns, 1)
		syns(peer, 1, 2)
		return func() { syns(peer, 3, n) }
	}
}

// syns sends so many requests for a connection, from different ports.
func syns(peer *drops.Namespace, port, n int) {
	arriveEach(peer, n, func(i int) []byte { return segment{port: uint16(port + i), flags: synFlag}.frame() })
}

// synBacklog has room for more in the queue of the socket, but not in what is left of that for clients that have not
// been seen before. It is a quarter of tcp_max_syn_backlog (net/ipv4/tcp_input.c tcp_conn_request).
func synBacklog(ns *drops.Namespace, n int) func() {
	const backlog = 8
	peer := silent(ns)
	ns.Sysctl("ipv4/tcp_syncookies", "0")
	ns.Sysctl("ipv4/tcp_synack_retries", "100") // as above
	ns.Sysctl("ipv4/tcp_max_syn_backlog", strconv.Itoa(backlog))
	listen(ns, 100)
	syns(peer, 1, backlog)
	return func() { syns(peer, 1+backlog, n) }
}

// md5Missing has a key for the other host, which does not sign. Its segments are dropped by tcp_inbound_md5_hash
// (net/ipv4/tcp.c).
func md5Missing(ns *drops.Namespace, n int) func() {
	const md5sig = 14 // TCP_MD5SIG
	lose := fromSilent(segment{port: 1, flags: synFlag}.frame())(ns, n)
	fd := listen(ns, 1)
	var key [216]byte // struct tcp_md5sig (include/uapi/linux/tcp.h)
	binary.NativeEndian.PutUint16(key[:], syscall.AF_INET)
	copy(key[4:], there.Addr[:])
	binary.NativeEndian.PutUint16(key[130:], 3) // tcpm_keylen
	copy(key[136:], "key")
	ns.Do(func() error { return syscall.SetsockoptString(fd, syscall.IPPROTO_TCP, md5sig, string(key[:])) })
	return lose
}

// md5Unexpected has another host that signs, and no key.
func md5Unexpected(ns *drops.Namespace, n int) func() {
	signature := append([]byte{1, 1, 19, 18}, make([]byte, 16)...) // NOP, NOP, TCPOPT_MD5SIG
	lose := fromSilent(segment{port: 1, flags: synFlag, options: signature}.frame())(ns, n)
	listen(ns, 1)
	return lose
}

// zeroWindow has a connection whose program does not read, and data that arrive although its buffer is full. They are
// dropped by tcp_data_queue (net/ipv4/tcp_input.c).
func zeroWindow(ns *drops.Namespace, n int) func() {
	const window = 1000
	peer := silent(ns)
	fd := connected(ns, window)
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) })
	data := func(seq uint32, size int) []byte {
		return segment{port: 1, seq: seq, ack: sent, flags: ackFlag, data: make([]byte, size)}.frame()
	}
	peer.Inject("near", data(received, window), 1)
	return func() { peer.Inject("near", data(received+window, 1), n) }
}

// dataAfterClose has connections one side of which was closed, and the other sends. They are dropped by
// tcp_rcv_state_process (net/ipv4/tcp_input.c), and a RST is sent.
func dataAfterClose(ns *drops.Namespace, n int) func() {
	ns.Sysctl("ipv4/tcp_fin_timeout", "120") // more than TCP_TIMEWAIT_LEN: they keep their sockets
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Do(func() error { return syscall.Listen(listener, n) })
	open := make([]int, n)
	for i := range open {
		client := ns.Dial()
		ns.Do(func() (err error) {
			open[i], _, err = syscall.Accept(listener)
			return errors.Join(err, ns.Close(client))
		})
	}
	return func() {
		for _, fd := range open {
			ns.Write(fd)
			syscall.Close(fd)
		}
	}
}

// stamped is a segment with a timestamp.
func stamped(seq, stamp uint32) []byte {
	options := append(binary.BigEndian.AppendUint32([]byte{1, 1, 8, 10}, stamp), 0, 0, 0, 0) // NOP, NOP, TCPOPT_TIMESTAMP
	return segment{port: 1, seq: seq, ack: sent, flags: ackFlag, options: options, data: []byte("x")}.frame()
}

// paws has data arrive with a timestamp that is older than the one before. They are dropped by tcp_validate_incoming
// (net/ipv4/tcp_input.c), by RFC 7323.
func paws(ns *drops.Namespace, n int) func() {
	const timestamp = 8 // TCPOPT_TIMESTAMP
	peer := silent(ns)
	connected(ns, 1000, timestamp, 0)
	peer.Inject("near", stamped(received, 1<<20), 1)
	return func() { peer.Inject("near", stamped(received+1, 1), n) }
}

// oldData has data arrive again. They are dropped by tcp_data_queue (net/ipv4/tcp_input.c), and acknowledged again.
func oldData(ns *drops.Namespace, n int) func() {
	peer := silent(ns)
	connected(ns, 1000)
	data := segment{port: 1, seq: received, ack: sent, flags: ackFlag, data: []byte("x")}.frame()
	peer.Inject("near", data, 1)
	return func() { peer.Inject("near", data, n) }
}

// outOfWindow has data arrive that belong to no byte that may come.
func outOfWindow(ns *drops.Namespace, n int) func() {
	peer := silent(ns)
	connected(ns, 1000)
	data := segment{port: 1, seq: received + 1<<20, ack: sent, flags: ackFlag, data: []byte("x")}.frame()
	return func() { peer.Inject("near", data, n) }
}
