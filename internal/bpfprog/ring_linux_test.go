package bpfprog

import (
	"testing"

	"github.com/cilium/ebpf"

	"dropwatch/internal/vmtest"
)

// TestRingIsEmpty: a ring that is not there, or not any more, says nothing of what was written to it.
func TestRingIsEmpty(t *testing.T) {
	vmtest.RequireRoot(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := NewRing(m, "nothing")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); ok || err != nil || !r.IsEmpty() {
		t.Errorf("a new ring: read %v, empty %v, %v", ok, r.IsEmpty(), err)
	}
	r.Close()
	r.Close()
	if none := (*Ring)(nil); r.IsEmpty() || none.IsEmpty() {
		t.Errorf("a closed one: empty %v, none: empty %v", r.IsEmpty(), none.IsEmpty())
	}
}
