package records_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/records"
)

var errFull = errors.New("full")

// A full file takes no more than room bytes.
type fullFile struct {
	*os.File
	room int
}

func (f fullFile) Write(b []byte) (int, error) {
	n, _ := f.File.Write(b[:min(f.room, len(b))])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

func TestFlush(t *testing.T) {
	const before, behind = "before", "behind"
	tests := []struct {
		batch string // a record ends with a bar
		room  int
		whole uint64
		want  string
	}{
		{"ab|cd|", 6, 2, "ab|cd|"},
		{"ab|cd|", 5, 1, "ab|"},
		{"ab|cd|", 3, 1, "ab|"},
		{"ab|cd|", 2, 0, ""},
		{"ab|cd|", 0, 0, ""},
		{"ab|rest", 7, 1, "ab|rest"},
		{"ab|rest", 6, 1, "ab|"},
		{"head", 4, 0, "head"},
		{"head", 3, 0, ""},
	}
	for _, tt := range tests {
		f := create(t, before)
		b := records.NewText(fullFile{f, tt.room})
		fill(t, &b, tt.batch)
		if full := tt.room < len(tt.batch); errors.Is(b.Flush(), errFull) != full {
			t.Errorf("%q in %d bytes: want an error: %v", tt.batch, tt.room, full)
		}
		if err := b.Flush(); err != nil {
			t.Errorf("%q in %d bytes is written again: %v", tt.batch, tt.room, err)
		}
		if _, err := f.WriteString(behind); err != nil {
			t.Fatal(err)
		}
		got, want := read(t, f), before+tt.want+behind
		if b.Whole() != tt.whole || got != want {
			t.Errorf("%q in %d bytes: %d whole, %q in the file, want %d, %q", tt.batch, tt.room, b.Whole(), got, tt.whole, want)
		}
	}
}

// create makes a file that holds before already.
func create(t *testing.T, before string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(before); err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fill adds a batch, of which each record ends with a bar.
func fill(t *testing.T, b *records.Buffer, batch string) {
	t.Helper()
	for i := range len(batch) {
		b.Bytes = append(b.Bytes, batch[i])
		if batch[i] != '|' {
			continue
		}
		if err := b.EndRecord(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLaterBytesStay: what another program wrote behind this one is not removed.
func TestLaterBytesStay(t *testing.T) {
	f := create(t, "......others")
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	b := records.NewText(fullFile{f, 5})
	fill(t, &b, "ab|cd|")
	if err := b.Flush(); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if got := read(t, f); got != "ab|cd.others" {
		t.Errorf("%q in the file", got)
	}
}

// TestAPipeTakesNothingBack: what is counted is still right.
func TestAPipeTakesNothingBack(t *testing.T) {
	var out bytes.Buffer
	b := records.NewText(&short{&out})
	fill(t, &b, "ab|cd|")
	if err := b.Flush(); b.Whole() != 1 || !errors.Is(err, errFull) {
		t.Errorf("%d whole, error %v, want 1, %v", b.Whole(), err, errFull)
	}
	if out.String() != "ab|cd" {
		t.Errorf("wrote %q", &out)
	}
}

// A short writer takes all but the last byte.
type short struct{ b *bytes.Buffer }

func (s *short) Write(b []byte) (int, error) {
	n, _ := s.b.Write(b[:len(b)-1])
	return n, errFull
}

func TestEnoughIsWrittenWithoutFlush(t *testing.T) {
	tests := map[string]struct {
		buffer func(io.Writer) records.Buffer
		enough int
	}{
		"text":    {records.NewText, 32 << 10},
		"capture": {func(w io.Writer) records.Buffer { return records.NewCapture(w, "drops.pcap") }, 256 << 10},
	}
	for name, tt := range tests {
		var out bytes.Buffer
		b := tt.buffer(&out)
		fill(t, &b, strings.Repeat(".", tt.enough-2)+"|")
		if out.Len() != 0 {
			t.Errorf("%s: wrote %d bytes, want %d first", name, out.Len(), tt.enough)
		}
		fill(t, &b, "|")
		if out.Len() != tt.enough || b.Whole() != 2 {
			t.Errorf("%s: wrote %d bytes, %d records, want %d, 2", name, out.Len(), b.Whole(), tt.enough)
		}
	}
}

func TestErrors(t *testing.T) {
	failure := &os.PathError{Op: "write", Path: "/dev/stdout", Err: errFull}
	tests := map[string]func(io.Writer) records.Buffer{
		"write drops: full": records.NewText,
		"write packets to drops.pcap: full (0 packets were written whole)": func(w io.Writer) records.Buffer {
			return records.NewCapture(w, "drops.pcap")
		},
	}
	for want, buffer := range tests {
		b := buffer(failing{failure})
		fill(t, &b, "ab|")
		if err := b.Flush(); !errors.Is(err, errFull) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestWriteText: the first error stays, nothing is written after it, and the buffer is free each time.
func TestWriteText(t *testing.T) {
	var out bytes.Buffer
	text, err := records.WriteText(&out, []byte("one\n"), nil, "the table")
	if err != nil || len(text) != 0 || out.String() != "one\n" {
		t.Fatalf("%q, %v, wrote %q", text, err, out.String())
	}
	broken := &os.PathError{Op: "write", Path: "night.txt", Err: errFull}
	_, err = records.WriteText(failing{broken}, []byte("two\n"), nil, "the table")
	if err == nil || err.Error() != "write the table: "+errFull.Error() || !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	text, again := records.WriteText(&out, []byte("three\n"), err, "the table")
	if again != err || len(text) != 0 || out.String() != "one\n" {
		t.Errorf("%q, %v, wrote %q", text, again, out.String())
	}
}
