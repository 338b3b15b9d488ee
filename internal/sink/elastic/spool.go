package elastic

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"dropwatch/internal/event"
)

// A spool is a queue in a directory: a file for each batch, whose names are numbers in the order of
// their batches. A file has its name only when it is whole, so that the end of the program at any
// moment leaves whole batches. One program at a time uses a directory.
type spool struct {
	dir     string
	most    int64 // bytes of all files
	lock    *os.File
	files   []spooled // the oldest first
	taken   spooled   // the file of the batch that was taken
	size    int64     // of all files
	last    uint64    // number of the last file
	earlier uint64    // up to this number a file is of an earlier run

	lost event.Ledger // drops of this run in files that could not be read
}

// A spooled is a file of a spool.
type spooled struct {
	number uint64
	size   int64
	drops  event.Ledger // none of an earlier run, whose ledger is closed
}

const (
	batchSuffix   = ".batch"
	partSuffix    = ".part"    // while it is written
	corruptSuffix = ".corrupt" // a file that cannot be read, which is kept for a person
)

// openSpool opens a directory, which it creates if there is none, but not those above it, for files of at most
// so many bytes.
func openSpool(dir string, most int64) (*spool, error) {
	s := &spool{dir: dir, most: most}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, s.fail("create", err)
	}
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600); err != nil {
		return nil, s.fail("open", err)
	}
	if err = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		s.lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another program uses the spool %s: name another directory, or end it first", event.Escape(dir))
		}
		return nil, s.fail("lock", err)
	}
	if err := s.list(); err != nil {
		s.lock.Close()
		return nil, s.fail("read", err)
	}
	return s, nil
}

// fail says what could not be done to the spool.
func (s *spool) fail(what string, err error) error {
	return fmt.Errorf("%s the spool %s: %w", what, event.Escape(s.dir), event.WithoutPath(err))
}

// list finds the files that earlier runs left. Those that are not whole are removed: their batches
// were never taken as spooled.
func (s *spool) list() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), batchSuffix)
		number, err := strconv.ParseUint(name, 10, 63)
		switch info, statErr := e.Info(); {
		case strings.HasSuffix(e.Name(), partSuffix):
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		case statErr == nil && ok && err == nil && e.Type().IsRegular() && e.Name() == fileName(number):
			s.files, s.size = append(s.files, spooled{number: number, size: info.Size()}), s.size+info.Size()
			s.last = max(s.last, number)
		}
	}
	slices.SortFunc(s.files, func(a, b spooled) int { return int(int64(a.number) - int64(b.number)) })
	s.earlier = s.last
	return nil
}

// fileName returns the name of a file. Names sort as numbers do.
func fileName(number uint64) string { return fmt.Sprintf("%019d%s", number, batchSuffix) }

func (s *spool) path(number uint64) string { return filepath.Join(s.dir, fileName(number)) }

// push writes a file, which is complete before it gets its name: what a crash leaves behind is a part file, which is not read.
func (s *spool) push(b *batch) (bool, error) {
	data := b.encode()
	if s.size+int64(len(data)) > s.most {
		return false, nil
	}
	path := s.path(s.last + 1)
	if err := writeFile(path+partSuffix, data); err != nil {
		return false, s.fail("write to", errors.Join(err, os.Remove(path+partSuffix)))
	}
	if err := os.Rename(path+partSuffix, path); err != nil {
		return false, s.fail("write to", err)
	}
	s.last++
	s.files, s.size = append(s.files, spooled{s.last, int64(len(data)), b.drops()}), s.size+int64(len(data))
	return true, nil
}

// writeFile writes a new file and waits until it is on the disk.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// take reads the oldest file, which stays until done. A file that is damaged is renamed, so that it is not tried again.
func (s *spool) take() (*batch, error) {
	var errs []error
	for !s.empty() {
		head := s.files[0]
		path := s.path(head.number)
		b, err := readBatch(path)
		if err == nil {
			s.files, s.taken, b.old = s.files[1:], head, head.number <= s.earlier
			return &b, errors.Join(errs...)
		}
		errs = append(errs, fmt.Errorf("%s: %w: it is set aside, and its drops are lost", event.Escape(path), event.WithoutPath(err)))
		if err := os.Rename(path, path+corruptSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(append(errs, s.fail("rename a file in", renameCause(err)))...)
		}
		s.lost.AddDrops(&head.drops)
		s.files, s.size = s.files[1:], s.size-head.size
	}
	return nil, errors.Join(errs...)
}

// readBatch reads a file of bounded size.
func readBatch(path string) (batch, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return batch{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBatch+1))
	switch {
	case err != nil:
		return batch{}, err
	case len(data) > maxBatch:
		return batch{}, errCorrupt
	}
	return decode(data)
}

// done removes the file that was taken.
func (s *spool) done() error {
	path := s.path(s.taken.number)
	s.size -= s.taken.size
	if err := os.Remove(path); err != nil {
		return s.fail("remove a file from", err)
	}
	return nil
}

func (s *spool) empty() bool { return len(s.files) == 0 }

// unsafe returns what could not be read, and what is of files that somebody has removed: the next run delivers what
// else is in the spool.
func (s *spool) unsafe(left []*batch) event.Ledger {
	lost := s.lost
	for i := range s.files {
		if s.removed(&s.files[i]) {
			lost.AddDrops(&s.files[i].drops)
		}
	}
	if len(left) > 0 && !left[0].old && s.removed(&s.taken) {
		for _, b := range left {
			drops := b.drops()
			lost.AddDrops(&drops)
		}
	}
	return lost
}

// removed reports whether a file is not there any more.
func (s *spool) removed(f *spooled) bool {
	_, err := os.Lstat(s.path(f.number))
	return errors.Is(err, fs.ErrNotExist)
}

func (s *spool) close() error { return s.lock.Close() }

// renameCause returns why a file could not be renamed, without both names.
func renameCause(err error) error {
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}
