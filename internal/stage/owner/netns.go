package owner

import (
	"os"
	"path/filepath"
	"time"

	"dropwatch/internal/event"
)

// A space is a network namespace.
type space struct {
	name string
	pid  uint32 // the lowest that is in it; 0 if there is none
}

// initialNetns is the inode number of the kernel's init_net since Linux 6.18
// (NET_NS_INIT_INO, include/uapi/linux/nsfs.h), which no other had before. Where it
// has another, the kernel's thread kthreadd tells: it is in init_net, and is process
// 2 where all processes are seen.
const (
	initialNetns = 0xeffffff9
	kthreadd     = 2
)

// netnsDirs are where namespaces are kept by name, by ip-netns(8) and by runtimes
// of CNI. Those that Docker keeps for itself have numbers instead of names.
var netnsDirs = []string{"run/netns", "var/run/netns"}

// readSpaces finds the namespaces that have a process or a name.
func (h *host) readSpaces() map[uint32]space {
	spaces := map[uint32]space{initialNetns: {name: event.InitNetns}}
	all := h.seesAll()
	for _, pid := range h.pids() {
		inode, _ := linked(h.proc(decimal(pid), "ns/net"), "net")
		s := spaces[uint32(inode)]
		if s.pid == 0 {
			s.pid = pid
		}
		if all && pid == kthreadd {
			s.name = event.InitNetns
		}
		spaces[uint32(inode)] = s
	}
	delete(spaces, 0) // of processes that we may not look into
	for _, dir := range netnsDirs {
		h.nameSpaces(dir, spaces)
	}
	return spaces
}

func (h *host) nameSpaces(dir string, spaces map[uint32]space) {
	entries, _ := os.ReadDir(filepath.Join(h.root, dir))
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(h.root, dir, e.Name()))
		if err != nil {
			continue
		}
		inode := uint32(inodeOf(info))
		s := spaces[inode]
		if s.name == "" {
			s.name = e.Name()
			spaces[inode] = s
		}
	}
}

// netnsName gives the name of a namespace: its own, or that of the pod or of the
// container that is in it; empty if it has none.
func (h *host) netnsName(inode uint32, now time.Time) string {
	s, _ := h.spaces.find(inode, now)
	if s.name != "" || s.pid == 0 {
		return s.name
	}
	where := h.processes.get(s.pid, now).place
	h.label(&where, now)
	if where.pod.Name != "" {
		return where.pod.Name
	}
	return where.container.Name
}
