//go:build !linux

package host

import "errors"

// InNetns fails: only Linux has network namespaces.
func (h *Host) InNetns(Netns, func() error) error { return errors.ErrUnsupported }

// InNewNetns fails: only Linux has network namespaces.
func InNewNetns(func() error) error { return errors.ErrUnsupported }
