package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/mdlayher/netlink"
)

// Generic netlink, and the family that knows the others (include/uapi/linux/genetlink.h).
const (
	generic = 16 // family of netlink

	controlID  = 16 // GENL_ID_CTRL
	controlGet = 3  // command

	controlFamilyID   = 1 // attribute
	controlFamilyName = 2 // CTRL_ATTR_FAMILY_NAME

	sizeofGenericHeader = 4 // struct genlmsghdr: command, version
)

// DumpGeneric asks a family of generic netlink for all that a command dumps, and calls use
// with the attributes of each message, which are valid until use returns. Attributes are those
// of the request. A kernel that lacks the family or the command has none of that:
// [fs.ErrNotExist].
func DumpGeneric(family string, command uint8, attributes []byte, use func(attributes []byte) error) error {
	return with(generic, false, func(s *socket) error {
		id, err := s.family(family)
		if err != nil {
			return fmt.Errorf("find the kernel's family %s: %w", family, err)
		}
		err = s.askGeneric(id, flagRequest|flagDump, command, attributes, use)
		if errors.Is(err, syscall.EOPNOTSUPP) {
			err = fs.ErrNotExist
		}
		if err != nil {
			return fmt.Errorf("ask the kernel's family %s: %w", family, err)
		}
		return nil
	})
}

// family returns the number of a family by its name, which loads the module that has it.
func (s *socket) family(name string) (id uint16, err error) {
	request := netlink.NewAttributeEncoder()
	request.String(controlFamilyName, name)
	attributes, err := request.Encode()
	if err != nil {
		return 0, err
	}
	err = s.askGeneric(controlID, flagRequest, controlGet, attributes, func(answer []byte) error {
		if number := Attribute(answer, controlFamilyID); len(number) == 2 {
			id = binary.NativeEndian.Uint16(number)
		}
		return nil
	})
	return id, err
}

// askGeneric sends a command of a family of generic netlink, and calls use with the attributes of each answer, which are
// valid until it returns.
func (s *socket) askGeneric(family, flags uint16, command uint8, attributes []byte, use func(attributes []byte) error) error {
	body := append([]byte{command, 1, 0, 0}, attributes...)
	return s.ask(family, flags, body, func(message []byte) error {
		if err := CheckSize(message, sizeofGenericHeader, "a family"); err != nil {
			return err
		}
		return use(message[sizeofGenericHeader:])
	})
}
