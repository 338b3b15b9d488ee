package host

import (
	"fmt"
	"io/fs"
	"path"
)

// Inode numbers of the initial namespaces, which no other namespace has
// (include/uapi/linux/nsfs.h, formerly include/linux/proc_ns.h).
const (
	initialUser = 0xeffffffd
	initialPID  = 0xeffffffc

	// InitialNetns is that of init_net since Linux 6.18. Before, it was not fixed.
	InitialNetns = 0xeffffff9
)

// kthreadd is the PID of the kernel thread of that name in the initial PID namespace. It is
// always in init_net.
const kthreadd = 2

// SeesAllProcesses reports whether this process is in the initial PID namespace, so that
// /proc shows all processes of the host.
func (h *Host) SeesAllProcesses() bool {
	ns, _ := h.PIDNamespace()
	return ns == initialPID
}

// PIDNamespace returns the inode number of the PID namespace of this process. Ok is false if it cannot be read.
func (h *Host) PIDNamespace() (inode uint64, ok bool) {
	inode, err := h.anonymous("proc/self/ns/pid", "pid")
	return inode, err == nil && inode != 0
}

// PIDNamespaces returns the inode numbers of the PID namespaces that the processes in /proc are in.
func (h *Host) PIDNamespaces() (inodes []uint64) {
	seen := make(map[uint64]bool)
	for _, pid := range h.PIDs() {
		inode, err := h.anonymous(proc(pid, "ns/pid"), "pid")
		if err == nil && inode != 0 && !seen[inode] {
			seen[inode] = true
			inodes = append(inodes, inode)
		}
	}
	return inodes
}

// Contained reports whether this process seems to run in a container: by its PID and user
// namespaces and the files that docker and podman create.
func (h *Host) Contained() bool {
	pid, ok := h.PIDNamespace()
	return ok && pid != initialPID || !h.InInitialUserNamespace() || h.Exists(".dockerenv") || h.Exists("run/.containerenv")
}

// InInitialUserNamespace reports whether capabilities of this process count for the
// whole host; true if that cannot be read.
func (h *Host) InInitialUserNamespace() bool {
	user, err := h.anonymous("proc/self/ns/user", "user")
	return err != nil || user == initialUser
}

// InInitialNetns reports whether this process is in the initial network namespace, the only
// one that has certain sysctls (net_core_table, net/core/sysctl_net_core.c). It is not known
// if there are no network sysctls at all.
func (h *Host) InInitialNetns() (initial, known bool) {
	initial = h.Exists("proc/sys/net/core/netdev_max_backlog")
	return initial, initial || h.Exists("proc/sys/net/core/somaxconn")
}

// Netns returns the inode number of the network namespace of this process; 0 if it
// cannot be read.
func (h *Host) Netns() uint32 {
	inode, _ := h.anonymous("proc/self/ns/net", "net")
	return uint32(inode)
}

// A Netns is a network namespace.
type Netns struct {
	Initial bool   // init_net, as far as known
	Name    string // of the file that keeps it, as ip-netns(8) lists it; may be empty
	PID     uint32 // lowest of the processes in it; 0 if there is none
}

// Seen reports whether there is a process or a name to enter the namespace by. Without, its
// inode number alone is known.
func (n Netns) Seen() bool { return n.PID != 0 || n.Name != "" }

// label is what an error calls the namespace.
func (n Netns) label() string {
	switch {
	case n.Name != "":
		return n.Name
	case n.Initial:
		return "init"
	}
	return fmt.Sprintf("of process %d", n.PID)
}

// netnsDirs are the directories in which ip-netns(8) and CNI runtimes keep namespaces by
// name. Docker has one of its own, but with numbers instead of names.
var netnsDirs = []string{"run/netns", "var/run/netns"}

// NetworkNamespaces returns the network namespaces that have a process or a name, by
// inode number, as far as this process may see them, and init_net under the number that it
// has since Linux 6.18, which need not be seen.
func (h *Host) NetworkNamespaces() map[uint32]Netns {
	found := map[uint32]Netns{InitialNetns: {Initial: true}}
	all := h.SeesAllProcesses()
	for _, pid := range h.PIDs() {
		inode, _ := h.anonymous(proc(pid, "ns/net"), "net")
		n := found[uint32(inode)]
		if n.PID == 0 {
			n.PID = pid
		}
		n.Initial = n.Initial || all && pid == kthreadd
		found[uint32(inode)] = n
	}
	delete(found, 0) // processes whose namespace may not be read
	for _, dir := range netnsDirs {
		h.nameNamespaces(dir, found)
	}
	return found
}

// nameNamespaces adds the namespaces of a directory, and their names.
func (h *Host) nameNamespaces(dir string, found map[uint32]Netns) {
	names, _ := h.Names(dir)
	for _, name := range names {
		inode, ok := h.inode(path.Join(dir, name))
		if n := found[uint32(inode)]; ok && n.Name == "" {
			n.Name = name
			found[uint32(inode)] = n
		}
	}
}

// inode returns the inode number of a file; links are followed.
func (h *Host) inode(name string) (uint64, bool) {
	inode, err := guarded(h, name, foreignWait, func() (uint64, error) {
		info, err := fs.Stat(h.fsys, name)
		if err != nil {
			return 0, err
		}
		inode, _ := inodeOf(info)
		return inode, nil
	})
	return inode, err == nil && inode != 0
}
