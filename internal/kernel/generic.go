package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// DumpGeneric asks a family of generic netlink for all that a command dumps, and calls use
// with the attributes of each message. Attributes are those of the request. A kernel that
// lacks the family or the command has none of that: [fs.ErrNotExist].
func DumpGeneric(family string, command uint8, attributes []byte, use func(attributes []byte) error) error {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return fmt.Errorf("open a netlink socket: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	f, err := conn.GetFamily(family)
	if err != nil {
		return fmt.Errorf("ask the kernel for its family %s: %w", family, err)
	}
	request := genetlink.Message{Header: genetlink.Header{Command: command, Version: f.Version}, Data: attributes}
	messages, err := conn.Execute(request, f.ID, netlink.Request|netlink.Dump)
	if errors.Is(err, syscall.EOPNOTSUPP) {
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
