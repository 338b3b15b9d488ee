package counters

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// generic asks a family of generic netlink for all that a command dumps, in the network
// namespace of the calling thread, and calls use with the attributes of each message.
// Attributes are those of the request. A kernel that lacks the family or the command has
// none of that: [fs.ErrNotExist].
func generic(family string, command uint8, attributes []byte, use func(attributes []byte) error) error {
	conn, err := genetlink.Dial(nil) // in the namespace of this thread
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(dumpWithin)); err != nil {
		return err
	}
	f, err := conn.GetFamily(family)
	if err != nil {
		return fmt.Errorf("ask the kernel for its family %s: %w", family, err)
	}
	request := genetlink.Message{Header: genetlink.Header{Command: command, Version: f.Version}, Data: attributes}
	messages, err := conn.Execute(request, f.ID, netlink.Request|netlink.Dump)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("ask the kernel's family %s: %w", family, fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("ask the kernel's family %s: %w", family, err)
	}
	for _, m := range messages {
		if err := use(m.Data); err != nil {
			return err
		}
	}
	return nil
}
