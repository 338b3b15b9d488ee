package dwdump_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/dwdump"
)

const (
	fileHdrLen   = 24
	recordHdrLen = 16
	cookedLen    = 16
)

var start = time.Unix(1_795_231_701, 246_194_123)

func message(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../testdata/dwdump", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestFile(t *testing.T) {
	var b bytes.Buffer
	s := must[*dwdump.Sink](t)(dwdump.New(&b, "x", []byte("family"), start))
	if b.Len() != fileHdrLen+recordHdrLen+cookedLen+len("family") {
		t.Fatalf("New wrote %d bytes", b.Len())
	}
	at := time.Unix(1_795_231_702, 7)
	for _, e := range []event.Event{
		{Raw: []byte("first"), Time: at},
		{Time: at},                                   // of the same message
		{Kind: event.Loss, Count: 3, Time: at},       // brings none
		{Raw: []byte{}, Time: time.Unix(5, 0).UTC()}, // not even a header
	} {
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	want := binary.NativeEndian.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	want = binary.NativeEndian.AppendUint16(want, 2)
	want = binary.NativeEndian.AppendUint16(want, 4)
	want = append(want, make([]byte, 8)...)
	want = binary.NativeEndian.AppendUint32(want, 16+66*1024)
	want = binary.NativeEndian.AppendUint32(want, 253)
	want = appendRecord(want, 1_795_231_701, 246_194_123, "family")
	want = appendRecord(want, 1_795_231_702, 7, "first")
	want = appendRecord(want, 5, 0, "")
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got\n% x\nwant\n% x", b.Bytes(), want)
	}
	if s.Packets() != 2 {
		t.Errorf("%d packets, want 2", s.Packets())
	}
}

// appendRecord makes a record as C dwdump does, but for the nanoseconds.
func appendRecord(b []byte, sec, nsec uint32, msg string) []byte {
	for _, v := range []uint32{sec, nsec, uint32(cookedLen + len(msg)), uint32(cookedLen + len(msg))} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	b = append(b, 0, 4, 3, 56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16)
	return append(b, msg...)
}

// A full file takes no more than room bytes.
type fullFile struct {
	*os.File
	room int
}

func (f *fullFile) Write(b []byte) (int, error) {
	if len(b) <= f.room {
		f.room -= len(b)
		return f.File.Write(b)
	}
	n, _ := f.File.Write(b[:f.room])
	f.room = 0
	return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

// create makes a file that holds before already.
func create(t *testing.T, before string) *os.File {
	t.Helper()
	f := must[*os.File](t)(os.Create(filepath.Join(t.TempDir(), "drops.pcap")))
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(before); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFullDisk writes two batches of two packets with room for every number of
// bytes, behind what was in the file already.
func TestFullDisk(t *testing.T) {
	const before, family, packet = "what was there", "family", "packet"
	const head = fileHdrLen + recordHdrLen + cookedLen + len(family)
	const each = recordHdrLen + cookedLen + len(packet)
	f := create(t, before)
	for room := range head + 4*each {
		if err := f.Truncate(int64(len(before))); err != nil {
			t.Fatal(err)
		}
		must[int64](t)(f.Seek(0, 2))
		packets, err := fill(&fullFile{f, room}, family, packet)
		whole, length := 0, 0
		if room >= head {
			whole = (room - head) / each
			length = head + whole*each
		}
		size := must[os.FileInfo](t)(f.Stat()).Size()
		if size != int64(len(before)+length) {
			t.Errorf("room %d: %d bytes, want %d", room, size-int64(len(before)), length)
		}
		if packets != uint64(whole) {
			t.Errorf("room %d: %d packets, want %d", room, packets, whole)
		}
		want := fmt.Sprintf("write packets to drops.pcap: no space left on device (%d packets were written whole)", whole)
		if !errors.Is(err, syscall.ENOSPC) || err.Error() != want {
			t.Errorf("room %d: error %v, want %s", room, err, want)
		}
	}
	if got := must[[]byte](t)(os.ReadFile(f.Name())); !strings.HasPrefix(string(got), before) {
		t.Errorf("what was there is gone: %q", got)
	}
}

// fill writes until it fails, and returns how many packets were written.
func fill(f *fullFile, family, packet string) (uint64, error) {
	s, err := dwdump.New(f, "drops.pcap", []byte(family), start)
	if err != nil {
		return 0, err
	}
	e := event.Event{Raw: []byte(packet), Time: start}
	for range 2 {
		for range 2 {
			if err := s.Write(&e); err != nil {
				return s.Packets(), err
			}
		}
		if err := s.Flush(); err != nil {
			return s.Packets(), err
		}
	}
	return s.Packets(), nil
}

func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s := must[*dwdump.Sink](t)(dwdump.New(w, "standard output", []byte("family"), start))
	r.Close()
	if err := s.Write(&event.Event{Raw: []byte("packet"), Time: start}); err != nil {
		t.Fatal(err)
	}
	err = s.Flush()
	const want = "write packets to standard output: broken pipe (0 packets were written whole)"
	if !errors.Is(err, syscall.EPIPE) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestALargeBatchIsWrittenWithoutFlush(t *testing.T) {
	var b bytes.Buffer
	s := must[*dwdump.Sink](t)(dwdump.New(&b, "x", nil, start))
	before := b.Len()
	e := event.Event{Raw: make([]byte, 64<<10), Time: start}
	for range 4 {
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() == before || s.Packets() != 4 {
		t.Errorf("%d bytes and %d packets are out, want all 4 of 64 KiB", b.Len()-before, s.Packets())
	}
}
