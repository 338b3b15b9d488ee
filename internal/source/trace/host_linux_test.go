package trace

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/vmtest"
)

// need opens a Source. Where that cannot be it ends the test.
func need(t testing.TB, opts Options) *Source {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		vmtest.Without(t, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A nowhere is a network namespace of its own, on a thread of its own, from
// which packets are sent that nobody wants.
type nowhere struct {
	ethertype uint16 // one that nobody else on this host uses, with luck
	requests  chan func() error
	answers   chan error
}

func newNowhere(t testing.TB) *nowhere {
	t.Helper()
	n := &nowhere{uint16(0xa000 + rand.IntN(0x1000)), make(chan func() error), make(chan error)}
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its namespace
		for f := range n.requests {
			n.answers <- f()
		}
	}()
	t.Cleanup(func() { close(n.requests) })
	n.requests <- func() error { return unix.Unshare(unix.CLONE_NEWNET) }
	if err := <-n.answers; err != nil {
		vmtest.Without(t, fmt.Errorf("a network namespace of the test's own needs root: %w", err))
	}
	n.do(t, loopbackUp)
	return n
}

func (n *nowhere) do(t testing.TB, f func() error) {
	t.Helper()
	n.requests <- f
	if err := <-n.answers; err != nil {
		t.Fatal(err)
	}
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// frames sends count frames of an ethertype that no protocol has, over lo.
func (n *nowhere) frames(t testing.TB, count int) {
	t.Helper()
	swapped := n.ethertype<<8 | n.ethertype>>8
	n.send(t, unix.AF_PACKET, &unix.SockaddrLinklayer{Protocol: swapped, Ifindex: 1}, count)
}

// datagrams sends count datagrams to a closed port, over IPv6.
func (n *nowhere) datagrams(t testing.TB, count int) {
	t.Helper()
	n.send(t, unix.AF_INET6, &unix.SockaddrInet6{Port: 9, Addr: [16]byte{15: 1}}, count)
}

func (n *nowhere) send(t testing.TB, family int, to unix.Sockaddr, count int) {
	t.Helper()
	n.do(t, func() error {
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for range count {
			if err := unix.Sendto(fd, []byte("nobody wants this"), 0, to); err != nil {
				return err
			}
		}
		return nil
	})
}

var _ pipeline.Source = (*Source)(nil)
