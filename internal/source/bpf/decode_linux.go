package bpf

import (
	"encoding/binary"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/clock"
	"dropwatch/internal/detail"
	"dropwatch/internal/event"
)

// A decoder makes events of records and of counts. It allocates only for names and sockets that
// it has not met before. An event is valid until the next one is decoded.
type decoder struct {
	reasons reasons    // the names of reasons, by their numbers in this kernel
	wall    clock.Base // when records were last read

	// Memory of the last event.
	stack  []event.Frame
	socket event.Socket
	args   []event.Arg

	// What was met before, each of at most maxNames entries.
	names  map[[16]int8]string // of tasks and interfaces, by the bytes
	ports  map[port]string     // names of interfaces
	owners map[uint64]owner    // by dropsKey.Socket; nil unless Options.ByOwner

	// socketID returns the Cookie of an event's socket.
	socketID func(cookieOrAddress uint64) uint64
}

// An owner is what all packets of a socket share.
type owner struct {
	socket event.Socket
	cgroup uint64 // its ID, from when the socket was made
}

// A port is an interface of any namespace.
type port struct{ netns, index uint32 }

// maxNames is how many entries a map has before it is emptied: more than both tables of counts
// have room for by default.
const maxNames = 1 << 15

// newDecoder returns a decoder for a source with these options.
func newDecoder(opts Options, rs reasons) decoder {
	d := decoder{reasons: rs, names: make(map[[16]int8]string), ports: make(map[port]string), socketID: event.SocketID}
	if opts.RawAddresses {
		d.socketID = func(cookieOrAddress uint64) uint64 { return cookieOrAddress }
	}
	if opts.ByOwner {
		d.owners = make(map[uint64]owner)
	}
	return d
}

// keep sets m[k], and empties m first if it is full.
func keep[K comparable, V any](m map[K]V, k K, v V) {
	if _, known := m[k]; !known && len(m) >= maxNames {
		clear(m)
	}
	m[k] = v
}

// recordLen is the size of a record in bytes, before the stack trace and the packet.
const recordLen = int(unsafe.Sizeof(dropsRecord{}))

// record makes e the drop that a record describes. It returns false if the record is shorter than
// the lengths in it say, or stands for no packet.
func (d *decoder) record(raw []byte, e *event.Event) bool {
	var r dropsRecord
	if len(raw) < recordLen {
		return false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordLen), raw)
	raw = raw[recordLen:]
	if r.StackSize > maxFrames*8 || int64(r.StackLen) > int64(r.StackSize) || uint64(len(raw)) < uint64(r.StackSize)+uint64(r.DataLen) {
		return false
	}
	if r.Count == 0 {
		return false
	}
	stack, data := raw[:max(r.StackLen, 0)], raw[r.StackSize:]
	d.key(&r.Key, e)
	e.Time, e.KernelTime, e.Count, e.Individual = d.wall.Time(r.Time), true, uint64(r.Count), r.Count == 1
	e.Segments = uint64(r.Segments)
	e.Port.IfName = d.portName(&r)
	e.Task = event.Task{
		Known: true, CPU: r.Cpu, PID: uint32(r.PidTgid >> 32), TID: uint32(r.PidTgid), Comm: d.name(&r.Comm),
	}
	d.packet(&r, data[:r.DataLen], e)
	e.Args = d.arguments(&r, e.Reason)
	e.Stack = d.frames(stack, r.Key.Location)
	d.owner(&r, e)
	return true
}

// key makes e an event with what a key has. A protocol of 0 means that there is none: the packet
// did not have one yet, or is none of a network, such as a netlink message.
func (d *decoder) key(k *dropsKey, e *event.Event) {
	*e = event.Event{Reason: d.reasons.name(k.Reason)}
	e.Where.PC, e.Where.HasPC = k.Location, k.Location != 0
	p := &e.Packet
	p.Proto, p.HasProto = k.Protocol, k.Protocol != 0
	if e.Where.HasPC { // it is no frame of XDP
		p.Type, p.Traits = event.PacketType(k.Type)+event.PacketHost, traitsOf(k)
	}
	e.Fragment = k.Traits&dropsTraitTRAIT_FRAGMENT != 0 && !fromReassembly(e.Reason)
	e.Port.IfIndex, e.Netns.Inode = k.Ifindex, k.Netns
}

