package host

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// OnlyNetns reports whether the network namespace of this process is known to be the
// only one of the host: every thread of every process is in it, and no other is
// mounted. It is false where that cannot be seen: from another PID namespace, or
// without the right to read the links of all processes.
func (h *Host) OnlyNetns() bool {
	own := h.Netns()
	return own != 0 && h.SeesAllProcesses() && !h.mountsOtherNetns(own) && !h.hasThreadElsewhere(own)
}

// mountsOtherNetns reports whether another network namespace is mounted somewhere, as
// ip-netns(8) and container runtimes do to keep one that has no process.
func (h *Host) mountsOtherNetns(own uint32) bool {
	mine := "net:[" + strconv.FormatUint(uint64(own), 10) + "]"
	mounts := h.mounts()
	return len(mounts) == 0 || slices.ContainsFunc(mounts, func(m mount) bool {
		return strings.HasPrefix(m.Root, "net:[") && m.Root != mine
	})
}

// hasThreadElsewhere reports whether a thread is in another network namespace, or in one that
// may not be read. Threads that end meanwhile do not count.
func (h *Host) hasThreadElsewhere(own uint32) bool {
	for _, pid := range h.PIDs() {
		threads, _ := h.names(proc(pid, "task"))
		for _, tid := range threads {
			thread := proc(pid, "task/"+tid)
			inode, err := h.anonymous(thread+"/ns/net", "net")
			gone := err != nil && (errors.Is(err, fs.ErrNotExist) || !h.Exists(thread))
			if !gone && uint32(inode) != own {
				return true
			}
		}
	}
	return false
}
