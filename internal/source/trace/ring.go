package trace

import (
	"encoding/binary"
	"sync/atomic"
)

// A ring is the buffer that perf shares with its reader (struct perf_event_mmap_page). The
// kernel writes records and advances head; the reader advances tail. Positions only grow: their
// low bits are offsets in data.
type ring struct {
	data       []byte // its length is a power of 2
	head, tail *uint64

	at       uint64 // position of the next record
	end      uint64 // head, when it was last read
	released uint64 // tail
	wrapped  []byte // a copy of a record that continues at the beginning of data
}

// newRing returns a ring that nothing was read from.
func newRing(data []byte, head, tail *uint64) ring {
	return ring{data: data, head: head, tail: tail, wrapped: make([]byte, maxRaw)}
}

// readHead reads head. Records up to there can be read after it.
func (r *ring) readHead() { r.end = atomic.LoadUint64(r.head) }

// next returns the next record before the head that readHead read, or nil. The record is valid
// until the next call, which may release its room: next does so for every eighth of the ring. A
// record of an impossible size ends the reading: the rest up to head is skipped.
func (r *ring) next() []byte {
	if r.at-r.released >= uint64(len(r.data))/8 {
		r.release()
	}
	left := r.end - r.at
	if left < headerLen {
		return nil
	}
	pos := r.at & uint64(len(r.data)-1)
	size := uint64(binary.NativeEndian.Uint16(r.data[pos+6:]))
	if size < headerLen || size%8 != 0 || size > left {
		r.at = r.end
		return nil
	}
	r.at += size
	if over := pos + size; over > uint64(len(r.data)) {
		n := copy(r.wrapped, r.data[pos:])
		copy(r.wrapped[n:size], r.data)
		return r.wrapped[:size]
	}
	return r.data[pos : pos+size]
}

// release lets the kernel overwrite what was read.
func (r *ring) release() {
	atomic.StoreUint64(r.tail, r.at)
	r.released = r.at
}

// skip skips all records, and reports whether there were any.
func (r *ring) skip() bool {
	r.readHead()
	some := r.at != r.end
	r.at = r.end
	r.release()
	return some
}