// traits are the traits of a key, and those of an event.
var traits = [...]struct {
	bit   dropsTrait
	trait event.Traits
}{
	{dropsTraitTRAIT_EMPTY, event.NoPayload}, {dropsTraitTRAIT_CAPTURE, event.ToCapture}, {dropsTraitTRAIT_ERROR_QUEUE, event.InErrorQueue},
	{dropsTraitTRAIT_QUEUE_MESSAGE, event.QueueMessage}, {dropsTraitTRAIT_TO_DEVICE, event.ToDevice},
}

// traitsOf returns the traits of an event with this key.
func traitsOf(k *dropsKey) (all event.Traits) {
	for i := range traits {
		if k.Traits&traits[i].bit != 0 {
			all |= traits[i].trait
		}
	}
	return all
}

// fromReassembly reports whether a reason is one with which reassembly drops the fragments in its
// queues since Linux 6.3 (net/ipv4/inet_fragment.c): those are lost packets, not further
// fragments of one that was counted.
func fromReassembly(reason string) bool {
	return reason == "FRAG_REASM_TIMEOUT" || reason == "FRAG_TOO_FAR"
}

// packet sets the packet of an event.
func (d *decoder) packet(r *dropsRecord, data []byte, e *event.Event) {
	p := &e.Packet
	p.Len, p.HasLen, p.Buffer = r.Len, e.Where.HasPC, r.Skb
	if r.Link != dropsLinkLINK_NONE {
		p.Data, p.HasData = data, true
	}
	if r.Link == dropsLinkLINK_RAW {
		p.Link = event.LinkRaw
	}
	if r.VlanProto != 0 {
		p.Tag = event.VLAN{TPID: r.VlanProto, ID: r.VlanTci & 0xfff, Priority: uint8(r.VlanTci >> 13), DEI: r.VlanTci&(1<<12) != 0}
	}
}

// Lengths of headers in bytes: ETH_HLEN (include/uapi/linux/if_ether.h) and VLAN_HLEN
// (include/linux/if_vlan.h).
const (
	ethernetHeader = 14
	vlanHeader     = 4
)

// arguments returns what may explain a drop: the MTU that the packet exceeds, as "mtu", and the
// type of a route that leads nowhere, as "route", and what detail appends.
func (d *decoder) arguments(r *dropsRecord, reason string) []event.Arg {
	d.args = d.args[:0]
	if mtu := mtuOf(r, reason); mtu > 0 && r.Segments == 1 && payloadOf(r) > mtu {
		d.args = append(d.args, event.Arg{Name: "mtu", Number: uint64(mtu)})
	}
	if kind := routes[unix.Errno(r.RouteError)]; kind != "" {
		d.args = append(d.args, event.Arg{Name: "route", Text: kind})
	}
	d.detail(r)
	return d.args
}

// detail appends what another tracepoint said of the packet.
func (d *decoder) detail(r *dropsRecord) {
	n := &r.Detail.Numbers
	switch r.Detail.Kind {
	case dropsDetailKindDETAIL_BUFFER:
		d.args = detail.Buffer(d.args, n[0], n[1])
	case dropsDetailKindDETAIL_MEMORY:
		d.args = detail.Buffer(d.args, n[0], n[1])
		d.args = detail.Memory(d.args, d.name(&r.Detail.Name), n[2], [3]uint64(n[3:6]))
	case dropsDetailKindDETAIL_QDISC:
		d.args = detail.Qdisc(d.args, d.name(&r.Detail.Name), uint32(n[0]), uint32(n[1]))
	case dropsDetailKindDETAIL_XDP:
		f := detail.Frames{Program: n[0], Action: n[1], Error: n[2], Map: n[3], CPU: n[4], Out: d.name(&r.Detail.Name)}
		d.args = f.Append(d.args)
	}
}

