// Package segments keeps the last drops in a directory: a ring of recordings, of which the oldest
// are removed. Each is a file of package session, readable also when its writer was killed.
package segments

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// MinBytes is the least that a ring may be bounded to.
const MinBytes = 4 << 20

// Bounds of a ring.
const (
	share = 16   // a segment is that part of the bytes of a ring
	most  = 1024 // segments, which are many only if a service is begun again all the time
)

// suffix ends the name of a segment, after its number.
const suffix = ".dw"

// A ring is the segments in a directory.
type ring struct {
	dir   string
	bytes int64 // in all
}

// A segment is a file of a ring.
type segment struct {
	number uint64 // in the order of writing
	size   int64  // in bytes
}

// List returns the paths of the segments in a directory, the oldest first.
func List(dir string) (paths []string, err error) {
	all, err := ring{dir: dir}.list()
	for _, s := range all {
		paths = append(paths, ring{dir: dir}.path(s.number))
	}
	return paths, err
}

// path returns the path of a segment. Numbers only grow: they are right also after the clock was set
// back.
func (r ring) path(number uint64) string {
	return filepath.Join(r.dir, fmt.Sprintf("%012d%s", number, suffix))
}

// list returns the segments, the oldest first. Other files are left alone.
func (r ring) list() (all []segment, err error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, fmt.Errorf("read the directory %s: %w", event.Escape(r.dir), event.WithoutPath(err))
	}
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		number, err := strconv.ParseUint(digits, 10, 63)
		if !ok || err != nil || !e.Type().IsRegular() || filepath.Base(r.path(number)) != e.Name() {
			continue
		}
		if info, err := e.Info(); err == nil { // otherwise it was just removed
			all = append(all, segment{number, info.Size()})
		}
	}
	slices.SortFunc(all, func(a, b segment) int { return int(min(max(int64(a.number-b.number), -1), 1)) })
	return all, nil
}

// create begins the next segment, after removing as many of the oldest as make room for it.
func (r ring) create() (*os.File, error) {
	all, err := r.list()
	if err != nil {
		return nil, err
	}
	total, number := int64(0), uint64(1)
	for _, s := range all {
		total, number = total+s.size, s.number+1
	}
	for len(all) > 0 && (total > r.bytes-r.bytes/share || len(all) >= most) {
		if err := r.remove(all[0]); err != nil {
			return nil, err
		}
		total, all = total-all[0].size, all[1:]
	}
	for ; ; number++ { // past what has the name of a segment, and is none
		f, err := os.OpenFile(r.path(number), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// removeOldest makes room on a full disk. It leaves one segment.
func (r ring) removeOldest() error {
	all, err := r.list()
	if err != nil || len(all) < 2 {
		return err
	}
	return r.remove(all[0])
}

// remove removes a segment, which another program may have removed.
func (r ring) remove(s segment) error {
	if err := os.Remove(r.path(s.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
