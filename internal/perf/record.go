package perf

import "encoding/binary"

// Layout of records (include/uapi/linux/perf_event.h): struct perf_event_header (u32 type, u16
// misc, u16 size), then data by type.
const (
	RecordLost   = 2 // PERF_RECORD_LOST: u64 id, u64 lost
	RecordSample = 9 // PERF_RECORD_SAMPLE

	HeaderLen = 8
	lostLen   = HeaderLen + 16

	// The samples have PERF_SAMPLE_TID (u32 pid, u32 tid), _TIME (u64), perhaps
	// _CALLCHAIN (u64 nr, u64 ips[nr]), and _RAW (u32 size, data).
	tidAt, timeAt, chainAt = HeaderLen, HeaderLen + 8, HeaderLen + 16
)

// ContextMarks is the least of the values that are not addresses in a call chain, but say that
// kernel or user addresses follow (enum perf_callchain_context).
const ContextMarks = ^uint64(4094) // PERF_CONTEXT_MAX, -4095

// RecordType returns the type of a record, which has at least HeaderLen bytes.
func RecordType(rec []byte) uint32 { return binary.NativeEndian.Uint32(rec) }

// LostCount returns the number of samples in a PERF_RECORD_LOST, 0 if it is too short.
func LostCount(rec []byte) uint64 {
	if len(rec) < lostLen {
		return 0
	}
	return binary.NativeEndian.Uint64(rec[HeaderLen+8:])
}

// A Sample is what a sample of any event has. It is valid as long as its record.
type Sample struct {
	Time     uint64 // CLOCK_MONOTONIC, in nanoseconds
	PID, TID uint32
	Chain    []byte // the call chain: 64-bit numbers
	Raw      []byte // the fields of the event
}

// ParseSample returns the parts of a sample, which has a call chain if chains is true. Ok is false if
// the record is too short for its contents.
func ParseSample(rec []byte, chains bool) (s Sample, ok bool) {
	if len(rec) < chainAt {
		return s, false
	}
	var chain []byte
	raw, ok := rec[chainAt:], true
	if chains {
		chain, raw, ok = cutChain(raw)
	}
	if !ok || len(raw) < 4 {
		return s, false
	}
	size := binary.NativeEndian.Uint32(raw)
	if raw = raw[4:]; uint64(size) > uint64(len(raw)) {
		return s, false
	}
	s = Sample{
		Time: binary.NativeEndian.Uint64(rec[timeAt:]), Chain: chain, Raw: raw[:size],
		PID: binary.NativeEndian.Uint32(rec[tidAt:]), TID: binary.NativeEndian.Uint32(rec[tidAt+4:]),
	}
	return s, true
}

// cutChain returns a call chain, and what follows it.
func cutChain(b []byte) (chain, rest []byte, ok bool) {
	if len(b) < 8 {
		return nil, nil, false
	}
	n := binary.NativeEndian.Uint64(b)
	if b = b[8:]; n > uint64(len(b)/8) {
		return nil, nil, false
	}
	return b[:n*8], b[n*8:], true
}
