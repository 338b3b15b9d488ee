package trace

import (
	"time"

	"dropwatch/internal/detail"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
)

// A tracepoint is one beside skb:kfree_skb. What it says belongs to the packet that its CPU frees
// next, or is a drop of its own: of frames that XDP loses before they are packets.
type tracepoint struct {
	event  string   // as tracefs has it
	filter string   // passes the hits that are read; empty: all
	needs  []string // fields; a kernel without one of them counts as one without the tracepoint
	frames bool     // its hits may be drops of their own
	reason string   // of such drops; empty: the reasons are in the format
	read   func(h *hit, s *saying) bool
}

// tracepoints are those that are read where the kernel has them. One is left out:
// udp:udp_fail_queue_rcv_skb has neither the packet nor what is in the buffer.
var tracepoints = []tracepoint{
	{
		event: "qdisc/qdisc_drop", needs: []string{"skbaddr", "ifindex", "kind", "handle", "parent", "reason"}, read: readQdisc,
	},
	{
		event: "sock/sock_rcvqueue_full", needs: []string{"rmem_alloc", "sk_rcvbuf"}, read: readBuffer,
	},
	{
		event: "sock/sock_exceed_buf_limit", filter: "kind == 1", // SK_MEM_RECV, include/net/sock.h
		needs: []string{"name", "sysctl_mem", "allocated", "rmem_alloc", "kind"}, read: readMemory,
	},
	{
		event: "xdp/xdp_exception", reason: detail.Exception, needs: []string{"prog_id", "act", "ifindex"},
		frames: true, read: readException,
	},
	{
		event: "xdp/xdp_redirect_err", reason: detail.RedirectError, needs: []string{"prog_id", "ifindex", "err"},
		frames: true, read: readRedirectError,
	},
	{
		event: "xdp/xdp_redirect_map_err", reason: detail.RedirectError, needs: []string{"prog_id", "ifindex", "err"},
		frames: true, read: readRedirectError,
	},
	{
		event: "xdp/xdp_devmap_xmit", reason: detail.DevmapXmit, filter: "drops > 0",
		needs: []string{"from_ifindex", "to_ifindex", "drops", "err"}, frames: true, read: readDevmap,
	},
	{
		event: "xdp/xdp_cpumap_enqueue", reason: detail.CPUMapEnqueue, filter: "drops > 0", needs: []string{"map_id", "to_cpu", "drops"},
		frames: true, read: readEnqueue,
	},
	{
		event: "xdp/xdp_cpumap_kthread", reason: detail.CPUMapKthread, filter: "drops > 0", needs: []string{"map_id", "cpu", "drops"},
		frames: true, read: readKthread,
	},
}

// An other is a tracepoint as this kernel has it.
type other struct {
	tracepoint
	perf.Format
	size int // bytes that its hits have at least
}

// newOther returns the tracepoint of a format. Ok is false if a field is missing.
func newOther(t tracepoint, f perf.Format) (o other, ok bool) {
	for _, name := range t.needs {
		d := f.Fields[name]
		if d.Size == 0 {
			return o, false
		}
		o.size = max(o.size, d.Offset+d.Size)
	}
	o.tracepoint, o.Format = t, f
	return o, true
}

// A hit is one of a tracepoint, on a CPU.
type hit struct {
	*other
	raw      []byte
	redirect *uint64 // the XDP program whose redirect failed last on the CPU
}

// number returns the value of an integer. A negative one of 32 bits is returned without its sign
// extended.
func (h *hit) number(name string) uint64 { return h.Fields[name].Load(h.raw) }

// failure returns the error of the kernel, positive.
func (h *hit) failure() uint64 { return uint64(-int64(int32(h.number("err")))) }

// Reasons of packets that a saying can be of.
const (
	qdiscFamily = "QDISC_DROP"
	xdpFamily   = "XDP"
	fullBuffer  = "SOCKET_RCVBUFF"
	noMemory    = "PROTO_MEM"
)

// A saying is what a hit said of a drop that has not been reported yet.
type saying struct {
	sample  perf.Sample // when and where; its Raw is not valid any more
	by      int         // the index of the tracepoint in cpu.others
	packet  uint64      // the address of the packet; 0 if it is not known
	of      string      // the reason of the packets that it can be of
	reason  string      // a better one, or empty
	ifindex uint32      // of the packet; 0 if it is not known
	args    []event.Arg // belong to the drop
	frames  event.Event // Count is 0 unless it is a drop of its own
	packed  bool        // it may be of frames that are packets already, one of which is freed next
}

