//go:build !linux

package netlink

import "errors"

const batchSize = 1

// openEventSocket fails: only Linux has a drop monitor.
func openEventSocket(uint32, int) (eventSocket, error) {
	return nil, &Error{Op: "listen for alerts", Err: errors.ErrUnsupported}
}
