package host

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// A tree is a directory of the running host as a file system. It opens files with O_NONBLOCK,
// so that a FIFO without a writer does not block.
type tree struct{ root string } // without a slash at the end

// newTree returns the tree of a directory, "/" included.
func newTree(root string) tree { return tree{strings.TrimRight(root, "/")} }

func (t tree) path(name string) string { return t.root + "/" + name }

// Open opens a file of any type.
func (t tree) Open(name string) (fs.File, error) {
	f, err := os.OpenFile(t.path(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (t tree) Stat(name string) (fs.FileInfo, error)  { return os.Stat(t.path(name)) }
func (t tree) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(t.path(name)) }
func (t tree) ReadLink(name string) (string, error)   { return os.Readlink(t.path(name)) }

// inodeOf and ownerOf give the inode number and the owner of a file, 0 and false if
// the file system has none.
func inodeOf(info fs.FileInfo) (uint64, bool) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino, true
	}
	return 0, false
}

// ownerOf returns the user ID of a file's owner; false on a system whose files have none.
func ownerOf(info fs.FileInfo) (uint32, bool) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Uid, true
	}
	return 0, false
}

// acceptable returns why a file must not be read: it is not regular, or of another owner.
func acceptable(name string, info fs.FileInfo, owner uint32) error {
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if uid, ok := ownerOf(info); owner != AnyOwner && (!ok || uid != owner) {
		return &fs.PathError{Op: "open", Path: name, Err: ErrOwner}
	}
	return nil
}
