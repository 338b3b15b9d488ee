//go:build !linux

package counters

import "errors"

// links fails: only Linux has rtnetlink.
func links(func(message []byte) error) error { return errors.ErrUnsupported }

// qdiscs fails as links does.
func qdiscs(func(message []byte) error) error { return errors.ErrUnsupported }

// filters fails as links does.
func filters(ifindex, parent uint32, use func(message []byte) error) error {
	return errors.ErrUnsupported
}

// routes fails as links does.
func routes(body []byte, use func(message []byte) error) error { return errors.ErrUnsupported }

// route fails as links does.
func route(body []byte, use func(message []byte) error) error { return errors.ErrUnsupported }

// sockets fails as links does.
func sockets(request []byte, use func(message []byte) error) error { return errors.ErrUnsupported }

// nftablesDump fails as links does.
func nftablesDump(get uint16, use func(message []byte) error) error { return errors.ErrUnsupported }

// nftablesElements fails as links does.
func nftablesElements(s *nftSet, use func(message []byte) error) error { return errors.ErrUnsupported }

// xtables fails as links does.
func xtables(f *xtFamily, name string) (*xtTable, error) { return nil, errors.ErrUnsupported }

// generic fails as links does.
func generic(family string, command uint8, attributes []byte, use func(attributes []byte) error) error {
	return errors.ErrUnsupported
}

// eachDriver fails as links does: only Linux has SIOCETHTOOL.
func eachDriver(map[uint32]string, func(*driverStats)) error { return errors.ErrUnsupported }
