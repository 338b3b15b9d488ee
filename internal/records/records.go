// Package records buffers the records that an output writes, each of one drop, and keeps
// a file whole if its disk is full: a record is written whole or not at all.
package records

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// A Buffer collects records and writes many at once. If a write to a file fails, it removes
// the part of a record that was written.
type Buffer struct {
	Bytes []byte // not written yet; the owner appends to it and then calls EndRecord

	w      io.Writer
	name   string // of a capture file
	enough int    // bytes from which on EndRecord writes
	ends   []int  // offset in Bytes at which each record ends
	whole  uint64 // records that were written whole
}

// NewText returns a Buffer for lines of text, which writes from 32 KiB on.
func NewText(w io.Writer) Buffer { return Buffer{w: w, enough: 32 << 10} }

// NewCapture returns a Buffer for the packets of a file, which writes from 256 KiB on. Its
// errors have the name of the file and how many packets were written.
func NewCapture(w io.Writer, name string) Buffer {
	return Buffer{w: w, name: name, enough: 256 << 10}
}

// EndRecord ends a record where Bytes ends, and writes if there is enough. A file header,
// after which EndRecord is not called, is not counted.
func (b *Buffer) EndRecord() error {
	b.ends = append(b.ends, len(b.Bytes))
	if len(b.Bytes) < b.enough {
		return nil
	}
	return b.Flush()
}

// Whole is the number of records that were written whole.
func (b *Buffer) Whole() uint64 { return b.whole }

// Flush writes all that was appended. After an error a file ends with a whole record, and
// the records that were not written are discarded: the caller must not write any more.
func (b *Buffer) Flush() error {
	if len(b.Bytes) == 0 {
		return nil
	}
	n, err := b.w.Write(b.Bytes)
	whole, _ := slices.BinarySearch(b.ends, n+1) // records that end at n or before
	b.whole += uint64(whole)
	if err != nil {
		if whole > 0 {
			n -= b.ends[whole-1]
		}
		removeTail(b.w, n)
		err = b.fail(err)
	}
	b.Bytes, b.ends = b.Bytes[:0], b.ends[:0]
	return err
}

// fail says what could not be written, and why.
func (b *Buffer) fail(err error) error {
	err = cause(err)
	if b.name == "" {
		return fmt.Errorf("write drops: %w", err)
	}
	return fmt.Errorf("write packets to %s: %w (%d packets were written whole)", b.name, err, b.whole)
}

// cause returns why a write failed, without the name of the file, which would be there twice.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// WriteText writes a text at once, unless err says that a write has failed before. It returns the buffer, emptied, and the
// error of the first write that failed, in which what names the text.
func WriteText(w io.Writer, text []byte, err error, what string) ([]byte, error) {
	if len(text) > 0 && err == nil {
		if _, err = w.Write(text); err != nil {
			err = fmt.Errorf("write %s: %w", what, cause(err))
		}
	}
	return text[:0], err
}

// removeTail removes the last n bytes that were written, if w is a file and ends with them.
// The file may hold something older, as with >>, which stays.
func removeTail(w io.Writer, n int) {
	f, ok := w.(interface {
		io.Seeker
		Stat() (fs.FileInfo, error)
		Truncate(size int64) error
	})
	if !ok || n == 0 {
		return
	}
	at, err := f.Seek(-int64(n), io.SeekCurrent)
	if err != nil { // a pipe has no position
		return
	}
	if info, err := f.Stat(); err == nil && info.Size() == at+int64(n) {
		_ = f.Truncate(at)
	}
}
