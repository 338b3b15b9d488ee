package owner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/event"
)

// maxHolders is of how many sockets the processes are known, those of the lowest
// numbers first. Each takes some 30 bytes.
const maxHolders = 1 << 18

// A holder is the process that has a socket.
type holder struct {
	pid    uint32
	shared bool // others have it, too, or may have
}

// readHolders looks for sockets among the open files of all processes (fd/ of
// proc_pid_fd(5)). Inode numbers of sockets are the whole host's.
func (h *host) readHolders() map[uint64]holder {
	holders, hidden := make(map[uint64]holder), !h.seesAll()
	for _, pid := range h.pids() {
		err := h.eachSocket(pid, func(inode uint64) {
			first, known := holders[inode]
			switch {
			case known:
				holders[inode] = first.and(pid)
			case len(holders) < maxHolders:
				holders[inode] = holder{pid: pid}
			}
		})
		hidden = hidden || errors.Is(err, fs.ErrPermission)
	}
	if hidden {
		for inode, held := range holders {
			holders[inode] = holder{held.pid, true}
		}
	}
	return holders
}

// runner is the process that the CPU ran, if it has the socket: most of what is
// sent is dropped while its sender runs. Others may have the socket, too.
func (h *host) runner(inode uint64, t *event.Task, now time.Time) (held holder, ok bool) {
	if inode == 0 || t.PID == 0 || now.Before(h.peeks.next) {
		return held, false
	}
	began := time.Now()
	_ = h.eachSocket(t.PID, func(n uint64) { ok = ok || n == inode }) // it may have ended
	h.peeks.spend(time.Since(began), now)
	return holder{pid: t.PID, shared: true}, ok
}

// and is the holder if that process, of a higher number, has the socket, too.
func (h holder) and(pid uint32) holder {
	switch h.pid {
	case pid:
		return h
	case 1:
		return holder{pid, true}
	}
	return holder{h.pid, true}
}

// eachSocket reads the links of a process that are of sockets. The error is of the
// first that may not be read.
func (h *host) eachSocket(pid uint32, found func(inode uint64)) error {
	dir, err := os.Open(h.proc(decimal(pid), "fd"))
	if err != nil {
		return err
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		inode, err := linked(dir.Name()+"/"+name, "socket")
		if errors.Is(err, fs.ErrPermission) {
			return err
		}
		if inode != 0 {
			found(inode)
		}
	}
	return nil
}

// linked reads the inode number of a link to what has no path, as socket:[812]; 0
// if it is of another kind.
func linked(path, kind string) (uint64, error) {
	link, err := os.Readlink(path)
	rest, ok := strings.CutPrefix(link, kind+":[")
	if err != nil || !ok {
		return 0, err
	}
	inode, _ := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return inode, nil
}

// initialPIDs is the PID namespace that all processes are in (PROC_PID_INIT_INO,
// include/linux/proc_ns.h).
const initialPIDs = 0xeffffffc

// seesAll says whether no process is outside our PID namespace.
func (h *host) seesAll() bool {
	ns, _ := linked(h.proc("self", "ns/pid"), "pid")
	return ns == initialPIDs
}

// pids gives the numbers of all processes, in order.
func (h *host) pids() []uint32 {
	dir, err := os.Open(filepath.Join(h.root, "proc"))
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []uint32
	for _, name := range names {
		if pid, err := strconv.ParseUint(name, 10, 32); err == nil {
			pids = append(pids, uint32(pid))
		}
	}
	slices.Sort(pids)
	return pids
}

// proc gives the path of a file of a process.
func (h *host) proc(pid, name string) string { return filepath.Join(h.root, "proc", pid, name) }

func decimal(pid uint32) string { return strconv.FormatUint(uint64(pid), 10) }

// A process is what its files say. It is empty if it has ended.
type process struct {
	comm   string
	cgroup string // path of version 2
	place
}

func (h *host) readProcess(pid uint32, _ time.Time) (p process) {
	comm, _ := readSome(h.proc(decimal(pid), "comm"))
	p.comm = strings.TrimSuffix(string(comm), "\n")
	lines, _ := readSome(h.proc(decimal(pid), "cgroup"))
	p.cgroup, p.place = parseCgroups(string(lines))
	return p
}
