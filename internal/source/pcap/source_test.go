package pcap_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/source/pcap"
)

var at = time.Unix(1772366400, 0)

// segment returns an IPv4 packet with a TCP segment from one of 250 hosts to 192.0.2.1.
func segment(host byte, flags byte, seq uint32, size int) []byte {
	be := binary.BigEndian
	b := be.AppendUint16([]byte{0x45, 0}, uint16(40+size))
	b = append(b, 0, 1, 0, 0, 64, 6, 0, 0, 198, 51, 100, host, 192, 0, 2, 1)
	b = be.AppendUint16(be.AppendUint16(b, 40000), 443)
	b = be.AppendUint32(be.AppendUint32(b, seq), 1)
	b = append(b, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, make([]byte, size)...)
}

// fileOf returns a file with packets a millisecond after each other.
func fileOf(link uint32, packets ...[]byte) []byte {
	c := capture{new(bytes.Buffer)}
	c.begin(link)
	for i, p := range packets {
		c.add(at.Add(time.Duration(i)*time.Millisecond), p)
	}
	return c.Bytes()
}

// source returns a Source of files in memory.
func source(o pcap.Options, files ...[]byte) *pcap.Source {
	for i, file := range files {
		o.Files = append(o.Files, pcap.File{
			Name: string("abc"[i]),
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil },
		})
	}
	return pcap.New(o)
}

