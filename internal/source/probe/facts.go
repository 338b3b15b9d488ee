package probe

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
)

// A fact is a value that is read at every site whose function has a socket or a packet. What is often not there is
// left out: a pointer that cannot be followed is a fault of the processor, which costs as much as all the others.
type fact uint8

const (
	sockAddress fact = iota
	sockFamily
	sockProtocol
	sockState
	sockPort
	sockPeerPort
	sockIPv4
	sockPeerIPv4
	sockIPv6
	sockPeerIPv6
	sockNetns
	sockCookie
	sockInode

	bufferAddress
	bufferLen
	bufferProtocol
	bufferIfIndex
	bufferIfName
	bufferNetns
	bufferInIndex
	bufferDataLen
	bufferHead
	bufferData
	bufferNetwork

	hookNetns

	tableInfo // struct xt_table_info of a table of iptables
	allFacts
)

// ofSocket are the members of struct sock (include/net/sock.h), and ofBuffer those of struct sk_buff, behind a
// pointer to it; ofHeaders are those by which BPF finds the headers. Those of ofDevice are of a packet that no socket
// has yet: then its device may be gone.
var (
	ofSocket = map[fact]string{
		sockAddress: "(unsigned long)P", sockFamily: "P->sk_family", sockProtocol: "P->sk_protocol", sockState: "P->sk_state",
		sockPort: "P->sk_num", sockPeerPort: "ntohs(P->sk_dport)", sockIPv4: "P->sk_rcv_saddr", sockPeerIPv4: "P->sk_daddr",
		sockIPv6: "P->sk_v6_rcv_saddr", sockPeerIPv6: "P->sk_v6_daddr", sockNetns: "P->sk_net.net->ns.inum",
		sockCookie: "P->sk_cookie.counter", sockInode: "((struct socket_alloc *)P->sk_socket)->vfs_inode.i_ino",
	}
	ofBuffer = map[fact]string{
		bufferAddress: "(unsigned long)P", bufferLen: "P->len", bufferProtocol: "ntohs(P->protocol)", bufferInIndex: "P->skb_iif",
	}
	ofHeaders = map[fact]string{
		bufferDataLen: "P->data_len", bufferHead: "(unsigned long)P->head", bufferData: "(unsigned long)P->data",
		bufferNetwork: "P->network_header",
	}
	ofDevice = map[fact]string{
		bufferIfIndex: "P->dev->ifindex", bufferIfName: "P->dev->name", bufferNetns: "P->dev->nd_net.net->ns.inum",
	}
	ofHook        = map[fact]string{hookNetns: "P->net->ns.inum"} // struct nf_hook_state
	ofDeviceAlone = map[fact]string{                              // of a function that has a device, and neither socket nor packet
		bufferIfIndex: "P->ifindex", bufferIfName: "P->name", bufferNetns: "P->nd_net.net->ns.inum",
	}
)

// facts are those of a site, by number; what it or the kernel does not have is nil.
type facts [allFacts]*formula

// compile types those that a function has, of its first socket and its first packet.
func (x *facts) compile(s *site, f *member.Function) {
	socket, buffer := argumentOf(f, "struct sock"), reached(f, buffers)
	x.add(s, f, ofSocket, socket)
	x.add(s, f, ofBuffer, buffer)
	x.add(s, f, ofHook, reached(f, hooks))
	switch {
	case socket != "":
	case buffer != "":
		x.add(s, f, ofDevice, buffer)
	default:
		x.add(s, f, ofDeviceAlone, argumentOf(f, "struct net_device"))
	}
}

// compileHeaders types those by which the headers of the first packet are found, which only BPF can follow.
func (x *facts) compileHeaders(s *site, f *member.Function) {
	x.add(s, f, ofHeaders, reached(f, buffers))
}

