package kernel

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
)

// CheckSize fails if a message about something, as "a route", has less than its header of so many
// bytes.
func CheckSize(message []byte, header int, about string) error {
	if len(message) < header {
		return fmt.Errorf("the kernel's message about %s has %d bytes, and should have %d", about, len(message), header)
	}
	return nil
}

// EachAttribute calls use with each attribute. It fails if one is malformed, or if use reads one
// as what it is not.
func EachAttribute(attributes []byte, use func(*netlink.AttributeDecoder)) error {
	a, err := netlink.NewAttributeDecoder(attributes)
	if err != nil {
		return fmt.Errorf("read the kernel's message: %w", err)
	}
	for a.Next() {
		use(a)
	}
	if err := a.Err(); err != nil {
		return fmt.Errorf("read the kernel's message: %w", err)
	}
	return nil
}

// Attribute gives the value of the first attribute of a type, in the memory of all of them; nil
// if there is none. With several types each is looked for in the value of the one before. It is
// called very often, so that it allocates nothing.
func Attribute(attributes []byte, types ...uint16) []byte {
	for _, typ := range types {
		attributes = first(attributes, typ)
	}
	return attributes
}

// first is Attribute for one type (struct nlattr).
func first(attributes []byte, typ uint16) []byte {
	const header, typeMask = 4, 0x3fff
	for len(attributes) >= header {
		n := int(binary.NativeEndian.Uint16(attributes))
		if n < header || n > len(attributes) {
			return nil
		}
		if binary.NativeEndian.Uint16(attributes[2:])&typeMask == typ {
			return attributes[header:n]
		}
		attributes = attributes[min((n+3)&^3, len(attributes)):]
	}
	return nil
}

// BigEndian32 reads a number, 0 if it has another size.
func BigEndian32(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}
