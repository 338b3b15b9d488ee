// Package host reads the files that describe a Linux host: processes and their sockets,
// namespaces, control groups, sysctls, lockdown, kernel options, CPUs, and the identity of
// the host. All of /proc and /sys is read here, and other files, such as those of container
// runtimes, are read through it.
//
// Names of files are slash-separated and relative to the root of a [Host], which a test makes
// of a tree of its own. Formats are parsed by Parse functions, which get bytes or an
// [io.Reader].
//
// # Nothing blocks for ever
//
// Files are opened without waiting (O_NONBLOCK), only regular files are read, and only up to
// a limit. Files outside of proc and sys may be on a file system that does not answer (NFS,
// FUSE). They are read in a goroutine for a limited time: if there is no answer the error is
// [ErrNoAnswer], and so it is at once for further reads in the same directory, until the
// first one ends.
package host

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"time"
)

// Reasons why a file is not read. Errors of this package wrap them, or those of [fs].
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLong    = errors.New("file too long")
	ErrNoAnswer   = errors.New("the file system does not answer")
	ErrOwner      = errors.New("file of another user")
)

// MaxFile is the size in bytes of the longest file that [Host.ReadFile] reads. The longest
// that is needed is modules.dep.
const MaxFile = 4 << 20

// A Host reads the files of a host. It is safe for concurrent use.
type Host struct {
	fsys   fs.FS // whose root is / of the host
	guards guards
}

// New returns the host whose root is a directory: "/" for the running one.
func New(root string) *Host { return FS(newTree(root)) }

// FS returns the host whose files are those of fsys. It must support links (fs.ReadLinkFS)
// where procfs has them.
func FS(fsys fs.FS) *Host { return &Host{fsys: fsys} }

// open opens a regular file of proc or sys, which the caller closes. For other files use
// [Host.ReadFile], which does not wait for ever.
func (h *Host) open(name string) (fs.File, error) {
	f, err := h.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile reads a regular file whole. One that is longer than [MaxFile] is an error.
func (h *Host) ReadFile(name string) ([]byte, error) {
	if always(name) {
		f, err := h.open(name)
		return readAll(f, err, name, MaxFile)
	}
	return guarded(h, name, maxWait, func() ([]byte, error) {
		f, err := h.openRegular(name, AnyOwner)
		return readAll(f, err, name, MaxFile)
	})
}

// Limits of a file that others may have created.
type Limits struct {
	Bytes int64         // longer files are an error
	Owner uint32        // user ID; files of others are an error, unless it is [AnyOwner]
	Wait  time.Duration // how long the file system may take; 0: so long that nothing is delayed
}

// AnyOwner accepts files of every user. No user has this ID ((uid_t)-1).
const AnyOwner = math.MaxUint32

// ReadForeign reads a regular file that a user or a program of the host has created. It
// follows links, but opens only a regular file of the owner in limits.
func (h *Host) ReadForeign(name string, limits Limits) ([]byte, error) {
	return guarded(h, name, cmp.Or(limits.Wait, foreignWait), func() ([]byte, error) {
		f, err := h.openRegular(name, limits.Owner)
		return readAll(f, err, name, limits.Bytes)
	})
}

// ReadPath is ReadForeign for a path that a user has named, which may be relative to the working directory.
func (h *Host) ReadPath(path string, limits Limits) ([]byte, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return h.ReadForeign(strings.TrimPrefix(path, "/"), limits)
}

// Beginning returns the first n bytes, or all if there are fewer, of a regular file that a
// user has named.
func (h *Host) Beginning(name string, n int64) ([]byte, error) {
	return guarded(h, name, foreignWait, func() ([]byte, error) {
		f, err := h.openRegular(name, AnyOwner)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, n))
	})
}

// openRegular opens a regular file of an owner.
func (h *Host) openRegular(name string, owner uint32) (fs.File, error) {
	if t, ok := h.fsys.(tree); ok {
		return t.openRegular(name, owner)
	}
	info, err := fs.Stat(h.fsys, name)
	if err == nil {
		err = acceptable(name, info, owner)
	}
	if err != nil {
		return nil, err
	}
	return h.fsys.Open(name)
}

// always reports whether a file is the kernel's own, which always answers. The CPUs are
// those of a FUSE file system in containers that have lxcfs.
func always(name string) bool {
	const cpus = "sys/devices/system/cpu/"
	return strings.HasPrefix(name, "proc/") || strings.HasPrefix(name, "sys/") && !strings.HasPrefix(name, cpus)
}

// readAll reads and closes f, of no more than limit bytes. If opening it failed with err, it
// returns that.
func readAll(f fs.File, err error, name string, limit int64) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w: over %d bytes", ErrTooLong, limit)}
	}
	return b, err
}

// Text reads a file and trims white space.
func (h *Host) Text(name string) (string, error) {
	b, err := h.ReadFile(name)
	return strings.TrimSpace(string(b)), err
}

// Sysctl reads a sysctl by its path below /proc/sys, such as kernel/osrelease.
func (h *Host) Sysctl(name string) (string, error) { return h.Text("proc/sys/" + name) }

// Exists reports whether there is a file or a directory of that name.
func (h *Host) Exists(name string) bool {
	found, err := guarded(h, name, maxWait, func() (bool, error) {
		_, err := fs.Stat(h.fsys, name)
		return err == nil, nil
	})
	return found && err == nil
}

// Names returns the names in a directory, in no order.
func (h *Host) Names(dir string) ([]string, error) {
	if always(dir + "/") {
		return h.names(dir)
	}
	return guarded(h, dir, foreignWait, func() ([]string, error) { return h.names(dir) })
}

// Entries returns what is in a directory that a user has named, sorted by name.
func (h *Host) Entries(dir string) ([]fs.DirEntry, error) {
	return guarded(h, dir, foreignWait, func() ([]fs.DirEntry, error) { return fs.ReadDir(h.fsys, dir) })
}

// names is Names for files of proc and sys, without a deadline.
func (h *Host) names(dir string) ([]string, error) {
	f, err := h.fsys.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, ok := f.(interface{ Readdirnames(int) ([]string, error) })
	if ok {
		return list.Readdirnames(-1)
	}
	entries, err := fs.ReadDir(h.fsys, dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}