// compileTable types the table of iptables that a function is called with, which only BPF looks into. Until Linux 5.15 the
// argument has its type.
func (x *facts) compileTable(s *site, f *member.Function) {
	if s.family == nil {
		return
	}
	for _, pointer := range []string{"((struct xt_table *)priv)", argumentOf(f, "struct xt_table")} {
		x.add(s, f, map[fact]string{tableInfo: "(unsigned long)P->private"}, pointer)
	}
}

// hasHeaders reports whether the headers of a packet can be found.
func (x *facts) hasHeaders() bool {
	for n := range ofHeaders {
		if x[n] == nil {
			return false
		}
	}
	return true
}

// A reach is what leads from an argument of a type to what is looked for.
type reach struct{ typ, path string }

// buffers lead to a packet, and hooks to what a netfilter hook is called with. The arguments of nf_tables have both
// (include/net/netfilter/nf_tables.h).
var (
	buffers = []reach{{"struct sk_buff", ""}, {"struct nft_pktinfo", "->skb"}, {"struct nft_traceinfo", "->pkt->skb"}}
	hooks   = []reach{{"struct nf_hook_state", ""}, {"struct nft_pktinfo", "->state"}, {"struct nft_traceinfo", "->pkt->state"}}
)

// reached returns the expression of the first of some that a function has an argument for, empty if there is none.
func reached(f *member.Function, by []reach) string {
	for _, r := range by {
		if name := argumentOf(f, r.typ); name != "" {
			return name + r.path
		}
	}
	return ""
}

// argumentOf returns the name of the first argument that points to a type, empty if there is none.
func argumentOf(f *member.Function, typ string) string {
	for _, a := range f.Args {
		if strings.TrimPrefix(a.Type, "const ") == typ+" *" && a.Name != "" {
			return a.Name
		}
	}
	return ""
}

// add types members behind a pointer. A kernel that lacks one has no such fact.
func (x *facts) add(s *site, f *member.Function, members map[fact]string, pointer string) {
	if pointer == "" {
		return
	}
	for n := range allFacts {
		text, ok := members[n]
		if !ok {
			continue
		}
		if c, err := s.compile(f, strings.Replace(text, "P", pointer, 1)); err == nil {
			x[n] = &c
		}
	}
}

// number returns the value of a fact that is an integer, 0 if it is not known.
func (x *facts) number(n fact, values []member.Value) uint64 {
	v, _ := x.value(n, values)
	return v.Number
}

// value returns a fact of a sample, of which values has the loads. False: the site has no argument that leads to it, or
// it could not be read.
func (x *facts) value(n fact, values []member.Value) (member.Value, bool) {
	if x[n] == nil {
		return member.Value{}, false
	}
	return x[n].value(values)
}

// Address families (include/linux/socket.h).
const familyIPv4, familyIPv6 = 2, 10

// States of a socket that is no whole struct sock, but has its beginning (include/net/tcp_states.h).
const timeWait, newSYNReceived event.SocketState = 6, 12

const protocolTCP = 6 // IPPROTO_TCP

// socket sets the socket of an event, and reports whether there is one.
func (x *facts) socket(values []member.Value, s *event.Socket) bool {
	*s = event.Socket{
		Family: uint16(x.number(sockFamily, values)), Protocol: uint16(x.number(sockProtocol, values)),
		State: event.SocketState(x.number(sockState, values)), Inode: x.number(sockInode, values), Confidence: event.Certain,
	}
	address, cookie := x.number(sockAddress, values), x.number(sockCookie, values)
	if address == 0 || s.Family == 0 {
		return false
	}
	if cookie == 0 {
		cookie = address
	}
	s.Cookie = event.SocketID(cookie)
	if s.State == timeWait || s.State == newSYNReceived {
		s.Protocol, s.Inode = protocolTCP, 0
	}
	s.Local = netip.AddrPortFrom(x.address(sockIPv4, sockIPv6, s.Family, values), uint16(x.number(sockPort, values)))
	s.Remote = netip.AddrPortFrom(x.address(sockPeerIPv4, sockPeerIPv6, s.Family, values), uint16(x.number(sockPeerPort, values)))
	return true
}

