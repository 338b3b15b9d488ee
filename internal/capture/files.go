package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dropwatch/internal/event"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/file"
)

// An outFile is a file that an output writes to. The zero value is no file; its
// methods do nothing.
type outFile struct {
	*os.File
	name    string // escaped, for errors
	opened  bool   // opened by reserve, so Close closes it; not a standard stream
	created bool   // did not exist before, so abandon removes it
	appends bool   // what it holds stays

	log    *file.Writer // through which all is written; nil: none
	status *Notices     // whose status line is on the same terminal; nil: there is none
}

// Write writes to the file.
func (f outFile) Write(b []byte) (int, error) {
	switch {
	case f.log != nil:
		return f.log.Write(b)
	case f.status != nil:
		return f.status.write(f.File, b)
	}
	return f.File.Write(b)
}

// reserve opens a file for writing without changing its contents: they are lost
// only when clear is called. A new file has mode 0600, as it is going to hold
// packets. A file that must be kept is an error. A FIFO without a reader, and a file
// system that does not answer, are waited for until ctx ends.
func reserve(ctx context.Context, path string, kept keep) (outFile, error) {
	return wait(ctx, func() (outFile, error) { return reserveNow(path, kept) })
}

// reserveDir opens a directory for files that are written in it, and locks it. It is made if only
// itself is missing. Where other users can create files, such as in /tmp, they could keep those from
// being written.
func reserveDir(ctx context.Context, path string) (outFile, error) {
	return wait(ctx, func() (outFile, error) {
		if err := refuseForeignLinks(filepath.Join(path, "file")); err != nil {
			return outFile{}, err
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return outFile{}, writeError(path, err)
		}
		dir, err := os.Open(path)
		if err != nil {
			return outFile{}, writeError(path, err)
		}
		info, err := dir.Stat()
		if err == nil && othersCanWrite(info) {
			err = fmt.Errorf("other users can write to the directory %s: name one of your own", event.Escape(path))
		}
		if err := cmp.Or(err, lock(dir)); err != nil {
			dir.Close()
			return outFile{}, err
		}
		return outFile{File: dir, name: event.Escape(path), opened: true}, nil
	})
}

// A keep is which existing files an output must not overwrite.
type keep uint8

const (
	keepAll        keep = iota // all but empty ones
	keepRecordings             // recordings: other files are overwritten, as tcpdump does
	keepContents               // recordings; what is in other files stays, as all that is written is appended
	keepOthers                 // all but empty ones and recordings
)

// reserveNow opens and locks a file and keeps its contents. One that did not exist is created, and removed by abandon. A link
// that another user may have planted is refused.
func reserveNow(path string, kept keep) (outFile, error) {
	_, err := os.Lstat(path)
	created := errors.Is(err, fs.ErrNotExist)
	if err := refuseForeignLinks(path); err != nil {
		return outFile{}, err
	}
	f, err := openOutput(path, kept)
	if err != nil {
		return outFile{}, writeError(path, err)
	}
	if err := claim(f, kept); err != nil {
		f.Close()
		return outFile{}, err
	}
	return outFile{File: f, name: event.Escape(path), opened: true, created: created, appends: kept == keepContents}, nil
}

// claim locks a regular file until it is closed: two programs that write to it at the same
// time would destroy it.
func claim(f *os.File, kept keep) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := lock(f); err != nil {
		return err
	}
	info, err = f.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() == 0:
		return nil
	}
	return kept.refuse(f.Name(), isRecording(f.Name()))
}

// lock locks a file or a directory until it is closed. Where the file system has no locks it is not
// locked.
func lock(f *os.File) error {
	if errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
		return fmt.Errorf("another program is writing to %s: name another file, or end it first", event.Escape(f.Name()))
	}
	return nil
}

// refuse returns an error if a file with contents must not be overwritten.
func (k keep) refuse(path string, recording bool) error {
	path = event.Escape(path)
	switch onlyRecordings := k == keepAll || k == keepOthers; {
	case onlyRecordings && !recording:
		return fmt.Errorf("%s exists and is not a recording: name another file, or remove it first", path)
	case k == keepAll:
		return fmt.Errorf("%s exists: name another file, or overwrite it with --force", path)
	case !onlyRecordings && recording:
		return fmt.Errorf("%s is a recording: name another file, or remove it first", path)
	}
	return nil
}

// isRecording reports whether a regular file begins as recordings do.
func isRecording(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	begin := make([]byte, len(session.Magic))
	_, err = io.ReadFull(f, begin)
	return err == nil && string(begin) == session.Magic
}

// openOutput opens a file for writing. In a directory that another user can write
// to, such as /tmp or a home, that user may put a link there at any time, which root
// would follow: a link as the last component is ELOOP there.
func openOutput(path string, kept keep) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE
	if kept == keepContents {
		flags |= os.O_APPEND
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err == nil && othersCanWrite(info) {
		flags |= syscall.O_NOFOLLOW
	}
	return os.OpenFile(path, flags, 0o600)
}

// refuseForeignLinks returns an error if a directory in path is a link that another
// user could have made. It checks what O_NOFOLLOW does not: all components but the
// last.
func refuseForeignLinks(path string) error {
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		link, err := os.Lstat(dir)
		if err != nil || link.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if parent, err := os.Stat(filepath.Dir(dir)); err == nil && othersCanWrite(parent) {
			return fmt.Errorf("%s is a link in a directory that other users can write to: name a file elsewhere", event.Escape(dir))
		}
	}
	return nil
}

// othersCanWrite reports whether another user can create files in a directory: its group,
// all users, or its owner, unless that is root or the effective user.
func othersCanWrite(dir fs.FileInfo) bool {
	s, ok := dir.Sys().(*syscall.Stat_t)
	foreign := ok && s.Uid != 0 && int(s.Uid) != os.Geteuid()
	return foreign || dir.Mode().Perm()&0o022 != 0
}

// clear empties a regular file, unless it appends. There is nothing to empty in a pipe, a
// device or a stream.
func (f outFile) clear() error {
	if !f.opened || f.appends {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Truncate(0)
}

// abandon removes the file if it did not exist before. Otherwise its contents are
// untouched, provided that clear was not called.
func (f outFile) abandon() {
	if f.created {
		os.Remove(f.File.Name())
	}
}

// undo handles a file that could not be written completely, as on a full disk: it
// removes one that did not exist before, and adds to the error what happened to the
// file. A nil err stays nil.
func (f outFile) undo(err error) error {
	switch {
	case err == nil:
		return nil
	case f.created:
		f.abandon()
		return fmt.Errorf("%w: nothing was saved", err)
	}
	return fmt.Errorf("%w: the file is incomplete", err)
}

// Close closes the file if reserve opened it. Standard streams stay open.
func (f outFile) Close() error {
	switch {
	case f.log != nil:
		return f.log.Close()
	case !f.opened:
		return nil
	}
	return f.File.Close()
}

// wait calls do, which may block for as long as another program likes, as opening a
// FIFO does. When ctx ends first, wait returns the cause of ctx and leaves the
// goroutine behind: a blocked open cannot be interrupted.
func wait[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// A waitingReader is an io.Reader whose Read returns when ctx ends, even if the
// file blocks.
type waitingReader struct {
	ctx context.Context
	r   io.Reader
}

// Read leaves a Read of the file behind when ctx ends, and returns the cause of ctx.
func (w waitingReader) Read(b []byte) (int, error) {
	own := make([]byte, len(b)) // not b: a Read that was left behind may still write to it
	n, err := wait(w.ctx, func() (int, error) { return w.r.Read(own) })
	return copy(b, own[:n]), err
}
