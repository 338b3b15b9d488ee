package netlink

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	nl "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"dropwatch/internal/vmtest"
)

// ctrlNotify is the group of the generic netlink controller, which every
// kernel has and anybody may join.
const ctrlNotify = 16

func eventListener(t *testing.T, readBuffer int) *Listener {
	t.Helper()
	sock, err := openEventSocket(ctrlNotify, readBuffer)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newListener(sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A sender multicasts to the group, as the kernel does.
type sender struct {
	t    *testing.T
	fd   int
	sent uint64
	msg  []byte
}

// newSender needs CAP_NET_ADMIN. Until its end the test is in a network
// namespace of its own, so that nobody else on this host receives it.
func newSender(t *testing.T) *sender {
	t.Helper()
	enterNamespace(t)
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &sender{t: t, fd: fd, msg: make([]byte, 200)}
}

// enterNamespace gives the test's thread, which may be the process's first and
// then stand for it in /proc, a network namespace until the test ends.
func enterNamespace(t *testing.T) {
	t.Helper()
	vmtest.RequireRoot(t)
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { before.Close() })
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setns(int(before.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Fatal(err)
		}
	})
}

// send sends a numbered message. The kernel ignores it: it is no request.
func (s *sender) send() {
	binary.NativeEndian.PutUint32(s.msg, uint32(len(s.msg)))
	binary.NativeEndian.PutUint16(s.msg[4:], 0x99)
	binary.NativeEndian.PutUint64(s.msg[20:], s.sent)
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (ctrlNotify - 1)}
	if err := unix.Sendto(s.fd, s.msg, 0, to); err != nil {
		s.t.Errorf("send: %v", err)
	}
	s.sent++
}

// A counter counts the messages of a sender and checks their order.
type counter struct {
	t              *testing.T
	received, next uint64
	full           bool // a batch was
}

func (c *counter) handle(msgs [][]byte, more bool) error {
	for _, msg := range msgs {
		if n := binary.NativeEndian.Uint64(msg[20:]); n < c.next {
			c.t.Errorf("message %d came after %d", n, c.next-1)
		} else {
			c.next = n + 1
		}
		if len(msg) != 200 {
			c.t.Errorf("message of %d bytes", len(msg))
		}
		c.received++
	}
	c.full = c.full || more
	return nil
}

// check is the ledger: what was received and what was lost is what was sent.
func (c *counter) check(l *Listener, sent uint64) {
	c.t.Helper()
	lost, err := l.Lost()
	if err != nil || c.received+lost != sent {
		c.t.Errorf("received %d and lost %d of %d, error %v", c.received, lost, sent, err)
	}
	c.t.Logf("sent %d, received %d, lost %d, overruns %d", sent, c.received, lost, l.Overruns())
}

// TestSocketOverrun overruns the buffer of a real socket, twice, between
// messages that find room.
func TestSocketOverrun(t *testing.T) {
	s := newSender(t)
	l := eventListener(t, 64<<10)
	c := &counter{t: t}
	for range 2 {
		for range 5000 {
			s.send()
		}
		if err := l.Drain(c.handle); err != nil {
			t.Fatal(err)
		}
		c.check(l, s.sent)
		before := c.received
		s.send()
		if err := l.Drain(c.handle); err != nil || c.received != before+1 {
			t.Errorf("%d messages after the overrun, error %v", c.received-before, err)
		}
		c.check(l, s.sent)
	}
	if !c.full {
		t.Error("no batch was full")
	}
}

// TestSocketReportsOverruns is for where the kernel does not go on delivering:
// then it says ENOBUFS, and delivers nothing more until all was read.
func TestSocketReportsOverruns(t *testing.T) {
	s := newSender(t)
	l := eventListener(t, 64<<10)
	if err := l.sock.(*socket).conn.SetOption(nl.NoENOBUFS, false); err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t}
	for round := range uint64(2) {
		for range 5000 {
			s.send()
		}
		if err := l.Drain(c.handle); err != nil || l.Overruns() != round+1 {
			t.Errorf("%d overruns, error %v", l.Overruns(), err)
		}
		c.check(l, s.sent)
	}
}

