package retrans

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"dropwatch/internal/event"
)

// ErrState says that what is to be loaded was not written by Save of this version, or is damaged.
var ErrState = errors.New("not the state of TCP connections that this version saves, or it is damaged")

// stateMagic begins a state. Its last byte is the version of the format.
const stateMagic = "dwstate\x03"

// A savedFlow is a connection as it is saved. All of it has a fixed size; the spans and refills of both halves follow.
type savedFlow struct {
	Low, High         [16]byte
	LowPort, HighPort uint16
	Tunnel            uint32
	Kind              event.Layer
	Halves            [2]savedHalf
}

// A savedHalf is a direction as it is saved.
type savedHalf struct {
	HasBase, HasNext, HasAck, HasWindow, Unscaled bool

	Base, Next, Ack, Acked, Duplicates uint32
	Top                                mark
	Clock                              clock
	Numbers                            numbers
	Timed                              timed
	AckAt                              int64
	Window                             uint16
	Scale                              scale
	Last                               Types
	Spans, Refills                     uint8
}

// Save writes the connections that are known, but not what was counted, so that Load can go on with them.
func (a *Analyzer) Save(w io.Writer) error {
	sum := crc32.NewIEEE()
	b := bufio.NewWriter(io.MultiWriter(w, sum))
	b.WriteString(stateMagic)
	write := func(v any) { _ = binary.Write(b, binary.LittleEndian, v) } // b keeps the error for Flush
	write(uint32(len(a.flows)))
	for f := a.oldest; f != nil; f = f.newer {
		saved := f.save()
		write(&saved)
		for i := range f.halves {
			write(f.halves[i].seen)
			write(f.halves[i].refills)
		}
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, sum.Sum32())
}

// save returns what state files have of a connection. How many spans and refills follow is in it.
func (f *flow) save() savedFlow {
	s := savedFlow{
		Low: f.key.low.addr, High: f.key.high.addr, LowPort: f.key.low.port, HighPort: f.key.high.port,
		Tunnel: f.key.tunnel, Kind: f.key.kind,
	}
	for i := range f.halves {
		h := &f.halves[i]
		s.Halves[i] = savedHalf{
			HasBase: h.hasBase, HasNext: h.hasNext, HasAck: h.hasAck, HasWindow: h.hasWindow, Unscaled: h.unscaled,
			Base: h.base, Next: h.next, Ack: h.ack, Acked: h.acked, Duplicates: h.duplicates,
			Top: h.top, Clock: h.clock, Numbers: h.numbers, Timed: h.timed,
			AckAt: h.ackAt, Window: h.window, Scale: h.scale, Last: h.last,
			Spans: uint8(len(h.seen)), Refills: uint8(len(h.refills)),
		}
	}
	return s
}

// Load enters the connections that Save has written, in an Analyzer that is new. If they are more than its
// limit, it forgets the oldest. An error wraps ErrState unless reading failed; the Analyzer must not be used
// after it.
func (a *Analyzer) Load(r io.Reader) error {
	sum := crc32.NewIEEE()
	d := stateReader{bufio.NewReader(r), sum}
	magic := make([]byte, len(stateMagic))
	var n uint32
	if err := errors.Join(d.read(magic), d.read(&n)); err != nil || string(magic) != stateMagic {
		return stateError(err)
	}
	for range n {
		if err := a.loadFlow(&d); err != nil {
			return stateError(err)
		}
	}
	want := sum.Sum32()
	var got uint32
	if err := d.read(&got); err != nil || got != want {
		return stateError(err)
	}
	return nil
}

// stateError returns why a state cannot be loaded: err, if reading failed.
func stateError(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrState
	}
	return err
}

// A stateReader reads what binary.Write has written, and adds it to a checksum.
type stateReader struct {
	r   *bufio.Reader
	sum hash.Hash32
}

// read reads a value of fixed size, in little-endian order.
func (d *stateReader) read(v any) error {
	return binary.Read(io.TeeReader(d.r, d.sum), binary.LittleEndian, v)
}

// loadFlow reads a connection and enters it as the newest.
func (a *Analyzer) loadFlow(d *stateReader) error {
	var s savedFlow
	if err := d.read(&s); err != nil {
		return err
	}
	k := key{endpoint{s.Low, s.LowPort}, endpoint{s.High, s.HighPort}, s.Tunnel, s.Kind}
	if a.flows[k] != nil {
		return fmt.Errorf("%w: a connection is there twice", ErrState)
	}
	f := a.open(k)
	for i := range f.halves {
		if err := f.halves[i].load(d, &s.Halves[i]); err != nil {
			return err
		}
	}
	return nil
}

// load reads what flow.save has of a half, and its spans and refills. The error is ErrState if that is more than this
// version keeps.
func (h *half) load(d *stateReader, s *savedHalf) error {
	if s.Spans > maxSpans || s.Refills > maxRefills || s.Scale > maxScale+1 {
		return ErrState
	}
	seen, again := make(spans, s.Spans), make(refills, s.Refills)
	if err := errors.Join(d.read(seen), d.read(again)); err != nil {
		return err
	}
	*h = half{
		hasBase: s.HasBase, hasNext: s.HasNext, hasAck: s.HasAck, hasWindow: s.HasWindow, unscaled: s.Unscaled,
		base: s.Base, next: s.Next, ack: s.Ack, acked: s.Acked, duplicates: s.Duplicates,
		top: s.Top, clock: s.Clock, numbers: s.Numbers, timed: s.Timed,
		ackAt: s.AckAt, window: s.Window, scale: s.Scale, last: s.Last, seen: seen, refills: again,
	}
	return nil
}