// mtuOf gives the MTU of the device, or a lower one of the route, for which a packet is
// fragmented unless that is the reason. 0: it is not known.
func mtuOf(r *dropsRecord, reason string) uint32 {
	switch reason {
	case "PKT_TOO_BIG", event.NotSpecified, "":
		if r.RouteMtu > 0 {
			return min(r.Mtu, r.RouteMtu)
		}
	}
	return r.Mtu
}

// payloadOf gives the bytes of a packet that an MTU limits.
func payloadOf(r *dropsRecord) uint32 {
	header := uint32(ethernetHeader)
	switch {
	case r.Link == dropsLinkLINK_RAW:
		return r.Len
	case r.Key.Protocol == unix.ETH_P_8021Q, r.Key.Protocol == unix.ETH_P_8021AD:
		header += vlanHeader
	}
	return r.Len - min(r.Len, header)
}

// routes are the kinds of routes that lead nowhere, by their errors (fib_props of
// net/ipv4/fib_semantics.c, ip6_rt_type_to_error of net/ipv6/route.c). On a host that
// does not forward, every route is unreachable.
var routes = map[unix.Errno]string{
	unix.EINVAL: "blackhole", unix.EACCES: "prohibit", unix.EHOSTUNREACH: "unreachable", unix.ENETUNREACH: "none",
}

// counted makes e the drops that were counted for a key. What the key lacks is taken from records
// with the same key: the name of the interface, and the socket.
func (d *decoder) counted(k *dropsKey, a amount, e *event.Event) {
	d.key(k, e)
	e.Time, e.Count, e.Segments, e.Aggregate = time.Now(), a.packets, a.segments, true
	e.Port.IfName = d.ports[port{k.Netns, k.Ifindex}]
	if k.Socket == 0 {
		return
	}
	o, ok := d.owners[k.Socket]
	if !ok {
		o.socket.Cookie = d.socketID(k.Socket)
	}
	d.socket = o.socket
	e.Owner.Socket, e.Owner.Cgroup.ID = &d.socket, o.cgroup
}

// portName returns the name of a record's interface, and keeps it for counts.
func (d *decoder) portName(r *dropsRecord) string {
	name, p := d.name(&r.Ifname), port{r.Key.Netns, r.Key.Ifindex}
	if name != "" && d.ports[p] != name {
		keep(d.ports, p, name)
	}
	return name
}

// name returns a C string, without its NUL.
func (d *decoder) name(c *[16]int8) string {
	name, ok := d.names[*c]
	if ok {
		return name
	}
	name = unix.ByteSliceToString(unsafe.Slice((*byte)(unsafe.Pointer(c)), len(c)))
	keep(d.names, *c, name)
	return name
}

// frames returns the stack trace from the location of the drop on, without the functions of the
// tracepoint itself. A stack trace without that location is returned whole.
func (d *decoder) frames(b []byte, pc uint64) []event.Frame {
	d.stack = d.stack[:0]
	for ; len(b) >= 8; b = b[8:] {
		if call := binary.NativeEndian.Uint64(b); call != 0 {
			d.stack = append(d.stack, event.Frame{PC: call})
		}
	}
	at := slices.IndexFunc(d.stack, func(f event.Frame) bool { return f.PC == pc })
	if at < 0 {
		return d.stack
	}
	return d.stack[at:]
}

// owner sets the socket of an event, if the kernel named one, and remembers it for counts.
func (d *decoder) owner(r *dropsRecord, e *event.Event) {
	o := (*bpfprog.Owner)(unsafe.Pointer(&r.Owner))
	if o.Cookie == 0 {
		return
	}
	d.socket = o.Socket(d.socketID)
	e.Owner.Socket, e.Owner.Cgroup.ID = &d.socket, o.Cgroup
	if r.Key.Socket != 0 {
		keep(d.owners, r.Key.Socket, owner{d.socket, o.Cgroup})
	}
}
