//go:build !linux

package host

import "io/fs"

// openRegular opens a regular file of an owner. Only tests use it: other systems have no
// /proc to read.
func (t tree) openRegular(name string, owner uint32) (fs.File, error) {
	info, err := t.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := acceptable(t.path(name), info, owner); err != nil {
		return nil, err
	}
	return t.Open(name)
}
