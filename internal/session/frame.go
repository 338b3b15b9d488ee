package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	magic   = "\x89DWS\r\n\x1a\n"
	version = 1 // the newest, which is written

	beginLen   = len(magic) + 1 // with the version
	headLen    = 8              // length and checksum of a frame
	maxPayload = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// extend continues a checksum.
func extend(sum uint32, b []byte) uint32 { return crc32.Update(sum, castagnoli, b) }

// seal completes a frame, the first headLen bytes of which are free, and gives
// the checksum for the next.
func seal(frame []byte, before uint32) uint32 {
	payload := frame[headLen:]
	sum := extend(before, payload)
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[4:], sum)
	return sum
}

// frames reads the frames of a file.
type frames struct {
	r    io.Reader
	head [headLen]byte
	buf  []byte
	sum  uint32 // of the frame before
	at   int64  // where the frame begins that was read last, or could not be
	end  int64  // where the one before next begins
}

// next gives the payload of the next frame, until the one after it is read. The
// error is io.EOF if there is none, io.ErrUnexpectedEOF if it is not whole.
func (f *frames) next() ([]byte, error) {
	f.at = f.end
	if _, err := io.ReadFull(f.r, f.head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(f.head[:])
	if n == 0 || n > maxPayload {
		return nil, fmt.Errorf("%w: a frame of %d bytes", ErrCorrupt, n)
	}
	if int(n) > cap(f.buf) {
		f.buf = make([]byte, n)
	}
	payload := f.buf[:n]
	if _, err := io.ReadFull(f.r, payload); errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	sum := extend(f.sum, payload)
	if sum != binary.LittleEndian.Uint32(f.head[4:]) {
		return nil, fmt.Errorf("%w: a frame with a wrong checksum", ErrCorrupt)
	}
	f.sum = sum
	f.end += int64(headLen) + int64(n)
	return payload, nil
}
