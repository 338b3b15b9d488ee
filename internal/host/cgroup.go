package host

import (
	"io/fs"
	"path"
	"strings"
)

// A Cgroup is a control group of a process, a line of /proc/PID/cgroup.
type Cgroup struct {
	Unified     bool   // of version 2
	Controllers string // of version 1: "cpu,cpuacct" or "name=systemd"
	Path        string // from the root of the hierarchy, or from that of the cgroup namespace
}

// Cgroups reads the control groups of a process; there are none if it has ended.
func (h *Host) Cgroups(pid uint32) []Cgroup {
	b, _ := h.ReadFile(proc(pid, "cgroup"))
	return parseCgroups(b)
}

// parseCgroups reads /proc/PID/cgroup (cgroups(7)).
func parseCgroups(text []byte) (groups []Cgroup) {
	for line := range strings.Lines(string(text)) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		if ok {
			groups = append(groups, Cgroup{Unified: id == "0" && controllers == "", Controllers: controllers, Path: path})
		}
	}
	return groups
}

// maxGroups is how many control groups are read at most.
const maxGroups = 1 << 16

// UnifiedCgroups returns the paths of all control groups of version 2 by their ID, the inode
// number of the directory. There are none if the hierarchy is not mounted.
func (h *Host) UnifiedCgroups() map[uint64]string {
	groups := make(map[uint64]string)
	top := h.unifiedTop()
	if top == "" {
		return groups
	}
	fs.WalkDir(h.fsys, top, func(name string, d fs.DirEntry, err error) error {
		switch {
		case len(groups) >= maxGroups:
			return fs.SkipAll
		case err != nil || !d.IsDir():
			return nil
		}
		if info, err := d.Info(); err == nil {
			inode, _ := inodeOf(info)
			groups[inode] = "/" + strings.Trim(strings.TrimPrefix(name, top), "/")
		}
		return nil
	})
	return groups
}

// unifiedTop returns the directory that the hierarchy of version 2 is mounted at.
func (h *Host) unifiedTop() string { return strings.TrimPrefix(h.MountPoint("cgroup2"), "/") }

// RootCgroups returns how many parts of the path of a control group of version 2, from the
// top, only root can have created: the owner of a directory chooses the names in it, so that
// parts below a user's directory say what that user likes. Ok is false if there is no such
// group or the hierarchy is not mounted.
func (h *Host) RootCgroups(group string) (parts int, ok bool) {
	dir := h.unifiedTop()
	if dir == "" {
		return 0, false
	}
	for part := range strings.SplitSeq(strings.Trim(group, "/"), "/") {
		dir = path.Join(dir, part)
		parts++
		info, err := fs.Stat(h.fsys, dir)
		if err != nil {
			return 0, false
		}
		if uid, _ := ownerOf(info); uid != 0 {
			break
		}
	}
	return parts, true
}
