package counters

import (
	"encoding/binary"

	"dropwatch/internal/kernel"
)

// Messages of include/uapi/linux/rtnetlink.h and sock_diag.h.
const (
	rtmGetLink    = 18
	rtmGetQdisc   = 38
	rtmGetTclass  = 42
	rtmGetTfilter = 46

	sockDiagByFamily = 20
)

// links calls use with each interface of the namespace (struct ifinfomsg).
func links(use func(message []byte) error) error {
	return kernel.Dump(kernel.Route, rtmGetLink, make([]byte, sizeofIfInfomsg), use)
}

// qdiscs calls use with each queueing discipline of the namespace (struct tcmsg).
func qdiscs(use func(message []byte) error) error {
	return kernel.Dump(kernel.Route, rtmGetQdisc, make([]byte, sizeofTcmsg), use)
}

// classes calls use with each class of the queueing disciplines of an interface (struct tcmsg).
func classes(ifindex uint32, use func(message []byte) error) error {
	body := make([]byte, sizeofTcmsg)
	binary.NativeEndian.PutUint32(body[4:], ifindex)
	return kernel.Dump(kernel.Route, rtmGetTclass, body, use)
}

// filters calls use with each filter of tc at a parent of an interface (struct tcmsg).
func filters(ifindex, parent uint32, use func(message []byte) error) error {
	body := make([]byte, sizeofTcmsg)
	binary.NativeEndian.PutUint32(body[4:], ifindex)
	binary.NativeEndian.PutUint32(body[12:], parent)
	return kernel.Dump(kernel.Route, rtmGetTfilter, body, use)
}

// sockets calls use with the kernel's answers to a request for sockets
// (include/uapi/linux/sock_diag.h). It fails with [ErrHeld] if the kernel would not answer: a helper of this process waits.
func sockets(request []byte, use func(message []byte) error) error {
	if waiting.Load() > 0 {
		return ErrHeld
	}
	return kernel.Dump(kernel.SockDiag, sockDiagByFamily, request, use)
}
