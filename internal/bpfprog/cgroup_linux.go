package bpfprog

import (
	"fmt"
	"os"
	"path"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// queryEffective is BPF_F_QUERY_EFFECTIVE (include/uapi/linux/bpf.h): also the programs of the groups above.
const queryEffective = 1

// CgroupPrograms returns the programs that packets of the sockets in a control group have to pass, those sent or those
// received. Top is the directory at which the hierarchy of version 2 is mounted, and group a path in it. It needs
// CAP_NET_ADMIN, and CAP_SYS_ADMIN for the names.
func CgroupPrograms(top, group string, sent bool) (all []CgroupProgram, err error) {
	attach := ebpf.AttachCGroupInetIngress
	if sent {
		attach = ebpf.AttachCGroupInetEgress
	}
	group = path.Join("/", group)
	effective, err := programsAt(path.Join(top, group), attach, queryEffective)
	for _, id := range effective {
		all = append(all, CgroupProgram{ID: uint32(id), Name: nameOf(id), Group: groupOf(id, top, group, attach)})
	}
	return all, err
}

// groupOf returns the group at which a program is attached: this one or the nearest above, nothing if that is not known.
func groupOf(id ebpf.ProgramID, top, group string, attach ebpf.AttachType) string {
	for {
		if attached, err := programsAt(path.Join(top, group), attach, 0); err == nil && slices.Contains(attached, id) {
			return group
		}
		if group == "/" {
			return ""
		}
		group = path.Dir(group)
	}
}

// programsAt asks the kernel for the programs at a directory of the hierarchy.
func programsAt(dir string, attach ebpf.AttachType, flags uint32) (ids []ebpf.ProgramID, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("list the BPF programs of a control group: %w", err)
	}
	defer f.Close()
	result, err := link.QueryPrograms(link.QueryOptions{Target: int(f.Fd()), Attach: attach, QueryFlags: flags})
	if err != nil {
		return nil, fmt.Errorf("list the BPF programs of control group %s: %w", dir, err)
	}
	for _, p := range result.Programs {
		ids = append(ids, p.ID)
	}
	return ids, nil
}

// nameOf returns the name of a program, nothing if it has none or it cannot be read.
func nameOf(id ebpf.ProgramID) string {
	program, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return ""
	}
	defer program.Close()
	info, err := program.Info()
	if err != nil {
		return ""
	}
	return info.Name
}
