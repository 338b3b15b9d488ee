package perf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openUevents opens a socket on which the kernel reports devices that come and go, CPUs among
// them (lib/kobject_uevent.c). The caller closes it, also after an error unless fd is -1.
func openUevents() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1})
	}
	if err != nil {
		return fd, fmt.Errorf("listen for CPUs that come and go: %w", err)
	}
	return fd, nil
}

// readUevents reads the waiting messages. Changed reports whether CPUs came or went, or may
// have, because messages were lost; gone has those that went offline.
func readUevents(fd int) (changed bool, gone []int) {
	var b [4096]byte
	for {
		n, err := unix.Read(fd, b[:])
		if err != nil {
			return changed || !errors.Is(err, unix.EAGAIN), gone
		}
		action, device, _ := strings.Cut(string(b[:n]), "@/devices/system/cpu/cpu")
		name, _, _ := strings.Cut(device, "\x00")
		cpu, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		changed = true
		if action == "offline" {
			gone = append(gone, cpu)
		}
	}
}
