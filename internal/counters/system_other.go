//go:build !linux

package counters

import "errors"

// xtables fails: only Linux has iptables.
func xtables(f *xtFamily, name string) (*xtTable, error) { return nil, errors.ErrUnsupported }

// eachDriver fails: only Linux has SIOCETHTOOL.
func eachDriver(map[uint32]string, func(*driverStats)) error { return errors.ErrUnsupported }

// readFeatures fails, as eachDriver.
func readFeatures([]Device) error { return errors.ErrUnsupported }
