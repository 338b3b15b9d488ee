// Package detail has what tracepoints beside skb:kfree_skb say of a drop, as arguments and reasons
// of an event: the same whichever source reads them.
package detail

import (
	"cmp"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
)

// Reasons of frames that XDP loses, named by the tracepoints. The kernel has no numbers for them.
const (
	Exception     = "XDP_EXCEPTION"
	RedirectError = "XDP_REDIRECT_ERR"
	DevmapXmit    = "XDP_DEVMAP_XMIT"
	CPUMapEnqueue = "XDP_CPUMAP_ENQUEUE"
	CPUMapKthread = "XDP_CPUMAP_KTHREAD"
)

// ActionRedirect is XDP_REDIRECT of enum xdp_action (include/uapi/linux/bpf.h).
const ActionRedirect = 4

// Buffer appends how full the receive buffer of a socket is, in bytes: "rmem", and its limit, "rcvbuf".
func Buffer(args []event.Arg, rmem, rcvbuf uint64) []event.Arg {
	return number(number(args, "rmem", rmem), "rcvbuf", rcvbuf)
}

// Memory appends how much memory a protocol uses, in pages: "protocol", "allocated" and "limits"
// (sysctl_mem of struct proto).
func Memory(args []event.Arg, protocol string, allocated uint64, limits [3]uint64) []event.Arg {
	args = number(text(args, "protocol", protocol), "allocated", allocated)
	return text(args, "limits", fmt.Sprintf("%d %d %d", limits[0], limits[1], limits[2]))
}

// Qdisc appends which queueing discipline dropped a packet: "qdisc" is its kind, "handle" and "parent"
// are as tc writes them.
func Qdisc(args []event.Arg, kind string, handle, parent uint32) []event.Arg {
	return text(text(text(args, "qdisc", kind), "handle", handleText(handle)), "parent", handleText(parent))
}

// handleText writes the handle or the parent of a queueing discipline as tc does.
func handleText(h uint32) string {
	const root = 0xffffffff // TC_H_ROOT
	switch {
	case h == root:
		return "root"
	case h&0xffff == 0:
		return fmt.Sprintf("%x:", h>>16)
	}
	return fmt.Sprintf("%x:%x", h>>16, h&0xffff)
}

// Frames is what is known of frames that XDP loses. A zero means that it is not known.
type Frames struct {
	Program, Map uint64 // their IDs, as bpftool lists them
	Action       uint64 // of enum xdp_action, plus one
	Error        uint64 // of the kernel, positive
	CPU          uint64 // that the frames were for, plus one
	Out          string // the interface that the frames were for
	OutIndex     uint64 // its index, where the name is not known
}

// Append appends what is known: "prog", "action", "err", "map", "cpu", "out".
func (f *Frames) Append(args []event.Arg) []event.Arg {
	if f.Program != 0 {
		args = number(args, "prog", f.Program)
	}
	if f.Action != 0 {
		args = append(args, action(f.Action-1))
	}
	if f.Error != 0 {
		args = text(args, "err", errorName(f.Error))
	}
	if f.Map != 0 {
		args = number(args, "map", f.Map)
	}
	if f.CPU != 0 {
		args = number(args, "cpu", f.CPU-1)
	}
	switch {
	case f.Out != "":
		args = text(args, "out", f.Out)
	case f.OutIndex != 0:
		args = number(args, "out", f.OutIndex)
	}
	return args
}

// actions are the names of what an XDP program returns (enum xdp_action).
var actions = [...]string{"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"}

// action is an action by name, or by number if it has none.
func action(n uint64) event.Arg {
	if n < uint64(len(actions)) {
		return event.Arg{Name: "action", Text: actions[n]}
	}
	return event.Arg{Name: "action", Number: n}
}

// errorName returns the name of an error as the kernel's code has it, or its number.
func errorName(n uint64) string {
	const notSupported = 524 // ENOTSUPP of include/linux/errno.h, which no system call returns
	switch n {
	case uint64(unix.EOPNOTSUPP): // on Linux the same as ENOTSUP
		return "EOPNOTSUPP"
	case notSupported:
		return "ENOTSUPP"
	}
	return cmp.Or(unix.ErrnoName(unix.Errno(n)), strconv.FormatUint(n, 10))
}

// number appends a value that is a number.
func number(args []event.Arg, name string, n uint64) []event.Arg {
	return append(args, event.Arg{Name: name, Number: n})
}

// text appends a value that is a text.
func text(args []event.Arg, name, value string) []event.Arg {
	return append(args, event.Arg{Name: name, Text: value})
}
