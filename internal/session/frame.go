package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Magic is what every recording begins with.
const Magic = "\x89DWS\r\n\x1a\n"

const (
	version      = 3 // the newest, which is written if there are counters
	versionDrops = 2 // which is written without, for the readers that know no other

	beginLen   = len(Magic) + 1 // with the version
	headLen    = 8              // length and checksum of a frame
	maxPayload = 1 << 20        // bytes of a frame: a longer one is corrupt
)

// castagnoli is the polynomial of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// extend continues a checksum with b.
func extend(sum uint32, b []byte) uint32 { return crc32.Update(sum, castagnoli, b) }

// seal fills in the first headLen bytes of a frame, and returns the checksum that the next frame
// continues.
func seal(frame []byte, before uint32) uint32 {
	payload := frame[headLen:]
	sum := extend(before, payload)
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[4:], sum)
	return sum
}

// frames reads the frames of a file.
type frames struct {
	r    io.Reader // read as far as a frame needs, and not beyond
	head [headLen]byte
	buf  []byte // the payload, used again for each frame
	sum  uint32 // of the frame before
	at   int64  // offset of the frame that was last read, or could not be read
	end  int64  // offset of the next frame
}

// next returns the payload of the next frame, which is valid until the next call. The error is
// io.EOF if there is no further frame, io.ErrUnexpectedEOF if it is not whole, and wraps ErrCorrupt
// if it was changed.
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
