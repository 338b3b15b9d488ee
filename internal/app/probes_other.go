//go:build !linux

package app

import "errors"

// canProbe returns why functions of the kernel cannot be probed.
func canProbe() error { return errors.ErrUnsupported }
