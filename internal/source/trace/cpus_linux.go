package trace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func onlineCPUs() ([]int, error) {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, fmt.Errorf("find the CPUs: %w", err)
	}
	return parseCPUs(string(text))
}

// openUevents opens a socket on which the kernel says that a device has come or
// gone (lib/kobject_uevent.c), so that nobody has to look now and then.
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

// readUevents reads what there is, and tells whether it is of CPUs, or may be,
// and which of them went.
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
