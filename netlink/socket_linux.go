package netlink

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/mdlayher/genetlink"
	nl "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// batchSize is how many alerts one system call receives at most.
const batchSize = 32

// maxMessage is more than the largest alert: a payload of at most 65,527
// bytes, and half a KiB of other attributes. A longer one would be cut,
// which Decode reports as an error.
const maxMessage = 66 << 10

// A socket is the eventSocket that receives from the kernel. All its memory is made once:
// receiving allocates nothing.
type socket struct {
	conn   *genetlink.Conn
	raw    syscall.RawConn
	closed atomic.Bool

	headers [batchSize]mmsghdr
	vectors [batchSize]unix.Iovec
	buffer  []byte
	msgs    [][]byte

	// The answer of recvmmsg, and tryReceive as a function value, which RawConn calls.
	n        int
	errno    syscall.Errno
	recvmmsg func(fd uintptr) bool
}

// mmsghdr is struct mmsghdr, which x/sys/unix lacks.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// openEventSocket opens a socket with a receive buffer of so many bytes that has joined
// group.
func openEventSocket(group uint32, readBuffer int) (*socket, error) {
	const op = "listen for alerts"
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, newError("open the event socket", err, nil)
	}
	if err := conn.SetReadBuffer(readBuffer); err != nil {
		conn.Close()
		return nil, newError("set the receive buffer of the event socket", err, nil)
	}
	if err := conn.JoinGroup(group); err != nil {
		conn.Close()
		return nil, newError(op, err, map[syscall.Errno]error{unix.EPERM: ErrJoinPermission})
	}
	s, err := newSocket(conn)
	if err != nil {
		conn.Close()
		return nil, newError(op, err, nil)
	}
	s.surviveOverruns()
	return s, nil
}

// surviveOverruns makes the kernel go on delivering after an overrun, as soon
// as there is room (NETLINK_NO_ENOBUFS). Otherwise it delivers nothing until all that waits
// was read, which loses three times as much, and reports ENOBUFS, which says less than dropped.
func (s *socket) surviveOverruns() {
	if _, err := s.dropped(); err == nil {
		_ = s.conn.SetOption(nl.NoENOBUFS, true)
	}
}

// newSocket makes the memory that recvmmsg fills. The kernel's pointers into it are Go
// pointers too, so that the garbage collector keeps it; Go's heap does not move.
func newSocket(conn *genetlink.Conn) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, raw: raw, buffer: make([]byte, batchSize*maxMessage)}
	s.recvmmsg = s.tryReceive
	for i := range s.headers {
		s.vectors[i].Base = &s.buffer[i*maxMessage]
		s.vectors[i].SetLen(maxMessage)
		s.headers[i].hdr.Iov = &s.vectors[i]
		s.headers[i].hdr.SetIovlen(1)
	}
	return s, nil
}

// receive returns up to batchSize datagrams. One that is cut is as long as maxMessage.
func (s *socket) receive(wait bool) ([][]byte, error) {
	var err error
	if wait {
		err = s.raw.Read(s.recvmmsg)
	} else {
		err = s.raw.Control(func(fd uintptr) { s.recvmmsg(fd) })
	}
	if err != nil {
		return nil, s.why(err)
	}
	s.msgs = s.msgs[:0]
	switch s.errno {
	case 0:
		for i := range s.n {
			s.msgs = append(s.msgs, s.buffer[i*maxMessage:][:s.headers[i].len])
		}
		return s.msgs, nil
	case unix.EAGAIN:
		return nil, nil
	}
	return nil, s.errno
}

// tryReceive receives without waiting. It returns false if nothing was there, on which
// RawConn.Read waits and calls it again.
func (s *socket) tryReceive(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&s.headers)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		s.n, s.errno = int(n), errno
		if errno != unix.EINTR {
			return errno != unix.EAGAIN
		}
	}
}

// why returns os.ErrClosed after Close, which is not what RawConn returns then.
func (s *socket) why(err error) error {
	if s.closed.Load() {
		return os.ErrClosed
	}
	return err
}

// dropped reads sk_drops. The kernel counts there each message that it could
// not queue (netlink_overrun in net/netlink/af_netlink.c).
func (s *socket) dropped() (uint32, error) {
	var info [skMemInfoVars]uint32
	var errno syscall.Errno
	err := s.raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	switch {
	case err != nil:
		return 0, s.why(err)
	case errno != 0:
		return 0, errno
	}
	return info[skMemInfoDrops], nil
}

// Of include/uapi/linux/sock_diag.h.
const (
	skMemInfoDrops = 8 // SK_MEMINFO_DROPS
	skMemInfoVars  = 9 // SK_MEMINFO_VARS
)

// interrupt makes a waiting Read end by a deadline in the past.
func (s *socket) interrupt() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

func (s *socket) resume() { _ = s.conn.SetReadDeadline(time.Time{}) }

// Close also ends a receive that waits.
func (s *socket) Close() error {
	s.closed.Store(true)
	return s.conn.Close()
}
