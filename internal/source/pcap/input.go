package pcap

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"dropwatch/internal/event"
)

// Reasons why a file cannot be read, or not to its end.
var (
	ErrNotCapture  = errors.New("not a capture file (pcap or pcapng)")
	ErrTruncated   = errors.New("the file is truncated")
	ErrCorrupt     = errors.New("the file is damaged")
	ErrUnsupported = errors.New("not supported")
)

// maxPacket is the most bytes of a packet that libpcap captures (MAXIMUM_SNAPLEN), with room for the
// options of a block of pcapng.
const (
	maxPacket = 256 << 10
	maxBlock  = 4 * maxPacket
)

// maxWindow bounds the memory for what zstd refers back to.
const maxWindow = 128 << 20

// An input is the contents of a capture file, decompressed.
type input struct {
	r          *bufio.Reader
	offset     int64  // of what next returns
	compressed bool   // then offset is not one in the file
	close      func() // releases what decompresses; the file stays open
}

// The first bytes of compressed files.
var (
	magicGzip = []byte{0x1f, 0x8b}
	magicZstd = []byte{0x28, 0xb5, 0x2f, 0xfd}
	others    = map[string]string{"BZh": "bzip2", "\xfd7zX": "xz", "\x04\x22\x4d\x18": "lz4"}
)

// openInput decompresses r if it is compressed. The caller must close the input.
func openInput(r io.Reader) (*input, error) {
	in := &input{r: bufio.NewReaderSize(r, maxBlock), close: func() {}}
	magic, err := in.r.Peek(4)
	switch {
	case len(magic) == 0 && err == io.EOF:
		return nil, fmt.Errorf("%w: it is empty", ErrNotCapture)
	case len(magic) < 4 && err != io.EOF:
		return nil, err
	case begins(magic, magicGzip):
		return in.gunzip()
	case begins(magic, magicZstd):
		return in.unzstd()
	}
	for begin, name := range others {
		if begins(magic, []byte(begin)) {
			return nil, fmt.Errorf("%s is %w: decompress it, and pipe it in", name, ErrUnsupported)
		}
	}
	return in, nil
}

func begins(b, with []byte) bool { return len(b) >= len(with) && string(b[:len(with)]) == string(with) }

// gunzip returns what a file of gzip contains, also of several members in sequence. The error is one of its header;
// later ones come from reading.
func (in *input) gunzip() (*input, error) {
	z, err := gzip.NewReader(in.r)
	if err != nil {
		return nil, in.fail(err)
	}
	return &input{r: bufio.NewReaderSize(z, maxBlock), compressed: true, close: func() { z.Close() }}, nil
}

// unzstd returns what a file of zstd contains. It decodes in this goroutine, with a window of at most maxWindow, as
// files may ask for very much memory.
func (in *input) unzstd() (*input, error) {
	z, err := zstd.NewReader(in.r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, in.fail(err)
	}
	return &input{r: bufio.NewReaderSize(z, maxBlock), compressed: true, close: z.Close}, nil
}

// peek returns the next n bytes, at most maxBlock, which remain next. They are valid until the next call.
// At the end of the file the error is io.EOF, within what is wanted it wraps ErrTruncated.
func (in *input) peek(n int, what string) ([]byte, error) {
	b, err := in.r.Peek(n)
	switch {
	case err == nil:
		return b, nil
	case err == io.EOF && len(b) == 0:
		return nil, io.EOF
	case err == io.EOF:
		return nil, in.fail(fmt.Errorf("%w: %s has %s more than the file", ErrTruncated, what, event.Plural(n-len(b), "byte")))
	}
	return nil, in.fail(err)
}

// skip goes on by n bytes, of which those that were peeked are there.
func (in *input) skip(n int) error {
	skipped, err := in.r.Discard(n)
	in.offset += int64(skipped)
	switch err {
	case nil:
		return nil
	case io.EOF:
		return in.fail(fmt.Errorf("%w: a block has %s more than the file", ErrTruncated, event.Plural(n-skipped, "byte")))
	}
	return in.fail(err)
}

// fail adds to an error where in the file it is.
func (in *input) fail(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%w: its compressed data are incomplete", ErrTruncated)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), isZstd(err):
		err = fmt.Errorf("%w: decompress: %w", ErrCorrupt, err)
	}
	of := ""
	if in.compressed {
		of = " of the decompressed data"
	}
	return fmt.Errorf("%w (at byte %d%s)", err, in.offset, of)
}

// isZstd reports whether zstd found its input to be damaged or too large.
func isZstd(err error) bool {
	for _, known := range []error{
		zstd.ErrReservedBlockType, zstd.ErrCompressedSizeTooBig, zstd.ErrBlockTooSmall, zstd.ErrUnexpectedBlockSize,
		zstd.ErrMagicMismatch, zstd.ErrWindowSizeExceeded, zstd.ErrWindowSizeTooSmall, zstd.ErrDecoderSizeExceeded,
		zstd.ErrUnknownDictionary, zstd.ErrFrameSizeExceeded, zstd.ErrFrameSizeMismatch, zstd.ErrCRCMismatch,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
