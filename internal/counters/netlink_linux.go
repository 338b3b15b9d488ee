package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// dumpWithin is how long the kernel has to answer a request for a dump.
const dumpWithin = 5 * time.Second

// dump asks a family of netlink for all that it has of a type, in the network
// namespace of the calling thread, and calls use with each message. Body is what the
// request has before attributes.
func dump(family int, typ netlink.HeaderType, body []byte, use func(netlink.Message) error) error {
	return request(family, nil, netlink.Header{Type: typ, Flags: netlink.Request | netlink.Dump}, body, use)
}

// request is dump for any request, from a socket of any configuration.
func request(family int, config *netlink.Config, header netlink.Header, body []byte, use func(netlink.Message) error) error {
	conn, err := netlink.Dial(family, config) // in the namespace of this thread
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(dumpWithin)); err != nil {
		return err
	}
	messages, err := conn.Execute(netlink.Message{Header: header, Data: body})
	if err != nil {
		return fmt.Errorf("ask the kernel: %w", err)
	}
	for _, m := range messages {
		if err := use(m); err != nil {
			return err
		}
	}
	return nil
}

// links calls use with each interface of the namespace (struct ifinfomsg,
// include/uapi/linux/rtnetlink.h).
func links(use func(message []byte) error) error {
	return dump(unix.NETLINK_ROUTE, unix.RTM_GETLINK, make([]byte, sizeofIfInfomsg), func(m netlink.Message) error { return use(m.Data) })
}

// qdiscs calls use with each queueing discipline of the namespace (struct tcmsg).
func qdiscs(use func(message []byte) error) error {
	return dump(unix.NETLINK_ROUTE, unix.RTM_GETQDISC, make([]byte, sizeofTcmsg), func(m netlink.Message) error { return use(m.Data) })
}

// filters calls use with each filter of tc at a parent of an interface (struct tcmsg).
func filters(ifindex, parent uint32, use func(message []byte) error) error {
	body := make([]byte, sizeofTcmsg)
	binary.NativeEndian.PutUint32(body[4:], ifindex)
	binary.NativeEndian.PutUint32(body[12:], parent)
	return dump(unix.NETLINK_ROUTE, unix.RTM_GETTFILTER, body, func(m netlink.Message) error { return use(m.Data) })
}

// routes calls use with each route of the namespace that is like a struct rtmsg.
func routes(body []byte, use func(message []byte) error) error {
	header := netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump}
	strict := &netlink.Config{Strict: true} // without it the kernel sends all
	return request(unix.NETLINK_ROUTE, strict, header, body, func(m netlink.Message) error { return use(m.Data) })
}

// route calls use with the route of the packet that a struct rtmsg describes.
func route(body []byte, use func(message []byte) error) error {
	header := netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request}
	return request(unix.NETLINK_ROUTE, nil, header, body, func(m netlink.Message) error { return use(m.Data) })
}

// sockets calls use with the kernel's answers to a request for sockets
// (include/uapi/linux/sock_diag.h).
func sockets(request []byte, use func(message []byte) error) error {
	return dump(unix.NETLINK_SOCK_DIAG, unix.SOCK_DIAG_BY_FAMILY, request, func(m netlink.Message) error { return use(m.Data) })
}

// nftablesDump calls use with what nf_tables has of a type in the namespace, for all
// families (struct nfgenmsg, include/uapi/linux/netfilter/nfnetlink.h).
func nftablesDump(get uint16, use func(message []byte) error) error {
	return nftablesOf(get, make([]byte, sizeofNfgenmsg), use)
}

// nftablesElements calls use with the messages that hold the elements of a set.
func nftablesElements(s *nftSet, use func(message []byte) error) error {
	body, err := elementsOf(s)
	if err != nil {
		return err
	}
	return nftablesOf(nftGetSetElement, body, use)
}

func nftablesOf(get uint16, body []byte, use func(message []byte) error) error {
	typ := netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | get)
	err := dump(unix.NETLINK_NETFILTER, typ, body, func(m netlink.Message) error { return use(m.Data) })
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) { // a kernel without nfnetlink, or without nf_tables
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
