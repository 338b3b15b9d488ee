package pcap

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packed is a packet of a test file.
type packed struct {
	at   time.Time
	data string
	wire int
}

// someTime has nanoseconds that formats with microseconds cut off.
var someTime = time.Unix(1772366400, 123456789)

// somePackets are those of most test files.
var somePackets = []packed{
	{someTime, "first packet", 12},
	{someTime.Add(time.Second), "cut", 1500},
	{someTime.Add(3 * time.Second), "", 60},
	{someTime.Add(4 * time.Second), "the last", 8},
}

// A writer appends numbers in a byte order.
type writer struct {
	binary.AppendByteOrder
	b []byte
}

func (w *writer) u16(n ...uint16) {
	for _, n := range n {
		w.b = w.AppendUint16(w.b, n)
	}
}

func (w *writer) u32(n ...uint32) {
	for _, n := range n {
		w.b = w.AppendUint32(w.b, n)
	}
}

// pcapFile writes pcap, with times in units of a second.
func pcapFile(o binary.AppendByteOrder, units uint32, packets []packed) []byte {
	w := writer{AppendByteOrder: o}
	magic := uint32(magicMicro)
	if units == 1e9 {
		magic = magicNano
	}
	w.u32(magic)
	w.u16(2, 4)
	w.u32(0, 0, 65535, 1)
	for _, p := range packets {
		w.u32(uint32(p.at.Unix()), uint32(p.at.Nanosecond())/(1e9/units), uint32(len(p.data)), uint32(p.wire))
		w.b = append(w.b, p.data...)
	}
	return w.b
}

// block appends a block of pcapng.
func (w *writer) block(kind uint32, body func()) {
	start := len(w.b)
	w.u32(kind, 0)
	body()
	w.b = append(w.b, "\x00\x00\x00"[:-len(w.b)&3]...)
	size := uint32(len(w.b) - start + 4)
	copy(w.b[start+4:], w.AppendUint32(nil, size))
	w.u32(size)
}

func (w *writer) section() {
	w.block(blockSection, func() {
		w.u32(0x1a2b3c4d)
		w.u16(1, 0)
		w.u32(0xffffffff, 0xffffffff)
	})
}

// device appends an interface, with the options that are given as code and value in turn.
func (w *writer) device(link uint16, snap uint32, options ...any) {
	w.block(blockInterface, func() {
		w.u16(link, 0)
		w.u32(snap)
		for i := 0; i < len(options); i += 2 {
			value := options[i+1].(string)
			w.u16(uint16(options[i].(int)), uint16(len(value)))
			w.b = append(append(w.b, value...), "\x00\x00\x00"[:-len(value)&3]...)
		}
		if len(options) > 0 {
			w.u16(optEnd, 0)
		}
	})
}

// packet appends a packet in a block of some type.
func (w *writer) packet(kind uint32, device int, stamp uint64, p packed) {
	w.block(kind, func() {
		switch kind {
		case blockSimple:
			w.u32(uint32(p.wire))
		case blockObsolete:
			w.u16(uint16(device), 7) // drops
		default:
			w.u32(uint32(device))
		}
		if kind != blockSimple {
			w.u32(uint32(stamp>>32), uint32(stamp), uint32(len(p.data)), uint32(p.wire))
		}
		w.b = append(w.b, p.data...)
	})
}

// pcapngFile writes pcapng, with times in nanoseconds.
func pcapngFile(o binary.AppendByteOrder, kind uint32, packets []packed) []byte {
	w := writer{AppendByteOrder: o}
	w.section()
	w.block(0x0bad, func() { w.u32(1, 2, 3) }) // is skipped
	w.device(1, 0, 1, "a comment", optResol, "\x09")
	for _, p := range packets {
		w.packet(kind, 0, uint64(p.at.UnixNano()), p)
	}
	return w.b
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(b, nil)
}
