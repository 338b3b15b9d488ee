//go:build !linux

package kernel

import "errors"

// A socket is one of netlink, which only Linux has.
type socket struct{}

func open(family int, strict bool) (*socket, error) { return nil, errors.ErrUnsupported }

// Close implements io.Closer.
func (s *socket) Close() error { return nil }

func (s *socket) exchange(datagram []byte, dump bool, use func(message []byte) error) error {
	return errors.ErrUnsupported
}
