package trace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
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
	unable(t, err)
	return nil
}

func unable(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("DROPWATCH_REQUIRE_ALL") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
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
		unable(t, fmt.Errorf("a network namespace of the test's own needs root: %w", err))
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

// A running is a Source whose Run has begun. It is an Output that keeps some of
// the drops, and the ledger of all.
type running struct {
	t       testing.TB
	keep    func(*event.Event) bool
	stop    context.CancelFunc
	done    chan error
	emit    func(*event.Event) error // what else is to be done
	mu      sync.Mutex
	kept    []event.Event
	at      []time.Time // when they came
	flushed time.Time   // last
	ledger  event.Ledger
}

func run(t testing.TB, s *Source, keep func(*event.Event) bool) *running {
	t.Helper()
	return runWith(t, s, &running{keep: keep})
}

func runWith(t testing.TB, s *Source, r *running) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.t, r.stop, r.done = t, cancel, make(chan error, 1)
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
		r.kept, r.at = append(r.kept, e.Clone()), append(r.at, time.Now())
	}
	if r.emit != nil {
		return r.emit(e)
	}
	return nil
}

func (r *running) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushed = time.Now()
	return nil
}

// end stops the run, within its time, and gives what was kept.
func (r *running) end() []event.Event {
	r.t.Helper()
	begin := time.Now()
	r.stop()
	err := <-r.done
	if d := r.flushed.Sub(begin); d < 0 || d > time.Second {
		r.t.Errorf("flushed %v after the end, want within a second", d)
	}
	if err != nil {
		r.t.Error(err)
	}
	return r.kept
}

var _ pipeline.Source = (*Source)(nil)