// TestSocketRace sends while it receives, faster than it is handled.
func TestSocketRace(t *testing.T) {
	s := newSender(t)
	l := eventListener(t, 16<<10)
	c := &counter{t: t}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Receive(ctx, c.handle) }()
	for range 50_000 {
		s.send()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := l.Drain(c.handle); err != nil {
		t.Error(err)
	}
	c.check(l, s.sent)
}

// TestSocketReceive waits for one message at a time, which nothing hurries.
func TestSocketReceive(t *testing.T) {
	s := newSender(t)
	l := eventListener(t, DefaultReadBuffer)
	c := &counter{t: t}
	stop := errors.New("enough")
	for range 20 {
		sent := make(chan struct{})
		go func() { s.send(); close(sent) }()
		err := l.Receive(t.Context(), func(msgs [][]byte, more bool) error {
			_ = c.handle(msgs, more)
			return stop
		})
		<-sent
		if err != stop {
			t.Fatal(err)
		}
	}
	c.check(l, 20)
}

// TestSocketTruncated: what is longer than any alert comes cut, and the next
// message in the same place of the batch whole.
func TestSocketTruncated(t *testing.T) {
	s := newSender(t)
	l := eventListener(t, DefaultReadBuffer)
	for _, tt := range []struct{ sent, want int }{{maxMessage + 8, maxMessage}, {maxMessage, maxMessage}, {200, 200}} {
		s.msg = make([]byte, tt.sent)
		s.msg[16] = cmdAlert
		s.send()
		err := l.Drain(func(msgs [][]byte, _ bool) error {
			if len(msgs) != 1 || len(msgs[0]) != tt.want {
				t.Errorf("%d messages, the first of %d bytes, want %d", len(msgs), len(msgs[0]), tt.want)
			}
			_, _, err := splitHeaders(msgs[0])
			if cut := tt.sent > tt.want; (err != nil) != cut {
				t.Errorf("message of %d bytes: %v", tt.sent, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestSocketStops: a Receive that waits in the kernel ends with its context,
// and so does the next.
func TestSocketStops(t *testing.T) {
	l := eventListener(t, 4096)
	for range 5 {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(20*time.Millisecond))
		if err := l.Receive(ctx, func([][]byte, bool) error { return nil }); err != nil || ctx.Err() == nil {
			t.Errorf("error %v, of the context %v, want it to end with the context", err, ctx.Err())
		}
		cancel()
	}
}

func TestSocketClosed(t *testing.T) {
	l := eventListener(t, 4096)
	failed := make(chan error)
	go func() { failed <- l.Receive(t.Context(), nil) }()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrClosed) {
		t.Errorf("receive: %v", err)
	}
	if err := l.Drain(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("drain: %v", err)
	}
	if _, err := l.Lost(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("lost: %v", err)
	}
}

func TestSocketReceiveAllocates(t *testing.T) {
	s := newSender(t)
	l := eventListener(t, DefaultReadBuffer)
	none := func([][]byte, bool) error { return nil }
	s.send()
	if err := l.Drain(none); err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (ctrlNotify - 1)}
	sending := testing.AllocsPerRun(100, func() { _ = unix.Sendto(s.fd, s.msg, 0, to) })
	if err := l.Drain(none); err != nil {
		t.Fatal(err)
	}
	both := testing.AllocsPerRun(100, func() {
		_ = unix.Sendto(s.fd, s.msg, 0, to)
		if _, err := l.receive(true); err != nil {
			t.Fatal(err)
		}
	})
	if both != sending {
		t.Errorf("%v allocations a batch", both-sending)
	}
}

// TestSocketRefused opens what is not there.
func TestSocketRefused(t *testing.T) {
	_, err := openEventSocket(0, 4096)
	if e, ok := errors.AsType[*Error](err); !ok || e.Op != "listen for alerts" || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("group 0: %v", err)
	}
}
