package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"dropwatch/internal/kernel"
)

// Sizes and values of include/uapi/linux/{inet_diag,sock_diag}.h.
const (
	sizeofInetDiagReq = 56
	sizeofInetDiagMsg = 72

	inetDiagSkMemInfo = 7
	skMemRmemAlloc    = 0
	skMemRcvbuf       = 1
	skMemBacklog      = 7
	skMemDrops        = 8
	stateListen       = 10
)

// Of TCP, those that wait for the end of a handshake (SYN-RECV) or for late segments (TIME-WAIT)
// have no queue and no drops, and may be very many (include/net/tcp_states.h).
const (
	allStates = 0xffffffff
	tcpStates = allStates &^ (1<<3 | 1<<6 | 1<<12)
)

// socketTables are the protocols whose sockets are read, by the names of ss, and of
// /proc/net/sockstat.
var socketTables = []struct {
	name             string
	family, protocol uint8
	states           uint32
	sockstat         string
}{
	{"tcp", kernel.AFInet, 6, tcpStates, "TCP"}, {"tcp", kernel.AFInet6, 6, tcpStates, "TCP6"},
	{"udp", kernel.AFInet, 17, allStates, "UDP"}, {"udp", kernel.AFInet6, 17, allStates, "UDP6"},
	{"raw", kernel.AFInet, 255, allStates, "RAW"}, {"raw", kernel.AFInet6, 255, allStates, "RAW6"},
}

// sockets reads the drops and the receive queue of each TCP, UDP, raw, packet and
// netlink socket, and the accept queue of those that listen. A kernel may lack some.
func (r *reading) sockets() error {
	all := []error{ifThere(r.packetSockets()), ifThere(r.netlinkSockets()), r.localPorts()}
	used := r.usedProtocols()
	for _, t := range socketTables {
		if !used(t.sockstat) {
			continue
		}
		err := r.inetSockets(t.name, inetDiagRequest(t.family, t.protocol, t.states))
		if t.name == "raw" && errors.Is(err, fs.ErrNotExist) { // a kernel without CONFIG_INET_RAW_DIAG
			err = r.rawSockets(strings.ToLower(t.sockstat))
		}
		all = append(all, ifThere(err))
	}
	return errors.Join(all...)
}

// usedProtocols reports whether a protocol has sockets in the namespace, as far as that is
// known (net/ipv4/proc.c sockstat_seq_show, net/ipv6/proc.c). To look for them takes long: the
// kernel keeps those of all namespaces together.
func (r *reading) usedProtocols() func(name string) bool {
	unused := make(map[string]bool)
	for _, file := range []string{"sockstat", "sockstat6"} {
		text, _ := r.host.ReadFile(netFile(file))
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 2 && f[1] == "inuse" && f[2] == "0" { // TCP: inuse 0 orphan 0 tw 0
				unused[strings.TrimSuffix(f[0], ":")] = true
			}
		}
	}
	return func(name string) bool { return !unused[name] }
}

// inetSockets reads those of a protocol. How many share an address is known when all are
// read.
func (r *reading) inetSockets(protocol string, request []byte) error {
	begin := len(r.into.Counters)
	var all, counted []netip.AddrPort // local addresses: of all that no connection has, of the counters since begin
	err := sockets(request, func(message []byte) error {
		s, err := parseInetDiag(message)
		if err != nil {
			return err
		}
		local := s.local
		if s.remote.Port() != 0 { // a connection has its address alone
			local = netip.AddrPort{}
		} else {
			all = append(all, local)
		}
		r.socket(protocol, &s)
		for len(counted) < len(r.into.Counters)-begin {
			counted = append(counted, local)
		}
		return nil
	})
	sharing := make(map[netip.AddrPort]uint32, len(counted))
	for _, local := range counted {
		sharing[local] = 0
	}
	for _, local := range all {
		if n, ok := sharing[local]; ok {
			sharing[local] = n + 1
		}
	}
	for i, local := range counted {
		r.into.Counters[begin+i].Sharing = sharing[local]
	}
	return err
}

