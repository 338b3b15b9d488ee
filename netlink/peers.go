package netlink

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Peer is a process that listens for the alerts.
type Peer struct {
	PID     int
	Command string    // /proc/PID/comm
	Started time.Time // of the process; zero if that could not be read
}

// Peers lists the processes that listen to the multicast group of generic
// netlink, as proc, a mounted procfs, shows them: their sockets in net/netlink,
// whose owners are looked for in each PID/fd. Without root, only the caller's
// own processes are found; hidden counts the sockets whose owner was not.
// There a group is a bit of 32: a greater one cannot be asked for.
func Peers(proc string, group uint32) (peers []Peer, hidden int, err error) {
	if group < 1 || group > 32 {
		return nil, 0, fmt.Errorf("find listeners: group %d is none of 1 to 32", group)
	}
	f, err := os.Open(filepath.Join(proc, "net/netlink"))
	if err != nil {
		return nil, 0, fmt.Errorf("find listeners: %w", err)
	}
	defer f.Close()
	sockets, err := listening(f, group)
	if err != nil {
		return nil, 0, fmt.Errorf("find listeners: %w", err)
	}
	if len(sockets) == 0 {
		return nil, 0, nil // without a look at each process
	}
	owned := make(map[string]bool)
	dirs, _ := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	for _, dir := range dirs {
		if ownsAny(dir, sockets, owned) {
			peers = append(peers, newPeer(proc, dir))
		}
	}
	return peers, len(sockets) - len(owned), nil
}

// listening reads the inodes of the generic netlink sockets that have joined
// group, from the format of net/netlink/af_netlink.c netlink_native_seq_show,
// which shows the first 32 groups.
func listening(r io.Reader, group uint32) (map[string]bool, error) {
	const protocol, groups, inode, columns = 1, 3, 9, 10
	found := make(map[string]bool)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < columns || f[protocol] != "16" {
			continue
		}
		mask, err := strconv.ParseUint(f[groups], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("groups %q of a netlink socket: %w", f[groups], err)
		}
		if mask&(1<<(group-1)) != 0 {
			found[f[inode]] = true
		}
	}
	return found, lines.Err()
}

// ownsAny tells whether the process of dir has any of sockets open, and notes
// which in owned. A socket may have several owners.
func ownsAny(dir string, sockets, owned map[string]bool) (any bool) {
	fds, _ := os.ReadDir(filepath.Join(dir, "fd"))
	for _, fd := range fds {
		target, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
		if sockets[inode] {
			owned[inode], any = true, true
		}
	}
	return any
}

func newPeer(proc, dir string) Peer {
	pid, _ := strconv.Atoi(filepath.Base(dir))
	comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
	return Peer{PID: pid, Command: strings.TrimSuffix(string(comm), "\n"), Started: started(proc, dir)}
}

// started reads when the process of dir began: clock ticks after the boot,
// field 22 of proc(5)'s stat. The second, the command in parentheses, may hold
// anything.
func started(proc, dir string) time.Time {
	const ticksPerSecond, field = 100, 22 // USER_HZ, of every architecture of Linux's but alpha
	stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) <= field-3 {
		return time.Time{}
	}
	ticks, err := strconv.ParseInt(f[field-3], 10, 64)
	boot := bootTime(proc)
	if err != nil || boot == 0 {
		return time.Time{}
	}
	return time.Unix(boot+ticks/ticksPerSecond, 0)
}

// bootTime reads btime, seconds since 1970, of proc's stat; 0 if it is not there.
func bootTime(proc string) int64 {
	stat, _ := os.ReadFile(filepath.Join(proc, "stat"))
	_, rest, _ := strings.Cut(string(stat), "\nbtime ")
	line, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.ParseInt(line, 10, 64)
	return n
}
