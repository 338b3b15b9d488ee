package host

import "strings"

// A mount is a mounted file system.
type mount struct {
	Root  string // directory of the file system that is mounted: "/", or net:[4026531840]
	Point string // absolute path of the mount point
	Type  string // of the file system: cgroup2
}

// mounts reads the mounts in the mount namespace of this process, in their order; none if
// that fails.
func (h *Host) mounts() []mount {
	b, _ := h.ReadFile("proc/self/mountinfo")
	return parseMountinfo(b)
}

// parseMountinfo reads proc_pid_mountinfo(5).
func parseMountinfo(text []byte) (all []mount) {
	const root, point = 3, 4
	for line := range strings.Lines(string(text)) {
		before, system, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		kind, _, _ := strings.Cut(system, " ")
		if ok && len(fields) > point {
			all = append(all, mount{unescapeMount(fields[root]), unescapeMount(fields[point]), kind})
		}
	}
	return all
}

// unescapeMount undoes the kernel's escapes in paths (seq_path, fs/seq_file.c).
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// MountPoint returns the absolute path where a type of file system is first mounted; empty
// if it is not.
func (h *Host) MountPoint(fsType string) string {
	for _, m := range h.mounts() {
		if m.Type == fsType {
			return m.Point
		}
	}
	return ""
}
