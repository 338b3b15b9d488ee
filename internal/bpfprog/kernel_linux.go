package bpfprog

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"
)

// HasTracepoint reports whether a kernel has a tracepoint with so many arguments. For each it has
// the type of a function, whose first argument is another.
func HasTracepoint(kernel *btf.Spec, name string, arguments int) bool {
	var t *btf.Typedef
	if kernel.TypeByName("btf_trace_"+name, &t) != nil {
		return false
	}
	p, _ := t.Type.(*btf.Pointer)
	if p == nil {
		return false
	}
	f, _ := p.Target.(*btf.FuncProto)
	return f != nil && len(f.Params) > arguments
}

// EnumNames returns the names of an enum by value, without prefix; nil if there is no such enum.
func EnumNames(types *btf.Spec, enum, prefix string) (map[uint32]string, error) {
	var e *btf.Enum
	if err := types.TypeByName(enum, &e); err != nil {
		if errors.Is(err, btf.ErrNotFound) {
			return nil, nil
		}
		return nil, fmt.Errorf("read enum %s of the kernel: %w", enum, err)
	}
	names := make(map[uint32]string)
	for _, v := range e.Values {
		names[uint32(v.Value)] = strings.TrimPrefix(v.Name, prefix)
	}
	return names, nil
}

// HandlesFaults reports whether a direct read of a wild address yields 0, for faults_handled of skb.h: the kernel is
// Linux 6.5 or later, which has commit 0108a4e9f358.
func HandlesFaults() bool {
	version, err := features.LinuxVersionCode()
	return err == nil && version >= 6<<16|5<<8
}

// leaveTime is how long a CPU may be in a program after it was detached, where the kernel
// cannot say.
const leaveTime = 40 * time.Millisecond

// WaitForProgram waits until every CPU that is in a program now has left it.
func WaitForProgram() {
	const global = 1 // MEMBARRIER_CMD_GLOBAL: wait for a grace period of RCU
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); errno != 0 {
		time.Sleep(leaveTime) // not supported, as with nohz_full
	}
}
