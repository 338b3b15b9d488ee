package trace

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// need opens a Source. Where that cannot be it ends the test.
func need(t testing.TB, opts Options) *Source {
	t.Helper()
	vmtest.RequireRoot(t)
	s, err := Open(opts)
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A nowhere is a network namespace from which packets are sent that nobody wants. No
// other test has one meanwhile.
type nowhere struct {
	*drops.Namespace
	ethertype uint16 // one that nobody else on this host uses, with luck
}

func newNowhere(t testing.TB) *nowhere {
	t.Helper()
	n := &nowhere{drops.NewNamespace(t), uint16(0xa000 + rand.IntN(0x1000))}
	n.EnableIPv6()
	return n
}

// frames sends count frames of an ethertype that no protocol has, over lo.
func (n *nowhere) frames(t testing.TB, count int) {
	t.Helper()
	swapped := n.ethertype<<8 | n.ethertype>>8
	n.send(t, unix.AF_PACKET, &unix.SockaddrLinklayer{Protocol: swapped, Ifindex: 1}, count)
}

// filter lets through only what frames sends: others on this host drop as they like.
func (n *nowhere) filter() string { return "protocol == " + strconv.Itoa(int(n.ethertype)) }

// datagrams sends count datagrams to a closed port, over IPv6.
func (n *nowhere) datagrams(t testing.TB, count int) {
	t.Helper()
	n.send(t, unix.AF_INET6, &unix.SockaddrInet6{Port: 9, Addr: [16]byte{15: 1}}, count)
}

func (n *nowhere) send(t testing.TB, family int, to unix.Sockaddr, count int) {
	t.Helper()
	n.Do(func() error {
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
