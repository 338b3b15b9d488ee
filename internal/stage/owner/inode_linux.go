package owner

import (
	"io/fs"
	"syscall"
)

// inodeOf gives the inode number of a file.
func inodeOf(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
