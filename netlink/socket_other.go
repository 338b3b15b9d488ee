//go:build !linux

package netlink

import "errors"

const batchSize = 1

func openEventSocket(uint32, int) (eventSocket, error) {
	return nil, &Error{Op: "listen for alerts", Err: errors.ErrUnsupported}
}
