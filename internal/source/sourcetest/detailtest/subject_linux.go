package detailtest

import (
	"net"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// A Subject is a source under test.
type Subject struct {
	Open func(t *testing.T) pipeline.Source

	// Of returns what reports whether a drop is one of a namespace, at an interface unless
	// that is empty, with the reason of a family unless that is empty. A source that does not
	// know the one goes by the other.
	Of func(ns *drops.Namespace, iface, family string) func(*event.Event) bool

	Counts  bool // it reports some of the drops in counts
	Sockets bool // it reads sockets
}

// Since returns what a kernel says from a version on that knows this reason.
func Since(major, minor int, name string) string {
	switch {
	case guest.AtLeast(major, minor):
		return name
	case guest.AtLeast(5, 17):
		return "NOT_SPECIFIED"
	}
	return ""
}

// Arg returns an argument of a drop.
func Arg(e *event.Event, name string) (a event.Arg, ok bool) {
	i := slices.IndexFunc(e.Args, func(a event.Arg) bool { return a.Name == name })
	if i < 0 {
		return event.Arg{}, false
	}
	return e.Args[i], true
}

// Frame returns a frame of an ethertype that no protocol has, for the far end of a wire.
func Frame(size int) []byte {
	return append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, size)...)
}

// Burst sends frames at an interface as fast as that goes: the thread does not return to Go between two of them, where it
// may sleep. One that finds no room is not sent.
func Burst(t *testing.T, ns *drops.Namespace, iface string, frame []byte, count int) {
	t.Helper()
	ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		return sendAll(fd, i.Index, frame, count)
	})
}

// sendAll sends a frame so many times at an interface. It ignores a want of room.
func sendAll(fd, ifindex int, frame []byte, count int) error {
	to := unix.RawSockaddrLinklayer{Family: unix.AF_PACKET, Ifindex: int32(ifindex)}
	data := unix.Iovec{Base: &frame[0]}
	data.SetLen(len(frame))
	messages := make([]message, count)
	for i := range messages {
		m := &messages[i].header
		m.Name, m.Namelen, m.Iov = (*byte)(unsafe.Pointer(&to)), unix.SizeofSockaddrLinklayer, &data
		m.SetIovlen(1)
	}
	for len(messages) > 0 {
		some := messages[:min(len(messages), 1024)] // which is UIO_MAXIOV: no call sends more
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&some[0])), uintptr(len(some)), 0, 0, 0)
		if errno == unix.ENOBUFS {
			sent = 0
		} else if errno != 0 {
			return errno
		}
		messages = messages[min(int(sent)+1, len(some)):] // the one after those that were sent found no room
	}
	return nil
}

// A message is struct mmsghdr of include/linux/socket.h.
type message struct {
	header unix.Msghdr
	length uint32
}
