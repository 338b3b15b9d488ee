package bpf

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/condition"
)

// types builds the types of a kernel or of a module.
func types(t *testing.T, enums ...*btf.Enum) *btf.Spec {
	t.Helper()
	all := make([]btf.Type, len(enums))
	for i, e := range enums {
		e.Size = 4
		all[i] = e
	}
	b, err := btf.NewBuilder(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

var kernelReasons = &btf.Enum{Name: reasonEnum, Values: []btf.EnumValue{
	{Name: "SKB_NOT_DROPPED_YET", Value: 0}, {Name: "SKB_DROP_REASON_NO_SOCKET", Value: 3},
	{Name: "SKB_DROP_REASON_SUBSYS_MASK", Value: 0xffff0000},
}}

var kernelSubsystems = &btf.Enum{Name: subsysEnum, Values: []btf.EnumValue{
	{Name: "SKB_DROP_REASON_SUBSYS_CORE", Value: 0}, {Name: "SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", Value: 1},
	{Name: "SKB_DROP_REASON_SUBSYS_OPENVSWITCH", Value: 2}, {Name: "SKB_DROP_REASON_SUBSYS_NUM", Value: 3},
}}

func TestReasons(t *testing.T) {
	r, err := newReasons(types(t, kernelReasons, kernelSubsystems))
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	r.modules = func(name string) (*btf.Spec, error) {
		asked = append(asked, name)
		if name != "openvswitch" {
			return nil, os.ErrNotExist
		}
		return types(t,
			&btf.Enum{Name: "another", Values: []btf.EnumValue{{Name: "ELSE", Value: 0x20001}}},
			&btf.Enum{Name: "ovs_drop_reason", Values: []btf.EnumValue{{Name: "OVS_DROP_LAST_ACTION", Value: 0x20001}}}), nil
	}
	tests := map[uint32]string{
		0: "SKB_NOT_DROPPED_YET", 3: "NO_SOCKET", 4: "0x4", // 4 is not named
		0x20001: "OVS_DROP_LAST_ACTION", 0x20002: "0x20002",
		0x10001: "0x10001", 0x90001: "0x90001", 0xffffffff: "0xffffffff",
	}
	for range 2 {
		for n, want := range tests {
			if got := r.name(n); got != want {
				t.Errorf("%#x is %q, want %q", n, got, want)
			}
		}
	}
	if len(asked) != 3 { // once for each number
		t.Errorf("asked for %q", asked)
	}
}

// TestNoReasons: a kernel before 5.17 gives none.
func TestNoReasons(t *testing.T) {
	r, err := newReasons(types(t, &btf.Enum{Name: "another"}))
	if err != nil || r.name(0) != "" || r.name(3) != "" {
		t.Errorf("%v, %q", err, r.name(3))
	}
}

// TestLookup: a reason that is not the kernel's own may be a module's, if there
// are any of modules.
func TestLookup(t *testing.T) {
	one := []condition.Span{{Lo: 3, Hi: 3}}
	for _, tt := range []struct {
		enums []*btf.Enum
		name  string
		want  []condition.Span
		ok    bool
	}{
		{[]*btf.Enum{kernelReasons, kernelSubsystems}, "NO_SOCKET", one, true},
		{[]*btf.Enum{kernelReasons, kernelSubsystems}, "OVS_DROP_LAST_ACTION", nil, false},
		{[]*btf.Enum{kernelReasons}, "NO_SOCKET", one, true},
		{[]*btf.Enum{kernelReasons}, "OVS_DROP_LAST_ACTION", nil, true},
		{[]*btf.Enum{{Name: "another"}}, "NO_SOCKET", nil, true},
	} {
		r, err := newReasons(types(t, tt.enums...))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.lookup()(tt.name); !slices.Equal(got, tt.want) || ok != tt.ok {
			t.Errorf("%s of %d enums: %v, %t, want %v, %t", tt.name, len(tt.enums), got, ok, tt.want, tt.ok)
		}
	}
}

// TestLookupFamily: a family has the numbers of its finer reasons, too.
func TestLookupFamily(t *testing.T) {
	core := &btf.Enum{Name: reasonEnum, Values: []btf.EnumValue{{Name: "SKB_DROP_REASON_QDISC_DROP", Value: 40}}}
	qdisc := &btf.Enum{Name: qdiscEnum, Values: []btf.EnumValue{
		{Name: "QDISC_DROP_UNSPEC", Value: 0}, {Name: "QDISC_DROP_GENERIC", Value: 0x30001}, {Name: "QDISC_DROP_OVERLIMIT", Value: 0x30002},
	}}
	r, err := newReasons(types(t, core, qdisc))
	if err != nil {
		t.Fatal(err)
	}
	lookup := r.lookup()
	for name, want := range map[string][]uint64{
		"QDISC_DROP": {40, 0x30001, 0x30002}, "QDISC_DROP_OVERLIMIT": {0x30002},
		"XDP": {0xffff0001, 0xffff0002, 0xffff0003, 0xffff0004, 0xffff0005}, "XDP_EXCEPTION": {0xffff0001},
	} {
		var got []uint64
		numbers, ok := lookup(name)
		for _, s := range numbers {
			got = append(got, s.Lo)
		}
		slices.Sort(got)
		if !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %#x, %t, want %#x", name, got, ok, want)
		}
	}
}

// TestReasonsOfThisKernel: those that are in every kernel that has any.
func TestReasonsOfThisKernel(t *testing.T) {
	needAble(t)
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newReasons(kernel)
	if err != nil {
		t.Fatal(err)
	}
	has := make(map[string]bool)
	for _, name := range r.names {
		has[name] = true
	}
	for _, name := range []string{"NOT_SPECIFIED", "NO_SOCKET"} {
		if !has[name] && !r.none {
			t.Errorf("no %s in %v", name, r.names)
		}
	}
	if _, err := r.modules("no_such_module"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("types of no module: %v", err)
	}
}
