package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/iptables"
)

// Options and structures of include/uapi/linux/netfilter_ipv4/ip_tables.h; those of
// IPv6 are the same.
const (
	iptSoGetInfo    = 64
	iptSoGetEntries = 65

	sizeofXtName  = 32
	sizeofGetInfo = 84 // struct ipt_getinfo

	// xtTries is how often to ask for rules that change while they are read.
	xtTries = 5
)

// xtables reads a table in the network namespace of the calling thread. It needs
// CAP_NET_ADMIN.
func xtables(f *iptables.Family, name string) (*iptables.Table, error) {
	if runtime.GOARCH == "386" { // which aligns the kernel's counters in another way
		return nil, errors.ErrUnsupported
	}
	domain := unix.AF_INET
	if f.Level == unix.SOL_IPV6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(fd)
	for range xtTries {
		var t *iptables.Table
		if t, err = readXtTable(fd, f.Level, name); !errors.Is(err, unix.EAGAIN) {
			return t, err
		}
	}
	return nil, fmt.Errorf("its rules change all the time: %w", err)
}

// readXtTable fails with EAGAIN if the table has another size than it had a moment ago.
func readXtTable(fd, level int, name string) (*iptables.Table, error) {
	info := make([]byte, sizeofGetInfo)
	copy(info[:sizeofXtName-1], name)
	if err := getsockopt(fd, level, iptSoGetInfo, info); err != nil {
		return nil, err
	}
	t := &iptables.Table{Hooks: binary.NativeEndian.Uint32(info[32:36])}
	for i := range t.HookEntries {
		t.HookEntries[i], t.Underflows[i] = binary.NativeEndian.Uint32(info[36+4*i:40+4*i]), binary.NativeEndian.Uint32(info[56+4*i:60+4*i])
	}
	const head = 40 // struct ipt_get_entries
	size := binary.NativeEndian.Uint32(info[80:84])
	b := make([]byte, head+int(size))
	copy(b[:sizeofXtName-1], name)
	binary.NativeEndian.PutUint32(b[sizeofXtName:36], size)
	if err := getsockopt(fd, level, iptSoGetEntries, b); err != nil {
		return nil, err
	}
	t.Entries = b[head:]
	return t, nil
}

// getsockopt reads an option whose buffer the kernel reads as well.
func getsockopt(fd, level, option int, b []byte) error {
	size := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return os.NewSyscallError("getsockopt", errno)
	}
	return nil
}
