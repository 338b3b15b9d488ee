package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"dropwatch/internal/suggest"
)

// A Compression is how rotated files are compressed.
type Compression uint8

// The compressions.
const (
	Uncompressed Compression = iota
	Gzip                     // with .gz at the end of the name
	Zstd                     // with .zst
)

// Set sets the compression from the value of an option: its name, or true for gzip, as which an empty
// value counts, and false for none.
func (c *Compression) Set(text string) error {
	switch text {
	case "", "true", "gzip":
		*c = Gzip
	case "zstd":
		*c = Zstd
	case "false":
		*c = Uncompressed
	default:
		return fmt.Errorf("%s", suggest.Choice(text, []string{"gzip", "zstd"}))
	}
	return nil
}

// suffix is at the end of the names of files that are compressed; empty for those that are not.
func (c Compression) suffix() string { return [...]string{"", ".gz", ".zst"}[c] }

// compressionOf returns the compression of a rotated file by its name.
func compressionOf(name string) Compression {
	for _, c := range []Compression{Gzip, Zstd} {
		if filepath.Ext(name) == c.suffix() {
			return c
		}
	}
	return Uncompressed
}

// writer returns what compresses into w, with one CPU.
func (c Compression) writer(w io.Writer) (io.WriteCloser, error) {
	if c == Zstd {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	}
	return gzip.NewWriter(w), nil
}

// replace replaces a rotated file by a compressed one, which has its name only when it is whole.
func (c Compression) replace(ctx context.Context, name string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	half := name + temporary
	to, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = c.copyInto(to, untilDone{ctx, from})
	if err = errors.Join(err, to.Close()); err == nil {
		err = os.Rename(half, name+c.suffix())
	}
	if err != nil {
		return cmp.Or(err, os.Remove(half))
	}
	return os.Remove(name)
}

// copyInto compresses a file and waits until it is on the disk.
func (c Compression) copyInto(to *os.File, from io.Reader) error {
	w, err := c.writer(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, from)
	return errors.Join(err, w.Close(), to.Sync())
}

// untilDone is a Reader that ends with an error when its context does.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

// Read reads unless the context has ended.
func (u untilDone) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}
