package retrans_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/retrans"
)

// FuzzAdd adds segments in any order, of a few connections. What was said of a segment is counted, once.
func FuzzAdd(f *testing.F) {
	for _, packets := range cases {
		var b []byte
		for _, p := range packets {
			s := p.segment(0xffffff00)
			b = append(b, p.from, byte(s.TCPFlags))
			b = binary.BigEndian.AppendUint32(b, s.Seq)
			b = binary.BigEndian.AppendUint32(b, s.Ack)
			b = binary.BigEndian.AppendUint16(b, uint16(s.Len))
			b = binary.BigEndian.AppendUint16(b, s.Window)
			b = append(b, byte(p.at), byte(p.id), byte(p.clock))
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const size, limit = 17, 3
		a := retrans.New(limit, nil)
		var segments, said, resets uint64
		for at := began; len(b) >= size; b = b[size:] {
			p := packet{from: "cs"[b[0]&1:][0], id: int(b[15]) << (b[16] & 8), clock: int(b[16])}
			s := p.segment(0)
			s.SrcPort += uint16(b[0] >> 1 & 7)
			s.TCPFlags, s.Seq, s.Ack = event.TCPFlags(b[1]), binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[6:])
			s.Len, s.Window = uint32(binary.BigEndian.Uint16(b[10:])), binary.BigEndian.Uint16(b[12:])
			at = at.Add(time.Duration(int8(b[14])) * time.Millisecond)
			for range a.Add(s, at).All() {
				said++
			}
			segments++
			if s.TCPFlags&event.RST != 0 {
				resets++
			}
		}
		var sum retrans.Traffic
		for _, d := range a.Traffic() {
			sum.Add(d)
		}
		var counted uint64
		for ts := event.SegmentType(0); ts <= event.PortReuse; ts++ {
			counted += sum.Type(ts)
		}
		if sum.Segments != segments || counted != said || sum.Resets != resets || sum.Resent > segments {
			t.Fatalf("%d segments, %d types, %d resets: counted %+v", segments, said, resets, sum)
		}
	})
}

// FuzzLoad loads any state that its checksum does not refuse, and goes on with what it has.
func FuzzLoad(f *testing.F) {
	for _, packets := range cases {
		a := retrans.New(3, nil)
		for _, p := range packets {
			a.Add(p.segment(0xffffff00), began)
		}
		state := saved(f, a)
		f.Add(state[:len(state)-4])
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		a := retrans.New(3, nil)
		state = binary.LittleEndian.AppendUint32(state, crc32.ChecksumIEEE(state))
		if err := a.Load(bytes.NewReader(state)); err != nil {
			if !errors.Is(err, retrans.ErrState) {
				t.Fatal(err)
			}
			return
		}
		for _, p := range cases["out of order"] {
			a.Add(p.segment(0xffffff00), began)
		}
	})
}
