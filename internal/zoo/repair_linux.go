package zoo

import (
	"errors"
	"syscall"
	"unsafe"

	"dropwatch/internal/vmtest/drops"
)

// Sequence numbers of a connection that was made by [connected].
const (
	sent     = 2000 // the next that this host sends
	received = 1000 // the next that it receives
)

// Options of a socket that is repaired, and their values (include/uapi/linux/tcp.h).
const (
	repair, queue, queueSeq, repairOptions, repairWindow = 19, 20, 21, 22, 29

	receiveQueue, sendQueue, offWithoutProbe = 1, 2, -1
)

// connected makes a connection without a handshake: as if it had been repaired.
// Its window is for so many bytes.
func connected(ns *drops.Namespace, window uint32, options ...uint32) (fd int) {
	fd = ns.Socket(syscall.SOCK_STREAM)
	set := func(option, value int) error { return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, option, value) }
	ns.Do(func() error {
		return errors.Join(
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1), set(repair, 1),
			set(queue, sendQueue), set(queueSeq, sent), set(queue, receiveQueue), set(queueSeq, received),
			syscall.Bind(fd, here), syscall.Connect(fd, there),
		)
	})
	if len(options) > 0 {
		ns.Do(func() error { return syscall.SetsockoptString(fd, syscall.IPPROTO_TCP, repairOptions, words(options)) })
	}
	ns.Do(func() error { // struct tcp_repair_window
		err := syscall.SetsockoptString(fd, syscall.IPPROTO_TCP, repairWindow, words([]uint32{received, 1000, 1000, window, received}))
		return errors.Join(err, set(repair, offWithoutProbe))
	})
	return fd
}

// words are the bytes of numbers.
func words(numbers []uint32) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(&numbers[0])), 4*len(numbers)))
}
