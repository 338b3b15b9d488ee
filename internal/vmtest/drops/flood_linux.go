package drops

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// DropEgress has netfilter drop all that lo is to send.
func (ns *Namespace) DropEgress() {
	ns.t.Helper()
	ns.run("nft", "add table netdev t; add chain netdev t c { type filter hook egress device lo priority 0; policy drop; }")
}

// Flood sends datagrams to Port on one CPU, as fast as that can, and tells how
// many and how long that took.
func (ns *Namespace) Flood(cpu int, d time.Duration) (sent int, took time.Duration) {
	ns.t.Helper()
	fd := ns.socket(syscall.SOCK_DGRAM)
	ns.Do(func() error {
		if err := pin(cpu); err != nil {
			return err
		}
		to := syscall.RawSockaddrInet4{Family: syscall.AF_INET, Port: Port << 8, Addr: closed.Addr}
		for begin := time.Now(); took < d; took = time.Since(begin) {
			for range 64 {
				_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&to)), 4, 0,
					uintptr(unsafe.Pointer(&to)), unsafe.Sizeof(to))
				if errno != 0 && errno != syscall.EPERM {
					return errno
				}
				sent++
			}
		}
		return nil
	})
	return sent, took
}

// pin keeps the calling thread on a CPU.
func pin(cpu int) error {
	var set [1024 / 64]uint64
	set[cpu/64] = 1 << (cpu % 64)
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		return fmt.Errorf("keep the flood on CPU %d: %w", cpu, errno)
	}
	return nil
}
