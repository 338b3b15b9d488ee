//go:build !linux

package counters

import (
	"errors"

	"dropwatch/internal/iptables"
)

// xtables fails: only Linux has iptables.
func xtables(f *iptables.Family, name string) (*iptables.Table, error) {
	return nil, errors.ErrUnsupported
}

// eachDriver fails: only Linux has SIOCETHTOOL.
func eachDriver(map[uint32]string, func(*driverStats)) error { return errors.ErrUnsupported }

// readFeatures fails, as eachDriver.
func readFeatures([]Device) error { return errors.ErrUnsupported }
