package capture

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFollower reads what is appended to a file until its context ends, and not what is written over it.
func TestFollower(t *testing.T) {
	name := filepath.Join(t.TempDir(), "growing")
	w, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	info, err := w.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := openCapture(ctx, name, info, true)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, part := range []string{"first", "second"} {
		go w.WriteString(part)
		got := make([]byte, len(part))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != part {
			t.Fatalf("%q, %v, want %q", got, err, part)
		}
	}
	if err := w.Truncate(3); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "shortened") {
		t.Errorf("of a shorter file: %v", err)
	}
	if err := w.Truncate(100); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); err != nil {
		t.Errorf("after the end of the context: %v", err)
	}
}

func TestReadSoFar(t *testing.T) {
	for want, n := range map[string][2]int64{
		"[==========                    ]  33 % of 300 B": {100, 300},
		"[==============================] 100 % of 300 B": {301, 300},
		"1.2 kB read": {1234, 0},
	} {
		if got := readSoFar(n[0], n[1]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
