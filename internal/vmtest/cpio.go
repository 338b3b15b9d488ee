package vmtest

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// An archive writes a file system in the "newc" cpio format that the kernel
// unpacks as its first root. All files belong to root. Names are relative to /; missing directories
// are added. The first error ends the writing and is returned by close.
type archive struct {
	w    *bufio.Writer
	n    int64 // bytes written
	ino  int   // of the last file: each needs one of its own
	dirs map[string]bool
	err  error
}

// newArchive returns an archive that writes to w, which the caller closes.
func newArchive(w io.Writer) *archive {
	return &archive{w: bufio.NewWriterSize(w, 1<<20), dirs: map[string]bool{".": true}}
}

// dir adds a directory and those above it.
func (a *archive) dir(name string) {
	name = path.Clean(name)
	if a.dirs[name] {
		return
	}
	a.dirs[name] = true
	a.entry(name, 0o40755, 0)
}

// link adds a symbolic link.
func (a *archive) link(name, target string) {
	a.text(name, 0o120777, target)
}

// text adds a file with this content. The mode includes the type.
func (a *archive) text(name string, mode int, content string) {
	a.entry(name, mode, int64(len(content)))
	a.copy(strings.NewReader(content), int64(len(content)))
}

// file adds a copy of a file of the host, with its permissions.
func (a *archive) file(name, host string) {
	f, err := os.Open(host)
	if err != nil {
		a.fail(err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		a.fail(err)
		return
	}
	a.entry(name, 0o100000|int(info.Mode().Perm()), info.Size())
	a.copy(f, info.Size())
}

// tree adds a directory of the host with its contents.
func (a *archive) tree(name, host string) {
	a.fail(filepath.WalkDir(host, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(host, p)
		if err != nil {
			return err
		}
		guest := path.Join(name, rel)
		switch {
		case d.IsDir():
			a.dir(guest)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			a.link(guest, target)
		default:
			a.file(guest, p)
		}
		return a.err
	}))
}

// close writes the end mark and pads to a block, so that another archive may
// follow in the same file.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, 0)
	a.pad(512)
	a.fail(a.w.Flush())
	return a.err
}

// entry writes a header. The content, if any, must follow by copy.
func (a *archive) entry(name string, mode int, size int64) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if parent := path.Dir(name); parent != "." {
		a.dir(parent)
	}
	a.ino++
	const links, devices = 1, 0
	a.printf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.ino, mode, 0, 0, links, 0, size, devices, devices, devices, devices, len(name)+1, 0, name)
	a.pad(4)
}

// copy writes the content of the last entry.
func (a *archive) copy(r io.Reader, size int64) {
	if a.err != nil {
		return
	}
	n, err := io.CopyN(a.w, r, size)
	a.n += n
	a.fail(err)
	a.pad(4)
}

// pad writes zeros up to a multiple of bytes.
func (a *archive) pad(to int64) {
	if rest := a.n % to; rest != 0 {
		a.printf("%s", make([]byte, to-rest))
	}
}

// printf writes a text, and counts its bytes for the padding of what follows.
func (a *archive) printf(format string, args ...any) {
	if a.err != nil {
		return
	}
	n, err := fmt.Fprintf(a.w, format, args...)
	a.n += int64(n)
	a.fail(err)
}

// fail keeps the first error.
func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}