// qdiscReason returns the name of a number of enum qdisc_drop_reason; empty if it has none.
func (o *other) qdiscReason(n uint64) string {
	name := o.Symbols["reason"][n]
	if name == "" || name == "MAX" || n>>16 == 0 { // as UNSPEC; the others have the number of their subsystem
		return ""
	}
	return qdiscFamily + "_" + name
}

// reasons returns the reasons that it has for drops.
func (o *other) reasons() (names []string) {
	if o.reason != "" {
		return []string{o.reason}
	}
	for n := range o.Symbols["reason"] {
		if name := o.qdiscReason(n); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// readQdisc reads why a queueing discipline drops a packet, in Linux 7.2. It is hit for each packet
// just before that is freed (__tcf_kfree_skb_list, net/sched/sch_generic.c).
func readQdisc(h *hit, s *saying) bool {
	s.packet, s.of = h.number("skbaddr"), qdiscFamily
	s.reason, s.ifindex = h.qdiscReason(h.number("reason")), uint32(h.number("ifindex"))
	s.args = detail.Qdisc(s.args, h.Fields["kind"].Text(h.raw), uint32(h.number("handle")), uint32(h.number("parent")))
	return true
}

// readBuffer reads how full a receive buffer is. The callers of __sock_queue_rcv_skb
// (net/core/sock.c) free the packet next.
func readBuffer(h *hit, s *saying) bool {
	s.of = fullBuffer
	s.args = detail.Buffer(s.args, h.number("rmem_alloc"), h.number("sk_rcvbuf"))
	return true
}

// readMemory reads that a protocol may use no more memory for what a socket receives
// (__sk_mem_raise_allocated, net/core/sock.c). UDP frees the packet next; TCP does so unless it
// finds room. The limit of the socket's buffer is not said.
func readMemory(h *hit, s *saying) bool {
	var limits [3]uint64
	mem := h.Fields["sysctl_mem"]
	for i := range limits {
		limits[i] = perf.Field{Offset: mem.Offset + i*mem.Size/len(limits), Size: mem.Size / len(limits)}.Load(h.raw)
	}
	s.of = noMemory
	s.args = append(s.args, event.Arg{Name: "rmem", Number: h.number("rmem_alloc")})
	s.args = detail.Memory(s.args, h.Fields["name"].Text(h.raw), h.number("allocated"), limits)
	return true
}

// readException reads that a program failed. Many drivers report a redirect that failed here, too:
// of that there is a saying already.
func readException(h *hit, s *saying) bool {
	program, action := h.number("prog_id"), h.number("act")
	if action == detail.ActionRedirect && *h.redirect == program {
		*h.redirect = 0
		return false
	}
	s.packed = true
	return s.lost(h, "ifindex", 1, detail.Frames{Program: program, Action: action + 1})
}

// readRedirectError reads that a program sent a frame where none can be sent.
func readRedirectError(h *hit, s *saying) bool {
	program := h.number("prog_id")
	*h.redirect, s.packed = program, true
	return s.lost(h, "ifindex", 1, detail.Frames{Program: program, Error: h.failure()})
}

// readDevmap reads that a device did not take all the frames that were redirected to it.
func readDevmap(h *hit, s *saying) bool {
	return s.lost(h, "from_ifindex", h.number("drops"),
		detail.Frames{Error: h.failure(), OutIndex: h.number("to_ifindex")})
}

// readEnqueue reads that the queue of another CPU had no room for frames.
func readEnqueue(h *hit, s *saying) bool {
	return s.lost(h, "", h.number("drops"), detail.Frames{Map: h.number("map_id"), CPU: h.number("to_cpu") + 1})
}

// readKthread reads that a CPU could not make packets of frames that came by such a queue.
func readKthread(h *hit, s *saying) bool {
	return s.lost(h, "", h.number("drops"), detail.Frames{Map: h.number("map_id"), CPU: h.number("cpu") + 1})
}

// lost makes it a drop of count frames, of the interface whose index is in a field; an empty name
// means that it is not known.
func (s *saying) lost(h *hit, ifindex string, count uint64, frames detail.Frames) bool {
	s.of, s.reason, s.args = xdpFamily, h.reason, frames.Append(s.args)
	if ifindex != "" {
		s.ifindex = uint32(h.number(ifindex))
	}
	s.frames = event.Event{
		Count: count, Segments: count, Individual: count == 1, Reason: s.reason, Args: s.args, Port: event.Port{IfIndex: s.ifindex},
	}
	return count > 0
}

// atOnce is how long after a saying its packet is freed at most. Mostly that takes microseconds, but a
// virtual machine may stand still meanwhile.
const atOnce = uint64(time.Second)
