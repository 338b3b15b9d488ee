package bpf

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/sourcetest/detailtest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// kernelTypes are read once for all tests, which takes some 40 % of Open's time.
var kernelTypes = btf.NewCache()

// need opens a Source. Where that cannot be it ends the test.
func need(t testing.TB, opts Options) *Source {
	t.Helper()
	vmtest.RequireRoot(t)
	s, err := openWith(opts, kernelTypes)
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A place is a network namespace from which datagrams are sent to a closed port.
type place struct {
	*drops.Namespace
	inode uint32
}

func newPlace(t testing.TB) *place {
	t.Helper()
	ns := drops.NewNamespace(t)
	return &place{ns, ns.Inode()}
}

// another is a second place of the same test.
func (p *place) another() *place {
	ns := p.Another()
	return &place{ns, ns.Inode()}
}

// of reports whether a drop is one of send's.
func (p *place) of(e *event.Event) bool {
	return e.Netns.Inode == p.inode && e.Reason == reason("NO_SOCKET")
}

// reason is what this kernel says, if it says any.
func reason(name string) string { return since(5, 17, name) }

// since is what a kernel says from a version on that knows this reason.
var since = detailtest.Since

// refuse has a firewall that drops what is sent to a port, of a family of nft's.
func (p *place) refuse(t testing.TB, family string, port int) {
	t.Helper()
	rules := "add table %[1]s t; add chain %[1]s t c { type filter hook output priority 0; }; add rule %[1]s t c udp dport %[2]d drop"
	p.Do(func() error { return exec.Command("nft", fmt.Sprintf(rules, family, port)).Run() })
}

var closed = &unix.SockaddrInet4{Port: drops.Port, Addr: [4]byte{127, 0, 0, 1}}

// socket opens a socket in the namespace, which may be used from anywhere.
func (p *place) socket(t testing.TB) (fd int) {
	t.Helper()
	return p.socketOf(t, unix.AF_INET)
}

func (p *place) socketOf(t testing.TB, family uint16) (fd int) {
	t.Helper()
	p.Do(func() (err error) {
		fd, err = unix.Socket(int(family), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// run runs commands in the namespace, each of words between single spaces.
func (p *place) run(t testing.TB, commands ...string) {
	t.Helper()
	p.Do(func() error {
		for _, c := range commands {
			words := strings.Split(c, " ")
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", c, err, out)
			}
		}
		return nil
	})
}

// wire makes a pair of interfaces that are up, near and far.
func (p *place) wire(t testing.TB) {
	t.Helper()
	p.run(t, "ip link add near type veth peer name far", "ip link set near up", "ip link set far up")
}

// packetSocket opens a socket that sends frames.
func (p *place) packetSocket(t testing.TB) (fd int) {
	t.Helper()
	p.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// send loses count packets, as fast as that goes, on each of some CPUs.
func (p *place) send(t testing.TB, count int, cpus ...int) {
	t.Helper()
	all := p.NoPorts() + count*len(cpus)
	var wg sync.WaitGroup
	errs := make([]error, len(cpus))
	for i, cpu := range cpus {
		fd := p.socket(t)
		wg.Go(func() { errs[i] = sendFrom(cpu, fd, count) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	p.Await(fmt.Sprintf("%d datagrams without a socket", all), func() bool { return p.NoPorts() >= all })
}

func sendFrom(cpu, fd, count int) error {
	runtime.LockOSThread() // for good: the thread ends with its affinity
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	to := *closed // which Sendto writes to
	for range count {
		if err := unix.Sendto(fd, []byte("nobody wants this"), 0, &to); err != nil {
			return err
		}
	}
	return nil
}

// inode is that of a socket.
func inode(t testing.TB, fd int) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

var _ pipeline.Source = (*Source)(nil)
