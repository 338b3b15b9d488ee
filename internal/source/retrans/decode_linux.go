package retrans

import (
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/clock"
	"dropwatch/internal/event"
)

// A decoder makes events of records. It allocates only for names that it has not met before. An
// event is valid until the next one is decoded.
type decoder struct {
	wall     clock.Base        // when records were last read
	reasons  map[uint32]string // of RSTs; empty before Linux 6.10
	socketID func(cookieOrAddress uint64) uint64

	flow    event.Flow
	segment event.Segment
	socket  event.Socket
	args    []event.Arg

	names map[[16]int8]string // of tasks and interfaces, by the bytes; at most maxNames
}

// maxNames is how many names are kept before all are forgotten.
const maxNames = 1 << 12

// newDecoder returns a decoder for a kernel with these types.
func newDecoder(opts Options, kernel *btf.Spec) (decoder, error) {
	d := decoder{socketID: event.SocketID, names: make(map[[16]int8]string)}
	if opts.RawAddresses {
		d.socketID = func(cookieOrAddress uint64) uint64 { return cookieOrAddress }
	}
	var err error
	d.reasons, err = bpfprog.EnumNames(kernel, "sk_rst_reason", "SK_RST_REASON_")
	return d, err
}

// record makes e the event that a record describes. It returns false if the record has another
// length, or is of an unknown kind.
func (d *decoder) record(raw []byte, e *event.Event) bool {
	var r retransRecord
	if len(raw) != int(unsafe.Sizeof(r)) {
		return false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), len(raw)), raw)
	if r.Kind >= retransKindKINDS {
		return false
	}
	*e = event.Event{
		Kind: event.Retransmit, Time: d.wall.Time(sentAt(&r)), KernelTime: true, Count: 1, Individual: true,
		Segments: uint64(r.Segments), Netns: event.Netns{Inode: r.Netns}, Segment: &d.segment,
		Port: event.Port{IfIndex: r.Ifindex, IfName: d.name(&r.Ifname)},
		Task: event.Task{Known: true, CPU: r.Cpu, PID: uint32(r.PidTgid >> 32), TID: uint32(r.PidTgid), Comm: d.name(&r.Comm)},
	}
	d.segment = event.Segment{
		Type: typeOf(&r), Direction: event.Outgoing, Len: r.Len, State: event.SocketState(r.Owner.State),
		CongestionState: event.CongestionState(r.CongestionState), RTT: r.Srtt, Sent: r.Sent,
		Retries: r.Retries,
	}
	if r.Kind == retransKindSEND_RESET || r.Kind == retransKindRECEIVE_RESET {
		d.reset(&r, e)
	}
	d.headers(&r, e)
	d.owner(&r, e)
	e.Args = d.arguments(&r)
	return true
}

// maxSending is how long the sending of a segment takes at most, up to the tracepoint. A stamp that is
// earlier, or in the future as that of a paced segment, does not say when it began.
const maxSending = uint64(time.Second)

// sentAt returns when the sending began, in nanoseconds of CLOCK_MONOTONIC: the segment itself may be
// dropped before the tracepoint is reached, but not before that.
func sentAt(r *retransRecord) uint64 {
	if r.SentAt <= r.Time && r.Time-r.SentAt < maxSending {
		return r.SentAt
	}
	return r.Time
}

// reset makes the event that of a RST.
func (d *decoder) reset(r *retransRecord, e *event.Event) {
	e.Kind, e.Reason = event.Reset, d.reasons[r.Reason]
	r.Flags = uint8(event.RST)
	if r.Known&retransKnownKNOWN_ACK != 0 {
		r.Flags |= uint8(event.ACK)
	}
	if r.Kind == retransKindRECEIVE_RESET {
		d.segment.Direction, e.Reason = event.Incoming, ""
	}
}

// headers sets the flow: from this host, unless the segment was received.
func (d *decoder) headers(r *retransRecord, e *event.Event) {
	local, remote := addresses(r)
	h := event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldTCPFlags,
		Src:    local, Dst: remote, SrcPort: r.Owner.LocalPort, DstPort: r.Owner.RemotePort,
		TCPFlags: event.TCPFlags(r.Flags), Seq: r.Seq, Ack: r.Ack,
	}
	if r.Kind == retransKindRECEIVE_RESET {
		h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
	}
	if r.Known&retransKnownKNOWN_SEQ != 0 {
		h.Fields |= event.FieldSeq
	}
	if r.Known&retransKnownKNOWN_ACK != 0 {
		h.Fields |= event.FieldAck
	}
	d.flow = event.TCPFlow(h)
	e.Packet.Flow, e.Packet.Proto, e.Packet.HasProto = &d.flow, d.flow.EtherType, true
}

// addresses returns those of both ends. Of IPv4 on an IPv6 socket they are IPv4, as on the wire.
func addresses(r *retransRecord) (local, remote netip.Addr) {
	if r.Owner.Family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(r.Owner.Local[:])), netip.AddrFrom4([4]byte(r.Owner.Remote[:]))
	}
	return netip.AddrFrom16(r.Owner.Local).Unmap(), netip.AddrFrom16(r.Owner.Remote).Unmap()
}

// Numbers of the kernel.
const (
	recovery     = event.CongestionRecovery
	lossProbe    = 5 // ICSK_TIME_LOSS_PROBE, include/net/inet_connection_sock.h
	connecting   = uint8(event.SYN)
	establishing = uint8(event.SYN | event.ACK)
)

// typeOf returns why a segment was sent again, as the package comment has it.
func typeOf(r *retransRecord) event.SegmentType {
	state := event.CongestionState(r.CongestionState)
	switch {
	case r.Kind == retransKindSEND_RESET, r.Kind == retransKindRECEIVE_RESET:
		return event.SegmentUnknown
	case r.Flags&establishing == establishing:
		return event.SYNACKRetransmit
	case r.Flags&connecting != 0:
		return event.SYNRetransmit
	case state == recovery:
		return event.FastRetransmit
	case state == event.CongestionLoss:
		return event.TimeoutRetrans
	case r.Pending == lossProbe:
		return event.TailLossProbe
	}
	return event.Retransmission
}

// owner sets the socket, if there is one.
func (d *decoder) owner(r *retransRecord, e *event.Event) {
	o := (*bpfprog.Owner)(unsafe.Pointer(&r.Owner))
	if o.Cookie == 0 {
		return
	}
	d.socket = o.Socket(d.socketID)
	e.Owner.Socket, e.Owner.Cgroup.ID = &d.socket, o.Cgroup
}

// arguments returns why this host could not send the segment, "error", if that is so.
func (d *decoder) arguments(r *retransRecord) []event.Arg {
	d.args = d.args[:0]
	if r.Error != 0 {
		d.args = append(d.args, event.Arg{Name: "error", Text: errorName(r.Error)})
	}
	return d.args
}

// errorName returns the name of a negative error of the kernel, or the number of another: a
// positive one is what a queueing discipline answers (NET_XMIT_DROP is 1).
func errorName(n int32) string {
	if name := unix.ErrnoName(unix.Errno(-n)); n < 0 && name != "" {
		return name
	}
	return strconv.Itoa(int(n))
}

// name returns a C string, without its NUL.
func (d *decoder) name(c *[16]int8) string {
	name, ok := d.names[*c]
	if ok {
		return name
	}
	if len(d.names) >= maxNames {
		clear(d.names)
	}
	name = unix.ByteSliceToString(unsafe.Slice((*byte)(unsafe.Pointer(c)), len(c)))
	d.names[*c] = name
	return name
}
