package host

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PIDs returns the PIDs of all processes, in ascending order; none if procfs is not mounted.
func (h *Host) PIDs() []uint32 {
	names, _ := h.Names("proc")
	var pids []uint32
	for _, name := range names {
		if pid, err := strconv.ParseUint(name, 10, 32); err == nil {
			pids = append(pids, uint32(pid))
		}
	}
	slices.Sort(pids)
	return pids
}

// proc returns the name of a file of a process.
func proc(pid uint32, file string) string {
	return "proc/" + strconv.FormatUint(uint64(pid), 10) + "/" + file
}

// Comm returns the name of a process or thread (/proc/PID/comm), which the program may
// choose: escape it before printing. It is empty if there is no such process.
func (h *Host) Comm(pid uint32) string {
	b, _ := h.ReadFile(proc(pid, "comm"))
	return strings.TrimSuffix(string(b), "\n")
}

// idle is the name of the kernel's idle threads, one for each CPU, which all have the number 0.
const idle = "swapper"

// ThreadName returns Comm, or "swapper" for 0. Outside of the initial PID namespace 0 also stands
// for threads that are not in it (__task_pid_nr_ns, kernel/pid.c): it has no name there.
func (h *Host) ThreadName(tid uint32) string {
	switch {
	case tid != 0:
		return h.Comm(tid)
	case h.SeesAllProcesses():
		return idle
	}
	return ""
}

// Sockets calls found with the inode number of each socket that a process has open
// (links in /proc/PID/fd). The numbers are unique on the host. The error is that of the
// first link that may not be read.
func (h *Host) Sockets(pid uint32, found func(inode uint64)) error {
	dir := proc(pid, "fd")
	names, err := h.names(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		inode, err := h.anonymous(dir+"/"+name, "socket")
		if errors.Is(err, fs.ErrPermission) {
			return err
		}
		if inode != 0 {
			found(inode)
		}
	}
	return nil
}

// anonymous returns the inode number in a link to an object without a path, such as
// socket:[812]; 0 if it is of another kind.
func (h *Host) anonymous(name, kind string) (uint64, error) {
	link, err := fs.ReadLink(h.fsys, name)
	if err != nil {
		return 0, err
	}
	rest, ok := strings.CutPrefix(link, kind)
	if !ok || !strings.HasPrefix(rest, ":[") {
		return 0, nil
	}
	inode, _ := strconv.ParseUint(strings.TrimSuffix(rest[len(":["):], "]"), 10, 64)
	return inode, nil
}

// A Credential is by what the kernel decides what a process may do.
type Credential struct {
	UID, EUID    uint32       // real and effective
	Capabilities Capabilities // effective, in the user namespace of the process
}

// Credential reads /proc/PID/status.
func (h *Host) Credential(pid uint32) (Credential, error) { return h.credential(proc(pid, "status")) }

// Self is the Credential of this process.
func (h *Host) Self() (Credential, error) { return h.credential("proc/self/status") }

// credential reads the Credential in a status file.
func (h *Host) credential(name string) (Credential, error) {
	b, err := h.ReadFile(name)
	if err != nil {
		return Credential{}, err
	}
	return ParseStatus(b)
}

// ParseStatus reads Uid and CapEff of proc_pid_status(5).
func ParseStatus(text []byte) (c Credential, err error) {
	const real, effective, all = 0, 1, 4
	ids := strings.Fields(field(text, "Uid"))
	if len(ids) != all {
		return c, errors.New("status of a process without Uid")
	}
	uid, err1 := strconv.ParseUint(ids[real], 10, 32)
	euid, err2 := strconv.ParseUint(ids[effective], 10, 32)
	caps, err3 := strconv.ParseUint(field(text, "CapEff"), 16, 64)
	return Credential{uint32(uid), uint32(euid), Capabilities(caps)}, errors.Join(err1, err2, err3)
}

// field returns what follows "name:" at the beginning of a line.
func field(text []byte, name string) string {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// started returns when a process began, in whole seconds; zero if that cannot be read.
func (h *Host) started(pid uint32) time.Time {
	stat, _ := h.ReadFile(proc(pid, "stat"))
	boot, _ := h.ReadFile("proc/stat")
	since, ok := parseStart(stat)
	at, ok2 := parseBootTime(boot)
	if !ok || !ok2 {
		return time.Time{}
	}
	return at.Add(since.Truncate(time.Second))
}

// StartedAfterBoot returns how long after the boot a process began, to a hundredth of a second, which
// distinguishes it from an earlier process with its PID. Ok is false if there is no such process.
func (h *Host) StartedAfterBoot(pid uint32) (since time.Duration, ok bool) {
	stat, _ := h.ReadFile(proc(pid, "stat"))
	return parseStart(stat)
}

// parseStart reads how long after the boot a process began, field 22 of proc_pid_stat(5).
// Field 2, the name in parentheses, may contain anything, spaces and parentheses too.
func parseStart(stat []byte) (since time.Duration, ok bool) {
	const ticksPerSecond, field = 100, 22 // USER_HZ, on every architecture but alpha
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) <= field-3 {
		return 0, false
	}
	ticks, err := strconv.ParseUint(f[field-3], 10, 48)
	return time.Duration(ticks) * (time.Second / ticksPerSecond), err == nil
}

// parseBootTime reads btime of proc_stat(5): when the host booted, in seconds since 1970.
func parseBootTime(stat []byte) (boot time.Time, ok bool) {
	_, rest, _ := bytes.Cut(stat, []byte("\nbtime "))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.ParseInt(string(line), 10, 64)
	return time.Unix(n, 0), err == nil && n > 0
}
