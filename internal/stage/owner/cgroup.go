package owner

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// maxGroups is how many cgroups are read at most.
const maxGroups = 1 << 16

// readGroups walks the hierarchy of version 2, of which a cgroup's ID is the inode
// number of its directory.
func (h *host) readGroups() map[uint64]string {
	groups := make(map[uint64]string)
	top := h.cgroup2()
	if top == "" {
		return groups
	}
	filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case len(groups) >= maxGroups:
			return fs.SkipAll
		case err != nil || !d.IsDir():
			return nil
		}
		if info, err := d.Info(); err == nil {
			groups[inodeOf(info)] = "/" + strings.Trim(strings.TrimPrefix(path, top), "/")
		}
		return nil
	})
	return groups
}

// cgroup2 gives the directory that the hierarchy is mounted at, empty if it is not
// (mountinfo of proc_pid_mountinfo(5)).
func (h *host) cgroup2() string {
	text, _ := readSome(filepath.Join(h.root, "proc/self/mountinfo"))
	for line := range strings.Lines(string(text)) {
		mount, system, ok := strings.Cut(line, " - ")
		if fields := strings.Fields(mount); ok && strings.HasPrefix(system, "cgroup2 ") && len(fields) > 4 {
			return filepath.Join(h.root, fields[4])
		}
	}
	return ""
}

// parseCgroups reads /proc/PID/cgroup: the path of version 2, empty if there is
// none, and what the first line that tells anything says. Where a hierarchy of
// version 1 is in use, that of version 2 need not have the process in its place.
func parseCgroups(lines string) (unified string, where place) {
	for line := range strings.Lines(lines) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		if id == "0" && controllers == "" {
			unified = path
		}
		if where == (place{}) || controllers == "name=systemd" {
			where = where.or(parsePath(path))
		}
	}
	return unified, where
}
