package records_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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

func TestWrite(t *testing.T) {
	const before = "before"
	tests := []struct {
		batch string // a record ends with a bar
		room  int
		whole int
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
		name := filepath.Join(t.TempDir(), "file")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(before); err != nil {
			t.Fatal(err)
		}
		whole, err := records.Write(fullFile{f, tt.room}, []byte(tt.batch), ends(tt.batch))
		if full := tt.room < len(tt.batch); errors.Is(err, errFull) != full {
			t.Errorf("%q in %d bytes: error %v", tt.batch, tt.room, err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if whole != tt.whole || string(got) != before+tt.want {
			t.Errorf("%q in %d bytes: %d whole, %q in the file, want %d, %q", tt.batch, tt.room, whole, got, tt.whole, before+tt.want)
		}
	}
}

func ends(batch string) (ends []int) {
	for i, c := range []byte(batch) {
		if c == '|' {
			ends = append(ends, i+1)
		}
	}
	return ends
}

// TestAPipeTakesNothingBack: what is counted is still right.
func TestAPipeTakesNothingBack(t *testing.T) {
	var b bytes.Buffer
	if whole, err := records.Write(&short{&b}, []byte("ab|cd|"), []int{3, 6}); whole != 1 || !errors.Is(err, errFull) {
		t.Errorf("%d whole, error %v, want 1, %v", whole, err, errFull)
	}
	if b.String() != "ab|cd" {
		t.Errorf("wrote %q", &b)
	}
}

// A short writer takes all but the last byte.
type short struct{ b *bytes.Buffer }

func (s *short) Write(b []byte) (int, error) {
	n, _ := s.b.Write(b[:len(b)-1])
	return n, errFull
}
