package bpf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/condition"
)

// reasons are the kernel's names of why it drops. Their numbers differ from one
// kernel to the next, so they are only ever taken from its own types.
type reasons struct {
	names   map[uint32]string // of subsystem 0, and of others as far as met
	subsys  map[uint32]string // names of subsystems, by number
	modules func(name string) (*btf.Spec, error)
	none    bool // the kernel gives none (before Linux 5.17)
}

// The enums of include/net/dropreason-core.h and dropreason.h.
const (
	reasonEnum, reasonPrefix = "skb_drop_reason", "SKB_DROP_REASON_"
	subsysEnum, subsysPrefix = "skb_drop_reason_subsys", "SKB_DROP_REASON_SUBSYS_"

	subsysShift = 16 // SKB_DROP_REASON_SUBSYS_SHIFT
)

// maxReasons is how many unknown numbers are kept.
const maxReasons = 1 << 12

func newReasons(kernel *btf.Spec) (reasons, error) {
	r := reasons{modules: btf.LoadKernelModuleSpec}
	var err, err2 error
	r.names, err = enumNames(kernel, reasonEnum, reasonPrefix)
	r.subsys, err2 = enumNames(kernel, subsysEnum, subsysPrefix)
	r.none = len(r.names) == 0
	return r, errors.Join(err, err2)
}

// Reasons gives a look-up of the numbers by which [Options.Condition] knows this
// kernel's reasons: none before Linux 5.17. It cannot tell a reason of a
// subsystem, whose module may be loaded later. The error wraps [ErrNoBTF].
func Reasons() (func(name string) (numbers []condition.Span, ok bool), error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, noBTF(err)
	}
	r, err := newReasons(kernel)
	if err != nil {
		return nil, err
	}
	return r.lookup(), nil
}

func (r *reasons) lookup() func(string) ([]condition.Span, bool) {
	numbers := make(map[string][]condition.Span)
	for n, name := range r.names {
		numbers[name] = append(numbers[name], condition.Span{Lo: uint64(n), Hi: uint64(n)})
	}
	return func(name string) ([]condition.Span, bool) {
		return numbers[name], len(numbers[name]) > 0 || len(r.subsys) == 0
	}
}

// enumNames reads an enum, which need not be there.
func enumNames(types *btf.Spec, enum, prefix string) (map[uint32]string, error) {
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

// name gives the kernel's name of a reason. One that it has no name for is given
// as it prints it itself: 0x20005.
func (r *reasons) name(n uint32) string {
	if r.none {
		return ""
	}
	name, ok := r.names[n]
	if ok {
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

// ofModule looks for a reason of a subsystem in the types of the module that
// the subsystem is named for: OPENVSWITCH, or MAC80211_UNUSABLE of mac80211.
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
