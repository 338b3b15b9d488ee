// Package perftest fills rings as perf does, for tests.
package perftest

import "encoding/binary"

var native = binary.NativeEndian

// Types of records, and the length of what each begins with.
const (
	lost, sample = 2, 9
	headerLen    = 8
)

// Record encodes a record. Its size is rounded up, as the kernel does.
func Record(typ uint32, body []byte) []byte {
	size := (headerLen + len(body) + 7) &^ 7
	b := native.AppendUint32(nil, typ)
	b = native.AppendUint16(b, 0)
	b = native.AppendUint16(b, uint16(size))
	b = append(b, body...)
	return append(b, make([]byte, size-len(b))...)
}

// Sample encodes a sample from task 100, thread 101. A nil chain means that there is none.
func Sample(at uint64, raw []byte, chain ...uint64) []byte {
	b := native.AppendUint32(nil, 100)
	b = native.AppendUint32(b, 101)
	b = native.AppendUint64(b, at)
	if chain != nil {
		b = native.AppendUint64(b, uint64(len(chain)))
		for _, pc := range chain {
			b = native.AppendUint64(b, pc)
		}
	}
	b = native.AppendUint32(b, uint32(len(raw)))
	return Record(sample, append(b, raw...))
}

// Lost encodes that n samples had no room.
func Lost(n uint64) []byte {
	return Record(lost, native.AppendUint64(native.AppendUint64(nil, 1), n))
}

// A Kernel writes records into a ring as perf does: whole or not at all.
type Kernel struct {
	Data       []byte // its length is a power of 2
	Head, Tail uint64
}

// Write reports whether there was room for a record.
func (k *Kernel) Write(rec []byte) bool {
	if k.Head+uint64(len(rec)) > k.Tail+uint64(len(k.Data)) {
		return false
	}
	for _, b := range rec {
		k.Data[k.Head%uint64(len(k.Data))] = b
		k.Head++
	}
	return true
}
