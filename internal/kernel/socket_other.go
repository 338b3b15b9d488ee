//go:build !linux

package kernel

import "errors"

// A socket is one of netlink, which only Linux has.
type socket struct{}

func open(family int, strict bool) (*socket, error) { return nil, errors.ErrUnsupported }

func (s *socket) close() {}

func (s *socket) ask(typ, flags uint16, body []byte, use func(message []byte) error) error {
	return errors.ErrUnsupported
}