// inetDiagRequest asks for the sockets of a protocol in some states, with their memory (struct
// inet_diag_req_v2).
func inetDiagRequest(family, protocol uint8, states uint32) []byte {
	request := make([]byte, sizeofInetDiagReq)
	request[0], request[1], request[2] = family, protocol, 1<<(inetDiagSkMemInfo-1)
	binary.NativeEndian.PutUint32(request[4:], states)
	return request
}

// An inetSocket is a socket as sock_diag has it.
type inetSocket struct {
	local, remote netip.AddrPort
	state         uint8  // TCP_*, of UDP likewise
	ifindex       uint32 // of the only interface that it is bound to; 0 if none
	inode         uint32 // 0: no process has it open
	rqueue        uint32 // of one that listens: connections that wait for accept
	wqueue        uint32 // of one that listens: its backlog
	memory        []byte // array of uint32, SK_MEMINFO_*
}

// parseInetDiag reads a struct inet_diag_msg.
func parseInetDiag(data []byte) (s inetSocket, err error) {
	if err := kernel.CheckSize(data, sizeofInetDiagMsg, "a socket"); err != nil {
		return s, err
	}
	family := data[0]
	s.state = data[1]
	s.local = netip.AddrPortFrom(diagAddr(family, data[8:24]), binary.BigEndian.Uint16(data[4:6]))
	s.remote = netip.AddrPortFrom(diagAddr(family, data[24:40]), binary.BigEndian.Uint16(data[6:8]))
	u32 := binary.NativeEndian.Uint32
	s.ifindex = u32(data[40:44])
	s.rqueue, s.wqueue, s.inode = u32(data[56:60]), u32(data[60:64]), u32(data[68:72])
	s.memory = kernel.Attribute(data[sizeofInetDiagMsg:], inetDiagSkMemInfo)
	return s, nil
}

// diagAddr reads an address of struct inet_diag_sockid, which has room for one of IPv6.
func diagAddr(family uint8, b []byte) netip.Addr {
	if family == kernel.AFInet {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16([16]byte(b))
}

// socket adds the counters of one, unless all are 0, as they nearly always are. A socket is
// known by its inode: several may share an address. Its drops are in the counters of the
// protocol as well.
func (r *reading) socket(protocol string, s *inetSocket) {
	var waiting, unread uint32
	switch {
	case protocol != "tcp":
		unread = memoryOf(s.memory, skMemRmemAlloc)
	case s.state == stateListen:
		waiting = s.rqueue
	}
	drops := memoryOf(s.memory, skMemDrops)
	if waiting|unread|drops == 0 {
		return
	}
	c := Counter{Key: Key{Object: s.object(protocol)}, Inode: uint64(s.inode)}
	queue := c
	queue.Gauge, queue.Limit = true, uint64(s.wqueue)+1 // it takes one more (include/net/sock.h sk_acceptq_is_full)
	r.addSparse(queue, "accept_queue", waiting)
	c.Part = true
	r.socketMemory(c, "drops", s.memory, protocol != "tcp")
}

// addSparse adds a counter of 32 bits of a socket, unless it is 0.
func (r *reading) addSparse(c Counter, name string, value uint32) {
	c.Name, c.Value, c.Bits, c.Sparse = name, uint64(value), 32, true
	r.add(c)
}

// socketMemory adds the drops of a socket by a name, and the level of its receive buffer if
// packets are lost when it is full.
func (r *reading) socketMemory(c Counter, drops string, memory []byte, buffer bool) {
	r.addSparse(c, drops, memoryOf(memory, skMemDrops))
	if buffer {
		c.Part, c.Gauge, c.Limit = false, true, uint64(memoryOf(memory, skMemRcvbuf))
		r.addSparse(c, "receive_buffer", memoryOf(memory, skMemRmemAlloc))
	}
}

// memoryOf is a value of an array of uint32, SK_MEMINFO_*, 0 if it has none: kernels before 4.6
// have no drops.
func memoryOf(memory []byte, i int) uint32 {
	if 4*i+4 > len(memory) {
		return 0
	}
	return binary.NativeEndian.Uint32(memory[4*i:])
}

// object is the socket as ss shows it, with its inode.
func (s *inetSocket) object(protocol string) string {
	peer := ""
	if s.remote.Port() != 0 {
		peer = " > " + s.remote.String()
	}
	return fmt.Sprintf("%s %v%s inode %d", protocol, s.local, peer, s.inode)
}
