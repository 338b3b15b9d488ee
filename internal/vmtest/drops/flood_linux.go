package drops

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// DropEgress has netfilter drop all that lo is to send.
func (ns *Namespace) DropEgress() {
	ns.t.Helper()
	ns.Run("nft", "add table netdev t; add chain netdev t c { type filter hook egress device lo priority 0; policy drop; }")
}

// Flood sends datagrams to Port from each of some CPUs, as fast as they can, for a time. It
// returns how many were sent and how long that took.
func (ns *Namespace) Flood(d time.Duration, cpus ...int) (sent int, took time.Duration) {
	ns.t.Helper()
	floods := make([]flood, len(cpus))
	var wg sync.WaitGroup
	for i, cpu := range cpus {
		fd := ns.Socket(syscall.SOCK_DGRAM)
		wg.Go(func() { floods[i].send(cpu, fd, d) })
	}
	wg.Wait()
	for _, f := range floods {
		if f.err != nil {
			ns.t.Fatal(f.err)
		}
		sent, took = sent+f.sent, max(took, f.took)
	}
	return sent, took
}

// A flood is what one CPU sent.
type flood struct {
	sent int
	took time.Duration
	err  error
}

// send sends from a thread of its own.
func (f *flood) send(cpu, fd int, d time.Duration) {
	runtime.LockOSThread() // for good: the thread ends with its affinity
	if f.err = pin(cpu); f.err != nil {
		return
	}
	to := syscall.RawSockaddrInet4{Family: syscall.AF_INET, Port: Port << 8, Addr: closed.Addr}
	for begin := time.Now(); f.took < d; f.took = time.Since(begin) {
		for range 64 {
			_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&to)), 4, 0,
				uintptr(unsafe.Pointer(&to)), unsafe.Sizeof(to))
			if errno != 0 && errno != syscall.EPERM {
				f.err = errno
				return
			}
			f.sent++
		}
	}
}

// pin restricts the calling thread to a CPU.
func pin(cpu int) error {
	var set [1024 / 64]uint64
	set[cpu/64] = 1 << (cpu % 64)
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		return fmt.Errorf("keep the flood on CPU %d: %w", cpu, errno)
	}
	return nil
}
