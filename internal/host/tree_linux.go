package host

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openRegular opens a regular file of an owner. It checks the file by O_PATH before it opens
// it, because opening some devices has effects, and then opens the file that it checked, even
// if another one has the name by now.
func (t tree) openRegular(name string, owner uint32) (fs.File, error) {
	at, err := os.OpenFile(t.path(name), unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	info, err := at.Stat()
	if err != nil {
		return nil, err
	}
	if err := acceptable(t.path(name), info, owner); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", at.Fd()), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", t.path(name), err)
	}
	return f, nil
}