// run returns the events in words: kind, type, frame, and payload bytes, or the place of a loss.
func run(t *testing.T, s *pcap.Source) (events []string, err error) {
	t.Helper()
	err = s.Run(t.Context(), output(func(e *event.Event) {
		words := []string{e.Kind.String()}
		if e.Kind == event.Loss {
			words = append(words, e.Place.Key(), event.Plural(e.Count, "flow"))
		} else {
			words = append(words, e.Segment.Type.String(), event.Plural(e.Segment.Frame, "frame"), event.Plural(int(e.Segment.Len), "byte"))
		}
		events = append(events, strings.Join(words, " "))
	}))
	return events, err
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const ack, rst = 0x10, 0x04

// TestSeveralFiles reads files as one capture, in which packets are counted from 1 in each.
func TestSeveralFiles(t *testing.T) {
	s := source(pcap.Options{MaxFlows: 10},
		fileOf(101, segment(1, ack, 100, 10), segment(1, ack, 100, 10)),
		fileOf(101, segment(2, rst, 5, 0), segment(1, ack, 100, 10)))
	got, err := run(t, s)
	if err != nil {
		t.Error(err)
	}
	expect(t, got, "retransmit retransmission 2 frames 10 bytes", "reset  1 frame 0 bytes", "retransmit retransmission 2 frames 10 bytes")
	r := s.Report()
	if total := r.Total(); r.Packets != 4 || r.Bytes != 190 || total.Resent != 2 || total.Resets != 1 || len(r.Traffic) != 2 ||
		r.Traffic[0].Src.String() != "198.51.100.1" || !r.From.Equal(at) || r.Span != time.Millisecond || !s.Now().Equal(at.Add(r.Span)) {
		t.Errorf("%+v", r)
	}
}

// TestForgottenFlows are a loss.
func TestForgottenFlows(t *testing.T) {
	packets := [][]byte{segment(1, ack, 100, 10), segment(2, ack, 100, 10), segment(1, ack, 100, 10)}
	got, err := run(t, source(pcap.Options{MaxFlows: 1}, fileOf(101, packets...)))
	if err != nil {
		t.Error(err)
	}
	expect(t, got, "loss flows_evicted 2 flows")
}

// TestUnsupportedLink reads the packets of other files, and says which were skipped.
func TestUnsupportedLink(t *testing.T) {
	s := source(pcap.Options{MaxFlows: 1}, fileOf(147, segment(1, ack, 100, 10), nil), fileOf(101, segment(1, ack, 100, 10)))
	_, err := run(t, s)
	if !errors.Is(err, pcap.ErrUnsupported) || err.Error() != "read a: link type 147 is not supported: 2 packets skipped" {
		t.Error(err)
	}
	if r := s.Report(); r.Packets != 3 || r.Total().Segments != 1 {
		t.Errorf("%+v", r)
	}
}

// TestDamagedFile emits what is before the damage.
func TestDamagedFile(t *testing.T) {
	file := fileOf(101, segment(1, ack, 100, 10), segment(1, ack, 100, 10), segment(1, ack, 100, 10))
	got, err := run(t, source(pcap.Options{MaxFlows: 1}, file[:len(file)-1]))
	if !errors.Is(err, pcap.ErrTruncated) ||
		err.Error() != "read a: the file is truncated: a packet has 1 byte more than the file (at byte 156)" {
		t.Error(err)
	}
	expect(t, got, "retransmit retransmission 2 frames 10 bytes")
}

// TestSnaplen64 takes the length of the payload from the header, as the payload is not there.
func TestSnaplen64(t *testing.T) {
	cut := func(seq uint32) []byte { return segment(1, ack, seq, 1400)[:50] }
	got, err := run(t, source(pcap.Options{MaxFlows: 1}, fileOf(101, cut(1), cut(1401), cut(1), cut(2801))))
	if err != nil {
		t.Error(err)
	}
	expect(t, got, "retransmit retransmission 3 frames 1400 bytes")
}

// TestFragmentsAreNotAnalyzed: their lengths are not those of the segment.
func TestFragmentsAreNotAnalyzed(t *testing.T) {
	p := segment(1, ack, 1, 100)
	p[6] = 0x20 // more fragments
	s := source(pcap.Options{MaxFlows: 1}, fileOf(101, p, p, []byte("no IP at all, but of this length")))
	got, err := run(t, s)
	if err != nil {
		t.Error(err)
	}
	expect(t, got)
	if r := s.Report(); r.Unanalyzed != 2 || r.Packets != 3 {
		t.Errorf("%+v", r)
	}
}

// TestCounted leaves directions out of the report, and no event.
func TestCounted(t *testing.T) {
	s := source(pcap.Options{MaxFlows: 9, Counted: func(e *event.Event) bool { return e.Packet.Flow.Src.As4()[3] == 2 }},
		fileOf(101, segment(1, ack, 100, 10), segment(1, ack, 100, 10), segment(2, ack, 100, 10)))
	got, err := run(t, s)
	if err != nil {
		t.Error(err)
	}
	expect(t, got, "retransmit retransmission 2 frames 10 bytes")
	if r := s.Report(); len(r.Traffic) != 1 || r.Traffic[0].Segments != 1 {
		t.Errorf("%+v", r.Traffic)
	}
}

// TestEndOfContext stops after the packet whose event has ended it.
func TestEndOfContext(t *testing.T) {
	packets := make([][]byte, 10_000)
	for i := range packets {
		packets[i] = segment(1, rst, 0, 0)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := source(pcap.Options{MaxFlows: 1}, fileOf(101, packets...)).Run(ctx, output(func(*event.Event) { n++; cancel() }))
	if err != nil || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
}

// TestLengthByTheFrame takes the length of the payload from that of the packet, if the IP header has none: larger
// than 64 KiB, or captured before the kernel set it.
func TestLengthByTheFrame(t *testing.T) {
	packet := func(seq uint32) []byte {
		b := segment(1, ack, seq, 100)
		b[2], b[3] = 0, 0
		return b
	}
	got, err := run(t, source(pcap.Options{MaxFlows: 1}, fileOf(101, packet(1), packet(101), packet(1))))
	if err != nil {
		t.Error(err)
	}
	expect(t, got, "retransmit retransmission 3 frames 100 bytes")
}

// BenchmarkSource reads packets with 1,400 bytes of payload of 250 connections, of which one in a hundred comes
// again.
func BenchmarkSource(b *testing.B) {
	var packets [][]byte
	for i := range uint32(10_000) {
		p := segment(byte(i%250), ack, i/250*1400, 1400)
		packets = append(packets, p)
		if i%100 == 0 {
			packets = append(packets, p)
		}
	}
	file := fileOf(101, packets...)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if err := source(pcap.Options{MaxFlows: 1000}, file).Run(b.Context(), output(func(*event.Event) {})); err != nil {
			b.Fatal(err)
		}
	}
}
