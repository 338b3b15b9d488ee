package session_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"dropwatch/internal/event"
)

// FuzzFile reads anything as a file.
func FuzzFile(f *testing.F) {
	file, _ := small(f)
	f.Add(file)
	f.Add(file[:len(file)-1])
	f.Add(sealed(1, []byte(`{"host":"a"}`), ending))
	f.Add([]byte("\x89DWS\r\n\x1a\n\x02"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := replay(t, file); err != nil && !known(err) {
			t.Fatal(err)
		}
	})
}

// FuzzRecords reads anything in a frame that is whole. What comes out of it can
// be recorded, and comes out again.
func FuzzRecords(f *testing.F) {
	file, _ := small(f)
	for _, p := range payloads(file)[1:] {
		f.Add(p)
	}
	f.Add(numbers(event1, 1<<13, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, restart3))
	f.Add(append(numbers(event1, 1<<22|1<<23|1<<26|1<<27|1<<29|1<<36, 9, 0, 0, 1, 2, 10, 6, 10, 1, 0, 0, 4), 1, 2, 3, 4, 80, 8, 2, 0, 2))
	f.Add(append(numbers(event1, 1<<15|1<<21, 300, 4), ending...))
	f.Fuzz(func(t *testing.T, records []byte) {
		events, err := replay(t, sealed(1, []byte("{}"), records))
		if !known(err) && err != nil {
			t.Fatal(err)
		}
		events = slices.DeleteFunc(events, func(e event.Event) bool { return e.Fragment }) // of the ledger at the end
		again, _ := record(t, events)
		got, err := replay(t, again)
		if err != nil {
			t.Fatal(err)
		}
		check(t, events, got)
	})
}

// payloads takes a whole file apart.
func payloads(file []byte) (ps [][]byte) {
	for b := file[9:]; len(b) > 0; {
		n := 8 + binary.LittleEndian.Uint32(b)
		ps = append(ps, b[8:n])
		b = b[n:]
	}
	return ps
}
