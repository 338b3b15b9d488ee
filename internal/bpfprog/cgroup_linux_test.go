package bpfprog_test

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// TestCgroupPrograms: a program at a control group is that of the groups below it, and of one direction.
func TestCgroupPrograms(t *testing.T) {
	vmtest.RequireRoot(t)
	top := host.New("/").MountPoint("cgroup2")
	if top == "" {
		vmtest.SkipOrFail(t, errors.New("control groups of version 2 are not mounted"))
	}
	parent, err := os.MkdirTemp(top, "dropwatch")
	if err != nil {
		t.Fatal(err)
	}
	group := "/" + path.Base(parent)
	child := path.Join(group, "below")
	if err := os.Mkdir(path.Join(top, child), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Remove(path.Join(top, child)), os.Remove(parent)); err != nil {
			t.Error(err)
		}
	})
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "refuses", Type: ebpf.CGroupSKB, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	attached, err := link.AttachCgroup(link.CgroupOptions{Path: parent, Attach: ebpf.AttachCGroupInetIngress, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	all, err := bpfprog.CgroupPrograms(top, child, false)
	if err != nil {
		t.Fatal(err)
	}
	isIt := func(p bpfprog.CgroupProgram) bool { return p.Name == "refuses" && p.Group == group && p.ID != 0 }
	if !slices.ContainsFunc(all, isIt) { // the host may have others above
		t.Errorf("got %+v, want program refuses at %s", all, group)
	}
	if all, err := bpfprog.CgroupPrograms(top, child, true); err != nil || slices.ContainsFunc(all, isIt) {
		t.Errorf("sent: %+v, %v", all, err)
	}
	if _, err := bpfprog.CgroupPrograms(top, path.Join(group, "gone"), true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a group that is gone: %v", err)
	}
}
