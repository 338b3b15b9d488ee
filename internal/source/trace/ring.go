package trace

import (
	"encoding/binary"
	"sync/atomic"
)

// A ring is the buffer that perf shares with us (struct perf_event_mmap_page):
// the kernel writes records and moves head, we read them and move tail.
type ring struct {
	data       []byte // a power of two bytes
	head, tail *uint64

	at       uint64 // up to where we have read
	end      uint64 // up to where there is something
	released uint64 // what tail says
	wrapped  []byte // a record from the ring's end and beginning
}

func newRing(data []byte, head, tail *uint64) ring {
	return ring{data: data, head: head, tail: tail, wrapped: make([]byte, maxRaw)}
}

// look finds out up to where the kernel has written.
func (r *ring) look() { r.end = atomic.LoadUint64(r.head) }

// next gives the record that comes next of those that look has found, or nil.
// It is good until the next call, which may give its room back to the kernel.
// A size that cannot be makes all that is left unreadable.
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

// release gives the kernel the room of what was read.
func (r *ring) release() {
	atomic.StoreUint64(r.tail, r.at)
	r.released = r.at
}

// skip passes over all that is there, and tells whether anything was.
func (r *ring) skip() bool {
	r.look()
	some := r.at != r.end
	r.at = r.end
	r.release()
	return some
}
