package bpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// need opens a Source. Where that cannot be it ends the test: as skipped, or
// as failed if DROPWATCH_REQUIRE_ALL is 1.
func need(t testing.TB, opts Options) *Source {
	t.Helper()
	s, err := Open(opts)
	if err == nil {
		t.Cleanup(func() { s.Close() })
		return s
	}
	if os.Getenv("DROPWATCH_REQUIRE_ALL") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
	return nil
}

// A place is a network namespace from which datagrams are sent to a closed port.
type place struct {
	*drops.Namespace
	inode uint32
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{Namespace: drops.NewNamespace(t)}
	p.Do(func() (err error) { p.inode, err = ownNetns(); return err })
	return p
}

// ownNetns is the inode of the calling thread's namespace.
func ownNetns() (uint32, error) {
	var st unix.Stat_t
	err := unix.Stat("/proc/thread-self/ns/net", &st)
	return uint32(st.Ino), err
}

// of tells whether a drop is one of send's.
func (p *place) of(e *event.Event) bool {
	return e.Netns.Inode == p.inode && e.Reason == reason("NO_SOCKET")
}

// reason is what this kernel says, if it says any.
func reason(name string) string {
	if !guest.AtLeast(5, 17) {
		return ""
	}
	return name
}

// refuse has a firewall that drops what is sent to a port.
func (p *place) refuse(t testing.TB, port int) {
	t.Helper()
	rules := "add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c udp dport %d drop"
	p.Do(func() error { return exec.Command("nft", fmt.Sprintf(rules, port)).Run() })
}

var closed = &unix.SockaddrInet4{Port: drops.Port, Addr: [4]byte{127, 0, 0, 1}}

// socket opens a socket in the namespace, which may be used from anywhere.
func (p *place) socket(t testing.TB) (fd int) {
	t.Helper()
	p.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// send loses count packets, as fast as that goes, on each of some CPUs.
func (p *place) send(t testing.TB, count int, cpus ...int) {
	t.Helper()
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

// A running is a Source whose Run has begun. It is an Output that keeps some of
// the drops, and the ledger of all.
type running struct {
	t      testing.TB
	keep   func(*event.Event) bool
	stop   context.CancelFunc
	done   chan error
	emit   func(*event.Event) error // what else is to be done
	mu     sync.Mutex
	kept   []event.Event
	flush  chan time.Time // the first
	ledger event.Ledger
}

func run(t testing.TB, s *Source, keep func(*event.Event) bool) *running {
	t.Helper()
	return runWith(t, s, &running{keep: keep})
}

func runWith(t testing.TB, s *Source, r *running) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.t, r.stop, r.done, r.flush = t, cancel, make(chan error, 1), make(chan time.Time, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- s.Run(ctx, r)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

func (r *running) Emit(e *event.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger.Add(e)
	if e.Kind == event.Drop && r.keep(e) {
		r.kept = append(r.kept, e.Clone())
	}
	if r.emit != nil {
		return r.emit(e)
	}
	return nil
}

func (r *running) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) > 0 {
		select {
		case r.flush <- time.Now():
		default:
		}
	}
	return nil
}

// await waits until as many packets were kept, but not for ever.
func (r *running) await(packets uint64) {
	for range 100 {
		r.mu.Lock()
		n, _ := total(r.kept)
		r.mu.Unlock()
		if n >= packets {
			return
		}
		time.Sleep(pollTime)
	}
}

// end stops the run and gives what was kept.
func (r *running) end() []event.Event {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	return r.kept
}

// total is the number of packets, and of those that are events by themselves.
func total(events []event.Event) (packets, single uint64) {
	for i := range events {
		packets += events[i].Count
		if events[i].Single {
			single++
		}
	}
	return packets, single
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