// address returns the address of a socket of a family; none if the family has no such addresses.
func (x *facts) address(ipv4, ipv6 fact, family uint16, values []member.Value) (a netip.Addr) {
	switch family {
	case familyIPv4:
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(x.number(ipv4, values)))
		return netip.AddrFrom4(b)
	case familyIPv6:
		v, _ := x.value(ipv6, values)
		a, _ = netip.AddrFromSlice(v.Bytes)
		return a.Unmap()
	}
	return a
}

// flow returns the headers of a packet of a connection, which came in or was sent. Ok is false if the socket is
// not connected.
func flow(s *event.Socket, incoming bool) (f event.Flow, ok bool) {
	src, dst := s.Local, s.Remote
	if incoming {
		src, dst = dst, src
	}
	if !s.Local.IsValid() || !s.Remote.IsValid() || s.Remote.Addr().IsUnspecified() || s.Remote.Port() == 0 {
		return f, false
	}
	return event.HeadersFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    src.Addr(), Dst: dst.Addr(), SrcPort: src.Port(), DstPort: dst.Port(),
	}, uint8(s.Protocol)), true
}

// Bounds of what skb->dev can point to: the kernel uses the member for something else once a packet is queued.
const (
	firstNetns = 0xeffffff0 // of the inode numbers of namespaces
	maxIfIndex = 1 << 24
)

// packet sets what is known of the packet of an event, and its interface: the one that skb->dev has or, if that is
// none, the one that it came in by, in the namespace of the hook or the socket.
func (x *facts) packet(values []member.Value, e *event.Event) {
	e.Netns.Inode = uint32(x.number(hookNetns, values))
	if x[bufferAddress] == nil {
		x.port(values, e)
		return
	}
	if x.number(bufferAddress, values) == 0 {
		return
	}
	e.Packet.Buffer = x.number(bufferAddress, values)
	e.Packet.Len, e.Packet.HasLen = uint32(x.number(bufferLen, values)), true
	e.Packet.Proto = uint16(x.number(bufferProtocol, values))
	e.Packet.HasProto = e.Packet.Proto != 0
	if !x.port(values, e) {
		e.Port.IfIndex = uint32(x.number(bufferInIndex, values))
	}
}

// port sets the interface of an event, and the network namespace of that, if its device is known.
func (x *facts) port(values []member.Value, e *event.Event) bool {
	index, netns := x.number(bufferIfIndex, values), x.number(bufferNetns, values)
	name, _ := x.value(bufferIfName, values)
	if index == 0 || index >= maxIfIndex || netns < firstNetns || !printable(name.Bytes) {
		return false
	}
	e.Port = event.Port{IfIndex: uint32(index), IfName: string(name.Bytes)}
	e.Netns.Inode = uint32(netns)
	return true
}

// headers sets the bytes of the packet of an event, from its network header on, of which some were copied: those that
// are no headers of its protocol are left out.
func (x *facts) headers(values []member.Value, copied []byte, e *event.Event) {
	if len(copied) == 0 {
		return
	}
	at := x.number(bufferNetwork, values)
	length := int64(x.number(bufferData, values)-x.number(bufferHead, values)+x.number(bufferLen, values)) - int64(at)
	here := min(length-int64(x.number(bufferDataLen, values)), int64(len(copied)))
	if at == 0 || here <= 0 || versions[e.Packet.Proto] != copied[0]>>4 {
		return
	}
	e.Packet.Data, e.Packet.HasData, e.Packet.Link = copied[:here], true, event.LinkRaw
	e.Packet.Len = uint32(length)
}

// versions are those in the first byte of IP.
var versions = map[uint16]byte{event.EtherIPv4: 4, event.EtherIPv6: 6}

// printable reports whether bytes are a name.
func printable(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(name) > 0
}
