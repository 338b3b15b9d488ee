// Package kernel asks the kernel over netlink, in the network namespace of the calling
// thread, and reads the attributes of its answers. What messages mean is up to the rooms that
// ask. Elsewhere than on Linux each question fails.
package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// Families of netlink (include/uapi/linux/netlink.h).
const (
	Route     = 0  // interfaces, routes, rules, queueing disciplines
	SockDiag  = 4  // sockets
	Netfilter = 12 // nf_tables, connection tracking
)

// Families of addresses on Linux (include/linux/socket.h), wherever this was built.
const (
	AFInet  = 2  // AF_INET
	AFInet6 = 10 // AF_INET6
)

// answerWithin is how long the kernel has to answer a request.
const answerWithin = 5 * time.Second

// Flags of a request (include/uapi/linux/netlink.h).
const (
	flagRequest = 0x1   // NLM_F_REQUEST
	flagDump    = 0x300 // all that there is
)

// Dump asks a family for all that it has of a type, and calls use with each message, without
// its header, which is valid until use returns. Body is what the request has before
// attributes. It fails as use does.
func Dump(family int, typ uint16, body []byte, use func(message []byte) error) error {
	return with(family, false, func(s *socket) error { return s.ask(typ, flagRequest|flagDump, body, use) })
}

// DumpStrict is Dump where the kernel sends only what body selects. It fails before Linux 4.20,
// which cannot select.
func DumpStrict(family int, typ uint16, body []byte, use func(message []byte) error) error {
	return with(family, true, func(s *socket) error { return s.ask(typ, flagRequest|flagDump, body, use) })
}

// Get asks a family for the one thing that body describes.
func Get(family int, typ uint16, body []byte, use func(message []byte) error) error {
	return with(family, false, func(s *socket) error { return s.ask(typ, flagRequest, body, use) })
}

// A Message is a part of a request that changes something.
type Message struct {
	Type, Flags uint16
	Body        []byte
}

// Flags of a Message.
const (
	Acknowledge = 0x4   // the kernel answers it also if there is no error
	Create      = 0x400 // NLM_F_CREATE
)

// Change sends messages at once, of which one is to be acknowledged, and waits for the first answer. What they make
// is there at least until the socket is closed that it returns, as its network namespace is.
func Change(family int, messages ...Message) (io.Closer, error) {
	s, err := open(family, false)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	var datagram []byte
	for _, m := range messages {
		datagram = append(datagram, request(m.Type, flagRequest|m.Flags, m.Body)...)
		datagram = append(datagram, make([]byte, align(len(datagram))-len(datagram))...)
	}
	if err := s.exchange(datagram, false, func([]byte) error { return nil }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// with calls f with a socket of the network namespace of the calling thread. Strict has the
// kernel check requests, and select by what they have.
func with(family int, strict bool, f func(*socket) error) error {
	s, err := open(family, strict)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer s.Close()
	return f(s)
}

// ask sends a request, and calls use with each message of the answer.
func (s *socket) ask(typ, flags uint16, body []byte, use func(message []byte) error) error {
	return s.exchange(request(typ, flags, body), flags&flagDump != 0, use)
}

// Types of messages of all families, and a flag of them.
const (
	typeNoop  = 1 // NLMSG_NOOP
	typeError = 2 // NLMSG_ERROR, also of a success that was asked for
	typeDone  = 3 // NLMSG_DONE: the end of a dump

	flagMulti = 0x2 // more follow, until one of typeDone

	sizeofHeader = 16 // struct nlmsghdr
)

// eachMessage calls use with each message of a datagram. More is false after the last of an
// answer. It fails as use does, or with the error that the kernel answers.
func eachMessage(datagram []byte, use func(message []byte) error) (more bool, err error) {
	for len(datagram) > 0 {
		size := 0
		if len(datagram) >= sizeofHeader {
			size = int(binary.NativeEndian.Uint32(datagram))
		}
		if size < sizeofHeader || size > len(datagram) {
			return false, fmt.Errorf("read the kernel's answer: a message of %d bytes is malformed", len(datagram))
		}
		message := datagram[sizeofHeader:size]
		switch binary.NativeEndian.Uint16(datagram[4:]) {
		case typeNoop:
		case typeError, typeDone:
			return false, outcome(message)
		default:
			more = binary.NativeEndian.Uint16(datagram[6:])&flagMulti != 0
			if err := use(message); err != nil {
				return false, err
			}
		}
		datagram = datagram[min(align(size), len(datagram)):]
	}
	return more, nil
}

// outcome is the error that a message ends an answer with, nil if that was complete.
func outcome(message []byte) error {
	if len(message) < 4 {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(message)); code < 0 {
		return fmt.Errorf("ask the kernel: %w", syscall.Errno(-code))
	}
	return nil
}

// request makes a message.
func request(typ, flags uint16, body []byte) []byte {
	m := make([]byte, sizeofHeader, sizeofHeader+align(len(body)))
	binary.NativeEndian.PutUint32(m, uint32(sizeofHeader+len(body)))
	binary.NativeEndian.PutUint16(m[4:], typ)
	binary.NativeEndian.PutUint16(m[6:], flags)
	return append(m, body...)
}

// align is the size of a message or an attribute with what fills it up (NLMSG_ALIGN).
func align(size int) int { return (size + 3) &^ 3 }
