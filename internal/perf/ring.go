package perf

import (
	"encoding/binary"
	"sync/atomic"
)

// A Ring is the buffer that perf shares with its reader (struct perf_event_mmap_page). The
// kernel writes records and advances head; the reader advances tail. Positions only grow: their
// low bits are offsets in data.
type Ring struct {
	data       []byte  // its length is a power of 2
	head, tail *uint64 // in the page that is shared: read and written atomically

	at       uint64 // position of the next record
	end      uint64 // head, when it was last read
	released uint64 // tail
	wrapped  []byte // a copy of a record that continues at the beginning of data
}

// NewRing returns a ring of data, whose length is a power of 2, that is read from tail on.
func NewRing(data []byte, head, tail *uint64) Ring {
	return Ring{data: data, head: head, tail: tail, at: *tail, released: *tail, wrapped: make([]byte, MaxRaw)}
}

// ReadHead reads head. Records up to there can be read after it.
func (r *Ring) ReadHead() { r.end = atomic.LoadUint64(r.head) }

// Next returns the next record before the head that ReadHead read, or nil. The record is valid
// until the next call, which may release its room: Next does so for every eighth of the ring. A
// record of an impossible size ends the reading: the rest up to head is skipped.
func (r *Ring) Next() []byte {
	if r.at-r.released >= uint64(len(r.data))/8 {
		r.Release()
	}
	left := r.end - r.at
	if left < HeaderLen {
		return nil
	}
	pos := r.at & uint64(len(r.data)-1)
	size := uint64(binary.NativeEndian.Uint16(r.data[pos+6:]))
	if size < HeaderLen || size%8 != 0 || size > left {
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

// Each passes the records that are in the ring to use, one after the other while more returns true, lets the
// kernel overwrite them, and returns how many they were. A record is valid until use returns.
func (r *Ring) Each(more func() bool, use func(rec []byte)) (n int) {
	r.ReadHead()
	for more() {
		rec := r.Next()
		if rec == nil {
			break
		}
		n++
		use(rec)
	}
	r.Release()
	return n
}

// Empty reports whether there is nothing before the head that ReadHead read.
func (r *Ring) Empty() bool { return r.at == r.end }

// Release lets the kernel overwrite what was read.
func (r *Ring) Release() {
	atomic.StoreUint64(r.tail, r.at)
	r.released = r.at
}

// Skip skips all records, and reports whether there were any.
func (r *Ring) Skip() bool {
	r.ReadHead()
	some := r.at != r.end
	r.at = r.end
	r.Release()
	return some
}
