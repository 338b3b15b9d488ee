package bpf

import (
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/condition"
	"dropwatch/internal/detail"
	"dropwatch/internal/event"
)

// reasons are the kernel's names of drop reasons. Their numbers differ between
// kernels, so they are always read from the running kernel's own types.
type reasons struct {
	names   map[uint32]string                    // of subsystem 0, and of others that were looked up
	subsys  map[uint32]string                    // names of subsystems, by number
	modules func(name string) (*btf.Spec, error) // the types of a module
	none    bool                                 // the kernel has none (before Linux 5.17)
}

// The enums of include/net/dropreason-core.h and dropreason.h.
const (
	reasonEnum, reasonPrefix = "skb_drop_reason", "SKB_DROP_REASON_"
	subsysEnum, subsysPrefix = "skb_drop_reason_subsys", "SKB_DROP_REASON_SUBSYS_"

	qdiscEnum = "qdisc_drop_reason" // in Linux 7.2, include/net/dropreason-qdisc.h

	subsysShift = 16 // SKB_DROP_REASON_SUBSYS_SHIFT
)

// maxReasons bounds how many names are kept.
const maxReasons = 1 << 12

// xdpReasons are those of frames that XDP loses, by the names of the tracepoints, and their
// numbers those of enum xdp_reason in types.h.
var xdpReasons = map[uint32]string{
	0xffff0001: detail.Exception, 0xffff0002: detail.RedirectError, 0xffff0003: detail.DevmapXmit,
	0xffff0004: detail.CPUMapEnqueue, 0xffff0005: detail.CPUMapKthread,
}

// newReasons reads the reasons from the types of the kernel.
func newReasons(kernel *btf.Spec) (reasons, error) {
	r := reasons{modules: btf.LoadKernelModuleSpec}
	var err, err2 error
	r.names, err = bpfprog.EnumNames(kernel, reasonEnum, reasonPrefix)
	r.subsys, err2 = bpfprog.EnumNames(kernel, subsysEnum, subsysPrefix)
	r.none = len(r.names) == 0
	if r.none {
		r.names = make(map[uint32]string)
	}
	maps.Copy(r.names, xdpReasons)
	qdiscs, err3 := bpfprog.EnumNames(kernel, qdiscEnum, "")
	for n, name := range qdiscs {
		if n>>subsysShift != 0 { // and not QDISC_DROP_UNSPEC
			r.names[n] = name
		}
	}
	return r, errors.Join(err, err2, err3)
}

// Reasons returns a function that returns the numbers of a drop reason in this kernel, for
// [Options.Condition]; those of the finer reasons, too, if it is their family ([event.ReasonFamily]).
// Before Linux 5.17 only what XDP loses has any. Ok is false for an unknown name if it
// may be a reason of a subsystem, whose module may be loaded later. The error wraps [bpfprog.ErrNoBTF] if
// the kernel has no BTF.
func Reasons() (func(name string) (numbers []condition.Span, ok bool), error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, bpfprog.NoBTF(err)
	}
	r, err := newReasons(kernel)
	if err != nil {
		return nil, err
	}
	return r.lookup(), nil
}

// lookup returns the function that Reasons returns.
func (r *reasons) lookup() func(string) ([]condition.Span, bool) {
	numbers := make(map[string][]condition.Span)
	for n, name := range r.names {
		span := condition.Span{Lo: uint64(n), Hi: uint64(n)}
		numbers[name] = append(numbers[name], span)
		if family := event.ReasonFamily(name); family != "" {
			numbers[family] = append(numbers[family], span)
		}
	}
	return func(name string) ([]condition.Span, bool) {
		return numbers[name], len(numbers[name]) > 0 || len(r.subsys) == 0
	}
}

// name returns the name of a reason, or for one without a name the number as the kernel prints it:
// 0x20005. It is empty if the kernel has no reasons.
func (r *reasons) name(n uint32) string {
	name, ok := r.names[n]
	if ok || r.none {
		return name
	}
	name, ok = r.ofModule(n)
	if !ok {
		name = "0x" + strconv.FormatUint(uint64(n), 16)
	}
	if len(r.names) < maxReasons {
		r.names[n] = name
	}
	return name
}

// ofModule looks for a reason of a subsystem in the types of its module, by whose name the name of
// the subsystem begins: OPENVSWITCH, or MAC80211_UNUSABLE of mac80211.
func (r *reasons) ofModule(n uint32) (string, bool) {
	subsys, ok := r.subsys[n>>subsysShift]
	if !ok || n>>subsysShift == 0 {
		return "", false
	}
	module, _, _ := strings.Cut(strings.ToLower(subsys), "_")
	types, err := r.modules(module)
	if err != nil {
		return "", false
	}
	for t, err := range types.All() {
		if err != nil {
			break
		}
		e, ok := t.(*btf.Enum)
		if !ok || !strings.HasSuffix(e.Name, "_drop_reason") {
			continue
		}
		for _, v := range e.Values {
			if uint32(v.Value) == n {
				return v.Name, true
			}
		}
	}
	return "", false
}
