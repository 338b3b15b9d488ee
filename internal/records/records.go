// Package records writes drops to where there may be no room for them all.
package records

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// A Buffer collects records, each of a drop, and writes many at once. None is
// left half written where that can be helped.
type Buffer struct {
	Bytes []byte // what is not written yet, to append to

	w      io.Writer
	name   string // of a capture file
	enough int    // bytes that are written without waiting for Flush
	ends   []int  // of the whole records in Bytes
	whole  uint64 // records that were written
}

// NewText makes a Buffer for text, which someone may be waiting for.
func NewText(w io.Writer) Buffer { return Buffer{w: w, enough: 32 << 10} }

// NewCapture makes a Buffer for the packets of a file called name in errors,
// which tell how many of them are there.
func NewCapture(w io.Writer, name string) Buffer {
	return Buffer{w: w, name: name, enough: 256 << 10}
}

// EndRecord ends a record where Bytes ends, and writes what is there if it is
// enough. What belongs to no record is not counted.
func (b *Buffer) EndRecord() error {
	b.ends = append(b.ends, len(b.Bytes))
	if len(b.Bytes) < b.enough {
		return nil
	}
	return b.Flush()
}

// Whole is the number of records that were written whole.
func (b *Buffer) Whole() uint64 { return b.whole }

// Flush writes what is there. After a failure the destination ends with a
// whole record, if it is a file, and what was to follow is gone.
func (b *Buffer) Flush() error {
	if len(b.Bytes) == 0 {
		return nil
	}
	n, err := b.w.Write(b.Bytes)
	whole, _ := slices.BinarySearch(b.ends, n+1) // those that end at n or before
	b.whole += uint64(whole)
	if err != nil {
		if whole > 0 {
			n -= b.ends[whole-1]
		}
		takeBack(b.w, n)
		err = b.fail(err)
	}
	b.Bytes, b.ends = b.Bytes[:0], b.ends[:0]
	return err
}

func (b *Buffer) fail(err error) error {
	if b.name == "" {
		return fmt.Errorf("write drops: %w", err)
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // the name is known by ours
	}
	return fmt.Errorf("write packets to %s: %w (%d packets were written whole)", b.name, err, b.whole)
}

// takeBack removes the last n bytes that we wrote, if w is a file. It need not
// have begun with us, as >> appends, nor end with us.
func takeBack(w io.Writer, n int) {
	f, ok := w.(interface {
		io.Seeker
		Stat() (fs.FileInfo, error)
		Truncate(size int64) error
	})
	if !ok || n == 0 {
		return
	}
	at, err := f.Seek(-int64(n), io.SeekCurrent)
	if err != nil { // a pipe has no place
		return
	}
	if info, err := f.Stat(); err == nil && info.Size() == at+int64(n) {
		_ = f.Truncate(at)
	}
}
