package drops

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// A FreeScenario makes the kernel free packets as it frees lost ones, although not all of
// them are lost.
type FreeScenario struct {
	Name     string // for the name of a subtest
	Harmless int    // drops without a lost packet, each time
	Lost     int    // lost packets, each time
	Stack    bool   // without the packet's bytes or socket, only a stack trace distinguishes them
	prepare  func(ns *Namespace, n int) (free func())
}

// FreeScenarios are scenarios in which nothing is lost, and similar ones in which packets
// are lost. The first needs no module.
var FreeScenarios = []FreeScenario{
	{Name: "orderly close", Harmless: 1, Stack: true, prepare: closeInOrder},
	{Name: "unread ICMP errors", Harmless: 1, Lost: 1, prepare: unreadErrors}, // the datagrams themselves find no socket
	{Name: "own limited broadcast", Harmless: 1, prepare: broadcast([4]byte{255, 255, 255, 255})},
	{Name: "own subnet broadcast", Harmless: 1, prepare: broadcast([4]byte{10, 0, 0, 255})},
	{Name: "verdict of a queue's program", Lost: 1, prepare: verdicts},
	{Name: "full queue of a program", Harmless: 1, Lost: 1, Stack: true, prepare: fullProgramQueue},
	{Name: "full buffer of a queue's program", Harmless: 1, Lost: 1, Stack: true, prepare: fullProgramBuffer},
	{Name: "queue without a program", Lost: 1, prepare: nfqueue},
	{Name: "unread datagrams", Lost: 1, prepare: unreadDatagrams},
	{Name: "data for a connection that nobody accepts", Lost: 1, prepare: notAccepted}, // the FIN joins it
}

// Prepare makes a [Namespace] in which free makes the kernel free packets n times; it has
// done so when free returns.
func (f FreeScenario) Prepare(t testing.TB, n int) (free func()) {
	t.Helper()
	return f.PrepareIn(NewNamespace(t), n)
}

// PrepareIn is [FreeScenario.Prepare] in an existing namespace, in which nothing else was prepared.
func (f FreeScenario) PrepareIn(ns *Namespace, n int) (free func()) {
	ns.t.Helper()
	return f.prepare(ns, n)
}

// closeInOrder has healthy connections. The FIN that answers the first is freed with
// the socket of who sent that.
func closeInOrder(ns *Namespace, n int) func() {
	listener := ns.Listen(syscall.SOCK_STREAM)
	return func() {
		for range n {
			client := ns.Dial()
			server := ns.Accept(listener)
			ns.Write(client)
			ns.Read(server)
			ns.Do(func() error { return errors.Join(ns.Close(client), ns.Close(server)) })
		}
	}
}

// notAccepted sends data and a FIN on connections that are in the queue of a listener,
// which is closed.
func notAccepted(ns *Namespace, n int) func() {
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Do(func() error { return syscall.Listen(listener, n) })
	return func() {
		for range n {
			fd := ns.Dial()
			ns.Write(fd)
			ns.Do(func() error { return syscall.Shutdown(fd, syscall.SHUT_WR) })
		}
		ns.Do(func() error { return ns.Close(listener) })
	}
}

// unreadErrors has a socket that is to read ICMP errors (IP_RECVERR), and does not.
func unreadErrors(ns *Namespace, n int) func() {
	fd := ns.Socket(syscall.SOCK_DGRAM)
	ns.Do(func() error {
		return errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_IP, syscall.IP_RECVERR, 1), syscall.Connect(fd, closed))
	})
	return func() {
		for range n {
			ns.sendUntilAccepted(fd)
		}
		time.Sleep(10 * time.Millisecond) // for the last error
		ns.Do(func() error { return ns.Close(fd) })
	}
}

// sendUntilAccepted sends a datagram: an attempt may return the error of the one before.
func (ns *Namespace) sendUntilAccepted(fd int) {
	ns.t.Helper()
	ns.Do(func() (err error) {
		for range 100 {
			if _, err = syscall.Write(fd, []byte("x")); err == nil {
				return nil
			}
		}
		return err
	})
}

// broadcast sends to all on a network that has nobody else.
func broadcast(to [4]byte) func(*Namespace, int) func() {
	return func(ns *Namespace, n int) func() {
		ns.Run("ip", "link", "add", "d0", "type", "dummy")
		ns.Run("ip", "addr", "add", "10.0.0.1/24", "brd", "+", "dev", "d0")
		ns.Run("ip", "link", "set", "d0", "up")
		ns.Run("ip", "route", "add", "default", "dev", "d0")
		fd := ns.Socket(syscall.SOCK_DGRAM)
		ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1) })
		return func() {
			ns.Do(func() (err error) {
				for range n {
					err = errors.Join(err, syscall.Sendto(fd, []byte("anybody?"), 0, &syscall.SockaddrInet4{Port: Port, Addr: to}))
				}
				return err
			})
		}
	}
}

// unreadDatagrams closes a socket that has not read what it was sent.
func unreadDatagrams(ns *Namespace, n int) func() {
	fd := ns.Listen(syscall.SOCK_DGRAM)
	return func() {
		ns.SendUDP(n)
		ns.Do(func() error { return ns.Close(fd) })
	}
}

// Accept waits for a connection, a second at most.
func (ns *Namespace) Accept(listener int) (fd int) {
	ns.t.Helper()
	ns.Do(func() (err error) {
		fd, _, err = syscall.Accept(listener)
		return err
	})
	return fd
}

// Read reads what there is.
func (ns *Namespace) Read(fd int) {
	ns.t.Helper()
	ns.Do(func() error {
		n, err := syscall.Read(fd, make([]byte, 100))
		if err == nil && n == 0 {
			return errors.New("read: the connection was closed")
		}
		return err
	})
}

// Close closes a socket before the end of the test, which closes its number once more:
// so that stays taken.
func (ns *Namespace) Close(fd int) error {
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("close a socket: %w", err)
	}
	defer syscall.Close(null)
	return syscall.Dup3(null, fd, syscall.O_CLOEXEC)
}
