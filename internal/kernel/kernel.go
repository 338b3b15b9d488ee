// Package kernel asks the kernel over netlink, in the network namespace of the calling
// thread, and reads the attributes of its answers. What messages mean is up to the rooms that
// ask. Elsewhere than on Linux each question fails.
package kernel

import (
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
)

// Families of netlink (include/uapi/linux/netlink.h).
const (
	Route     = 0  // interfaces, routes, rules, queueing disciplines
	SockDiag  = 4  // sockets
	Netfilter = 12 // nf_tables, connection tracking
)

// answerWithin is how long the kernel has to answer a request.
const answerWithin = 5 * time.Second

// Dump asks a family for all that it has of a type, and calls use with each message, without
// its header. Body is what the request has before attributes. It fails as use does.
func Dump(family int, typ uint16, body []byte, use func(message []byte) error) error {
	return request(family, nil, netlink.Request|netlink.Dump, typ, body, use)
}

// DumpStrict is Dump where the kernel sends only what body selects. It fails before Linux 4.20,
// which cannot select.
func DumpStrict(family int, typ uint16, body []byte, use func(message []byte) error) error {
	return request(family, &netlink.Config{Strict: true}, netlink.Request|netlink.Dump, typ, body, use)
}

// Get asks a family for the one thing that body describes.
func Get(family int, typ uint16, body []byte, use func(message []byte) error) error {
	return request(family, nil, netlink.Request, typ, body, use)
}

func request(family int, config *netlink.Config, flags netlink.HeaderFlags, typ uint16, body []byte, use func([]byte) error) error {
	conn, err := netlink.Dial(family, config)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	messages, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: flags}, Data: body})
	if err != nil {
		return fmt.Errorf("ask the kernel: %w", err)
	}
	for _, m := range messages {
		if err := use(m.Data); err != nil {
			return err
		}
	}
	return nil
}
