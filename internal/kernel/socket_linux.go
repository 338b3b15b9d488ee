package kernel

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// A socket is one of netlink, which blocks: the kernel makes an answer while it is read. That
// is why it is not the runtime's, whose poller would be asked for each of thousands of parts.
type socket struct{ fd int }

// answers are buffers for the parts of answers. The kernel makes parts as large as it may, 32
// KiB, if there is as much room for them (net/netlink/af_netlink.c netlink_dump). What one
// attribute holds is at most twice that.
var answers = sync.Pool{New: func() any { return new([96 << 10]byte) }}

// open opens a socket of a family of netlink (NETLINK_*) in the network namespace of the calling thread. With strict the
// kernel selects what a dump has (from Linux 4.20 on; an error before). No answer is waited for longer than
// answerWithin.
func open(family int, strict bool) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, family)
	if err != nil {
		return nil, err
	}
	wait := unix.NsecToTimeval(answerWithin.Nanoseconds())
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
	if err == nil && strict {
		err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &socket{fd}, nil
}

// Close implements io.Closer.
func (s *socket) Close() error { return unix.Close(s.fd) }

// exchange sends a datagram, and calls use with each message of the answer, which of a dump has several parts.
func (s *socket) exchange(datagram []byte, dump bool, use func(message []byte) error) error {
	if err := unix.Sendto(s.fd, datagram, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask the kernel: %w", err)
	}
	buffer := answers.Get().(*[96 << 10]byte)
	defer answers.Put(buffer)
	for more := true; more; {
		n, err := s.receive(buffer[:])
		if err != nil {
			return err
		}
		if more, err = eachMessage(buffer[:n], use); err != nil {
			return err
		}
		more = more && dump // conntrack says so of its only answer (ctnetlink_fill_info)
	}
	return nil
}

// receive reads a part of the answer.
func (s *socket) receive(buffer []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, buffer, unix.MSG_TRUNC)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, fmt.Errorf("ask the kernel: no answer within %v", answerWithin)
		case err != nil:
			return 0, fmt.Errorf("read the kernel's answer: %w", err)
		case n > len(buffer):
			return 0, fmt.Errorf("read the kernel's answer: it has %d bytes at once", n)
		default:
			return n, nil
		}
	}
}
