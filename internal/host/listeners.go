package host

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// A Listener is a process that has joined a multicast group.
type Listener struct {
	PID     uint32    // in the PID namespace of this process
	Comm    string    // its name, which the program may choose
	Started time.Time // zero if that could not be read
}

// GenericListeners returns the processes that listen to a multicast group of generic netlink:
// those that have one of the sockets open which /proc/net/netlink lists. Without root only
// processes of the same user are found; hidden counts the sockets whose process was not
// found. The list has a bit for each of the groups 1 to 32: others are an error.
func (h *Host) GenericListeners(group uint32) (listeners []Listener, hidden int, err error) {
	f, err := h.open("proc/net/netlink")
	if err != nil {
		return nil, 0, fmt.Errorf("find listeners: %w", err)
	}
	defer f.Close()
	sockets, err := parseGenericListeners(f, group)
	if err != nil {
		return nil, 0, fmt.Errorf("find listeners: %w", err)
	}
	if len(sockets) == 0 {
		return nil, 0, nil // no need to read every process
	}
	owned := make(map[uint64]bool)
	for _, pid := range h.PIDs() {
		found := false
		h.Sockets(pid, func(inode uint64) {
			if sockets[inode] {
				owned[inode], found = true, true
			}
		})
		if found {
			listeners = append(listeners, Listener{pid, h.Comm(pid), h.started(pid)})
		}
	}
	return listeners, len(sockets) - len(owned), nil
}

// parseGenericListeners reads the inode numbers of the generic netlink sockets that
// have joined a group, 1 to 32 (net/netlink/af_netlink.c netlink_native_seq_show).
func parseGenericListeners(r io.Reader, group uint32) (map[uint64]bool, error) {
	const protocol, groups, inode, columns = 1, 3, 9, 10
	if group < 1 || group > 32 {
		return nil, fmt.Errorf("invalid multicast group %d: give 1 to 32", group)
	}
	found := make(map[uint64]bool)
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
		n, err := strconv.ParseUint(f[inode], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("inode %q of a netlink socket: %w", f[inode], err)
		}
		if mask&(1<<(group-1)) != 0 {
			found[n] = true
		}
	}
	return found, lines.Err()
}
