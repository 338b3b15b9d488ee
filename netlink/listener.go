package netlink

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// A ListenConfig says how to listen. Its zero value is ready.
type ListenConfig struct {
	// ReadBuffer is the size in bytes of the kernel's receive buffer for the
	// socket, which holds the alerts that were not read yet: SO_RCVBUFFORCE
	// with CAP_NET_ADMIN, otherwise SO_RCVBUF, which net.core.rmem_max bounds.
	// The kernel doubles it for its own overhead. Zero: DefaultReadBuffer.
	ReadBuffer int
}

// DefaultReadBuffer is the size of the receive buffer in bytes, before the
// kernel doubles it: room for some 30,000 alerts of small packets.
const DefaultReadBuffer = 16 << 20

// A Listener receives alerts. Its methods must not be called concurrently, but
// for Close, which ends a Receive with [os.ErrClosed].
type Listener struct {
	sock     eventSocket
	lost     uint64
	drops    uint32 // the kernel's count when it was last read
	overruns uint64
}

// An eventSocket is what a Listener needs of its socket.
type eventSocket interface {
	// receive returns the waiting datagrams, which are valid until the next call.
	// If wait is true it waits for the first; otherwise there may be none.
	receive(wait bool) ([][]byte, error)
	// dropped is the kernel's count of datagrams that found no room.
	dropped() (uint32, error)
	// interrupt makes a waiting receive, and all later ones that wait, fail
	// with os.ErrDeadlineExceeded, until resume.
	interrupt()
	// resume undoes interrupt.
	resume()
	Close() error
}

// Listen joins the group of the alerts on a socket of its own, which the caller closes.
// Listen before [Client.Start], or the first alerts are missed. [ErrJoinPermission].
func (c *Client) Listen(cfg ListenConfig) (*Listener, error) {
	if cfg.ReadBuffer == 0 {
		cfg.ReadBuffer = DefaultReadBuffer
	}
	sock, err := openEventSocket(c.Group(), cfg.ReadBuffer)
	if err != nil {
		return nil, err
	}
	return newListener(sock)
}

// newListener reads the kernel's count of drops, so that Lost counts from now on.
func newListener(sock eventSocket) (*Listener, error) {
	l := &Listener{sock: sock}
	_, err := l.Lost()
	if err != nil && !errors.Is(err, ErrUnsupported) {
		sock.Close()
		return nil, err
	}
	l.lost = 0
	return l, nil
}

// A Handler gets messages as they were received, each a whole netlink message
// for [Decoder.Decode], valid until it returns. More says that further messages are
// probably waiting; if there are none after all, Receive calls it without messages.
type Handler func(msgs [][]byte, more bool) error

// Receive hands alerts to handle, many at a time, until ctx ends, which is no
// error and is acted on within 10 ms, or handle fails. A receive buffer that ran
// over (ENOBUFS) is counted in [Listener.Overruns], and reading goes on. Once
// ctx has ended, what is still waiting is for [Listener.Drain], or for another
// Receive.
func (l *Listener) Receive(ctx context.Context, handle Handler) error {
	defer l.interruptAfter(ctx)()
	for more := false; ctx.Err() == nil; {
		msgs, err := l.receive(!more)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
		more = len(msgs) == batchSize
		if err := handle(msgs, more); err != nil {
			return err
		}
		if !more {
			time.Sleep(gather)
		}
	}
	return nil
}

// gather is how long Receive waits after it has read all alerts, so that under load one
// system call receives many. It is too short for a person to notice, and for the receive
// buffer to fill.
const gather = 10 * time.Millisecond

// interruptAfter interrupts the socket when ctx ends. Undo resumes it, so that no interrupt
// outlives its Receive.
func (l *Listener) interruptAfter(ctx context.Context) (undo func()) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		l.sock.interrupt()
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
			l.sock.resume()
		}
	}
}

// Drain hands alerts to handle until no more are waiting or handle fails.
func (l *Listener) Drain(handle Handler) error {
	for {
		msgs, err := l.receive(false)
		if err != nil || len(msgs) == 0 {
			return err
		}
		if err := handle(msgs, len(msgs) == batchSize); err != nil {
			return err
		}
	}
}

// receive receives a batch, and counts the overruns before it.
func (l *Listener) receive(wait bool) ([][]byte, error) {
	msgs, err := l.sock.receive(wait)
	for ; errors.Is(err, syscall.ENOBUFS); msgs, err = l.sock.receive(wait) {
		l.overruns++
	}
	return msgs, newError("receive alerts", err, nil)
}

// Lost is the exact number of alerts since Listen that found the receive
// buffer full (sk_drops, read by SO_MEMINFO). [ErrUnsupported] before Linux
// 4.12, where [Listener.Overruns] is all that is known.
func (l *Listener) Lost() (uint64, error) {
	n, err := l.sock.dropped()
	if err != nil {
		return l.lost, newError("read the event socket's count of drops", err, lostErrors)
	}
	l.lost += uint64(n - l.drops) // right also where the kernel's 32 bits wrap
	l.drops = n
	return l.lost, nil
}

var lostErrors = map[syscall.Errno]error{syscall.ENOPROTOOPT: ErrUnsupported}

// Overruns is how often the kernel reported ENOBUFS, each of which stands for
// any number of lost alerts.
func (l *Listener) Overruns() uint64 { return l.overruns }

// Close leaves the group and closes the socket.
func (l *Listener) Close() error { return l.sock.Close() }
