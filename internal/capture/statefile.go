package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/retrans"
	"dropwatch/internal/source/pcap"
)

// A stateful is a source of capture files that goes on with the connections of an earlier run, which a file
// has, and leaves its own there.
type stateful struct {
	*pcap.Source
	path string // replaced as a whole, so that it is never half of one
}

// Run waits for other programs that use the file. If it ends early, the file stays as it was, so that the
// capture files can be read again.
func (s *stateful) Run(ctx context.Context, out pipeline.Output) error {
	lock, err := lockState(ctx, s.path)
	switch {
	case ctx.Err() != nil && err != nil: // it still waited
		return nil
	case err != nil:
		return err
	}
	defer lock.Close()
	if err := s.load(lock); err != nil {
		return err
	}
	err = s.Source.Run(ctx, out)
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, s.save())
}

// load reads the file, which is empty if there is no earlier run.
func (s *stateful) load(f *os.File) error {
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		err = s.Load(f)
	}
	switch {
	case errors.Is(err, retrans.ErrState):
		return &advised{fmt.Errorf("read %s: %w", event.Escape(s.path), err), "remove it to start over, or name another file"}
	case err != nil:
		return fmt.Errorf("read %s: %w", event.Escape(s.path), event.WithoutPath(err))
	}
	return nil
}

// save replaces the file by a new one, so that it is whole also after a crash.
func (s *stateful) save() error {
	path := s.path + ".new"
	f, err := reserveNow(path, keepRecordings)
	if err != nil {
		return err
	}
	if err := errors.Join(f.clear(), s.Save(f), f.Close()); err != nil {
		f.abandon()
		return fmt.Errorf("write to %s: %w", f.name, event.WithoutPath(err))
	}
	if err := os.Rename(path, s.path); err != nil {
		return writeError(s.path, err)
	}
	return nil
}

// lockEvery is how often lockState tries again.
const lockEvery = 100 * time.Millisecond

// lockState opens the file of a state, makes it if there is none, and locks it until it is closed. It waits
// for another program that has it, as tcpdump starts one for each file that it has rotated, until ctx ends.
func lockState(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := lockOnce(path)
		if f != nil || err != nil {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockEvery):
		}
	}
}

// lockOnce returns nil if another program has the file, or has just replaced it.
func lockOnce(path string) (*os.File, error) {
	if err := refuseForeignLinks(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	switch {
	case errors.Is(err, syscall.ELOOP): // it would be replaced by a file
		return nil, fmt.Errorf("write to %s: it is a link: name the file that it leads to", event.Escape(path))
	case err != nil:
		return nil, writeError(path, err)
	}
	locked, err := lockFile(f)
	if err != nil {
		f.Close()
		return nil, writeError(path, err)
	}
	if now, err := os.Stat(path); locked != nil && err == nil && os.SameFile(locked, now) {
		return f, nil
	}
	f.Close()
	return nil, nil
}

// lockFile returns what is locked, nil if another program has the lock.
func lockFile(f *os.File) (fs.FileInfo, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return info, err
}
