package bpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
)

// A decoder makes events of records and of kinds. Only what it meets for the
// first time makes it allocate.
type decoder struct {
	reasons reasons
	room    int   // bytes of a stack, whether or not it is there
	wall    int64 // the wall clock less the monotonic clock, in nanoseconds

	stack  []event.Frame
	socket event.Socket
	names  map[[16]int8]string // of tasks and interfaces, as far as met
	ports  map[port]string     // names of interfaces
	owners map[uint64]owner    // by cookie; nil if the kinds have none
}

// An owner is the same for all drops of a socket.
type owner struct {
	socket event.Socket
	cgroup uint64
}

// A port is an interface of any namespace.
type port struct{ netns, index uint32 }

// maxNames is how many names are kept before all are forgotten, or sockets: more
// than both counts of a table have room for by default.
const maxNames = 1 << 15

func newDecoder(opts Options, rs reasons) decoder {
	d := decoder{reasons: rs, room: opts.stackSize(), names: make(map[[16]int8]string), ports: make(map[port]string)}
	if opts.ByOwner {
		d.owners = make(map[uint64]owner)
	}
	return d
}

// keep puts something into a map that forgets all before it grows too large.
func keep[K comparable, V any](m map[K]V, k K, v V) {
	if _, known := m[k]; !known && len(m) >= maxNames {
		clear(m)
	}
	m[k] = v
}

const recordLen = int(unsafe.Sizeof(dropsRecord{}))

// record makes e of a record. It is false if the record is too short for what it
// should have.
func (d *decoder) record(raw []byte, e *event.Event) bool {
	var r dropsRecord
	if len(raw) < recordLen+d.room {
		return false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordLen), raw)
	calls, data := raw[recordLen:][:d.room], raw[recordLen+d.room:]
	if uint64(r.DataLen) > uint64(len(data)) || int64(r.StackLen) > int64(len(calls)) {
		return false
	}
	d.kind(&r.Key, e)
	e.Time, e.Stamped, e.Count, e.Single = time.Unix(0, int64(r.Time)+d.wall), true, 1, true
	e.Port.IfName = d.portName(&r)
	e.Task = event.Task{
		Known: true, CPU: r.Cpu, PID: uint32(r.PidTgid >> 32), TID: uint32(r.PidTgid), Comm: d.name(&r.Comm),
	}
	e.Packet.Len, e.Packet.HasLen = r.Len, true
	if r.Link != dropsLinkLINK_NONE {
		e.Packet.Data, e.Packet.HasData = data[:r.DataLen], true
	}
	if r.Link == dropsLinkLINK_RAW {
		e.Packet.Link = event.LinkRaw
	}
	e.Stack = d.calls(calls[:max(r.StackLen, 0)], r.Key.Location)
	d.owner(&r.Owner, e)
	return true
}

// kind makes e of what its kind tells. A protocol of 0 is none: the packet had
// not got one yet, or is none.
func (d *decoder) kind(k *dropsKey, e *event.Event) {
	*e = event.Event{Reason: d.reasons.name(k.Reason)}
	e.Where.PC, e.Where.HasPC = k.Location, true
	e.Packet.Proto, e.Packet.HasProto = uint16(k.Protocol), k.Protocol != 0
	e.Port.IfIndex, e.Netns.Inode = k.Ifindex, k.Netns
}

// counted makes e of n drops of a kind.
func (d *decoder) counted(k *dropsKey, n uint64, e *event.Event) {
	d.kind(k, e)
	e.Time, e.Count = time.Now(), n
	e.Port.IfName = d.ports[port{k.Netns, k.Ifindex}]
	if k.Socket == 0 {
		return
	}
	o, ok := d.owners[k.Socket]
	if !ok {
		o.socket.Cookie = k.Socket
	}
	d.socket = o.socket
	e.Owner.Socket, e.Owner.Cgroup.ID = &d.socket, o.cgroup
}

// portName gives the name of a record's interface, and keeps it for its kind.
func (d *decoder) portName(r *dropsRecord) string {
	name, p := d.name(&r.Ifname), port{r.Key.Netns, r.Key.Ifindex}
	if name != "" && d.ports[p] != name {
		keep(d.ports, p, name)
	}
	return name
}

// name gives a string of C.
func (d *decoder) name(c *[16]int8) string {
	name, ok := d.names[*c]
	if ok {
		return name
	}
	name = unix.ByteSliceToString(unsafe.Slice((*byte)(unsafe.Pointer(c)), len(c)))
	keep(d.names, *c, name)
	return name
}

// calls reads a stack, and leaves out the tracepoint's own calls, which come
// before the place of the drop. One that does not have that is left as it is.
func (d *decoder) calls(b []byte, pc uint64) []event.Frame {
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

func (d *decoder) owner(o *dropsOwner, e *event.Event) {
	if o.Cookie == 0 {
		return
	}
	d.socket = event.Socket{
		Cookie: o.Cookie, Inode: o.Inode, Family: o.Family, Protocol: o.Protocol,
		State: event.SocketState(o.State), Receiver: o.Received != 0, Confidence: event.Certain,
	}
	switch o.Family {
	case unix.AF_INET:
		d.socket.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(o.Local[:])), o.LocalPort)
		d.socket.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(o.Remote[:])), o.RemotePort)
	case unix.AF_INET6:
		d.socket.Local = netip.AddrPortFrom(netip.AddrFrom16(o.Local), o.LocalPort)
		d.socket.Remote = netip.AddrPortFrom(netip.AddrFrom16(o.Remote), o.RemotePort)
	}
	e.Owner.Socket, e.Owner.Cgroup.ID = &d.socket, o.Cgroup
	if d.owners != nil {
		keep(d.owners, o.Cookie, owner{d.socket, o.Cgroup})
	}
}
