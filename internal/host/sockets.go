package host

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"net/netip"
	"strconv"
)

// A SocketTable is a file in /proc/PID/net that lists sockets.
type SocketTable struct {
	Name string // of the file: udp6
	IPv6 bool   // its addresses are of IPv6
}

// maxSockets is how many lines of a table are read; of TCP, listening sockets come first.
// maxRoutes is how many bytes of the routes are read.
const (
	maxSockets = 1 << 16
	maxRoutes  = 4 << 20
)

// An Endpoint is one side of a socket.
type Endpoint struct {
	Addr [16]byte // of IPv4 as ::ffff:192.0.2.1
	Port uint16   // of a raw socket its IP protocol
}

// A Socket is a line of a SocketTable.
type Socket struct {
	Local, Remote Endpoint // Remote is any address and port 0 if it is not connected
	State         uint8    // as in include/net/tcp_states.h
	Inode         uint64   // 0 if no process has it open: a half-open or closing connection
}

// EachSocket calls use for each socket of a table in the network namespace of a process; for
// none if the table is not there, as of a protocol that the kernel lacks.
func (h *Host) EachSocket(pid uint32, table SocketTable, use func(Socket)) {
	f, err := h.open(proc(pid, "net/"+table.Name))
	if err != nil {
		return
	}
	defer f.Close()
	ParseSockets(f, table.IPv6, use)
}

// ParseSockets reads the lines that get_tcp4_sock (net/ipv4/tcp_ipv4.c) and similar functions
// print, at most maxSockets of them. Other lines, such as the heading, are skipped.
func ParseSockets(r io.Reader, ipv6 bool, use func(Socket)) {
	room := maxSockets
	eachLine(r, math.MaxInt64, func(line []byte) bool {
		if s, ok := parseSocket(line, ipv6); ok {
			use(s)
		}
		room--
		return room > 0
	})
}

// parseSocket reads a line: a number, the local address, the remote one, the state, and the
// inode in field 10.
func parseSocket(line []byte, ipv6 bool) (s Socket, ok bool) {
	var fields [10][]byte
	for i := range fields {
		line = bytes.TrimLeft(line, " ")
		fields[i], line, _ = bytes.Cut(line, []byte(" "))
	}
	local, ok := parseEndpoint(fields[1], ipv6)
	remote, ok2 := parseEndpoint(fields[2], ipv6)
	state, err := strconv.ParseUint(string(fields[3]), 16, 8)
	inode, err2 := strconv.ParseUint(string(fields[9]), 10, 64)
	return Socket{local, remote, uint8(state), inode}, ok && ok2 && err == nil && err2 == nil
}

// parseEndpoint reads an address, in 32-bit words of the host's byte order, and a port, both
// in hex.
func parseEndpoint(s []byte, ipv6 bool) (e Endpoint, ok bool) {
	const v4 = 4
	addr, port, _ := bytes.Cut(s, []byte(":"))
	n, err := strconv.ParseUint(string(port), 16, 16)
	size := v4
	if ipv6 {
		size = len(e.Addr)
	}
	if err != nil || len(addr) != 2*size {
		return e, false
	}
	var raw [16]byte
	if _, err := hex.Decode(raw[:], addr); err != nil {
		return e, false
	}
	for i := 0; i < size; i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	e = Endpoint{raw, uint16(n)}
	if !ipv6 {
		e.Addr = netip.AddrFrom4([v4]byte(raw[:])).As16()
	}
	return e, true
}

// eachLine calls use for each line of at most limit bytes, until it returns false.
func eachLine(r io.Reader, limit int64, use func([]byte) bool) {
	for s := bufio.NewScanner(io.LimitReader(r, limit)); s.Scan() && use(s.Bytes()); {
	}
}
