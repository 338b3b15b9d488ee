package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// apart are the fields of an event that a session need not keep: what decoding
// makes again, and what a drop that reaches a sink has not.
var apart = map[string]bool{"Kind": true, "Raw": true, "Flow": true, "Fragment": true, "Place": true, "Ledger": true}

// fill sets everything in v to a value that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_795_231_701, 1)))
			return
		}
		if v.Type() == reflect.TypeFor[netip.AddrPort]() {
			v.Set(reflect.ValueOf(netip.MustParseAddrPort("[2001:db8::1]:9")))
			return
		}
		for i := range v.NumField() {
			if !apart[v.Type().Field(i).Name] {
				fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(1))
	case reflect.Int64:
		v.SetInt(1)
	case reflect.String:
		v.SetString("text of " + v.Type().String())
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetUint(1)
	}
}

// TestEveryField fails when event.Event has a field that the format lacks.
func TestEveryField(t *testing.T) {
	var want event.Event
	fill(reflect.ValueOf(&want).Elem())
	file, _ := record(t, []event.Event{want})
	want.Packet.Buffer = 0 // means something only while the kernel has the packet
	got, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, []event.Event{want}) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestPlaces records a loss at every place.
func TestPlaces(t *testing.T) {
	events := []event.Event{
		{Kind: event.Loss, Place: event.FullSummary, Count: 1}, {Kind: event.Loss, Place: event.LostSummary, Count: 2},
		{Kind: event.Rejected, Count: 3}, {Kind: event.Rejected, Undecided: true, Count: 4}, {Kind: event.Retransmit, Count: 5},
		{Kind: event.Loss, Place: event.Uncovered, Count: 1, Gap: time.Second}, {Harmless: "closed", Count: 6},
	}
	for p := range event.Places() {
		events = append(events, event.Event{Kind: event.Loss, Place: p, Count: 4})
	}
	for p := range event.UncountedPlaces() {
		events = append(events, event.Event{Kind: event.Loss, Place: p, Count: 5})
	}
	file, want := record(t, events)
	got, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	check(t, events, got)
	if ledger := rerun(t, file); ledger != want {
		t.Errorf("replay: %+v, recording: %+v", ledger, want)
	}
}

// TestTablesStartAnew records more strings, places and chains than the tables
// hold, and the old ones again.
func TestTablesStartAnew(t *testing.T) {
	var events []event.Event
	for i := range uint64(60_000) {
		f := event.Frame{PC: i % 20_000, Lookup: event.Found, Symbol: fmt.Sprint("f", i%20_000)}
		e := event.Event{Count: 1, Where: event.Where{HasPC: true, Frame: f}}
		e.Stack = []event.Frame{f, {PC: i % 3}, f}
		events = append(events, e)
	}
	file, _ := record(t, events)
	got, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	check(t, events, got)
}

// TestNamesThatChange: what an address is called may change, as modules come
// and go, also within a chain.
func TestNamesThatChange(t *testing.T) {
	a := event.Frame{PC: 1, Lookup: event.Found, Symbol: "a"}
	b := event.Frame{PC: 1, Lookup: event.NotFound}
	var events []event.Event
	for _, chain := range [][]event.Frame{{a, b}, {b, a}, {a, b}, {a, a}, {b}} {
		events = append(events, event.Event{Count: 1, Where: event.Where{HasPC: true, Frame: chain[0]}, Stack: chain})
	}
	file, _ := record(t, events)
	got, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	check(t, events, got)
}

// A full disk takes no more than room bytes.
type fullDisk struct {
	bytes.Buffer
	room int
}

func (f *fullDisk) Write(b []byte) (int, error) {
	if len(b) <= f.room {
		f.room -= len(b)
		return f.Buffer.Write(b)
	}
	n, _ := f.Buffer.Write(b[:f.room])
	f.room = 0
	return n, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
}

// TestFullDisk records three events, of a frame each, with room for every
// number of bytes: what the error says can be replayed, can be.
func TestFullDisk(t *testing.T) {
	all := &fullDisk{room: 1 << 20}
	if err := fillDisk(all); err != nil {
		t.Fatal(err)
	}
	for room := 1; room < all.Len(); room++ {
		disk := &fullDisk{room: room}
		err := fillDisk(disk)
		got, rerr := replay(t, disk.Bytes())
		want := fmt.Sprintf("record to drops: no space left on device (%d events can be replayed from it)", len(got))
		if !errors.Is(err, syscall.ENOSPC) || err.Error() != want {
			t.Errorf("room %d: error %v, want %s", room, err, want)
		}
		if !errors.Is(rerr, session.ErrTruncated) {
			t.Errorf("room %d: replay: %v", room, rerr)
		}
	}
}

func fillDisk(disk io.Writer) error {
	w, err := session.NewWriter(disk, "drops", header)
	for i := 0; i < 3 && err == nil; i++ {
		if err = w.Write(&event.Event{Count: 1, Reason: "NO_SOCKET"}); err == nil {
			err = w.Flush()
		}
	}
	return err
}

// TestNothingFollowsAFailure flushes again, as a pipeline does at its end.
func TestNothingFollowsAFailure(t *testing.T) {
	disk := &fullDisk{room: 1 << 20}
	w, err := session.NewWriter(disk, "drops", header)
	if err != nil {
		t.Fatal(err)
	}
	disk.room = 5
	if err := errors.Join(w.Write(&event.Event{Count: 1}), w.Flush()); err == nil {
		t.Fatal("no error")
	}
	disk.room = 1 << 20
	before := disk.Len()
	if err := w.Flush(); err != nil || disk.Len() != before {
		t.Errorf("%d more bytes, error %v", disk.Len()-before, err)
	}
}

func TestTooLarge(t *testing.T) {
	tests := map[string]struct {
		e    event.Event
		want string
	}{
		"packet": {
			event.Event{Packet: event.Packet{Data: make([]byte, 2<<20), HasData: true}},
			"an event of 2097162 bytes, more than the 983040 of a recording",
		},
		"chain": {event.Event{Stack: make([]event.Frame, 8193)}, "a stack trace of 8193 calls, more than the 8192 of a recording"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			w, err := session.NewWriter(&file, "drops", header)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(&event.Event{Count: 1}); err != nil {
				t.Fatal(err)
			}
			want := "record to drops: " + tt.want + " (0 events can be replayed from it)"
			if err := w.Write(&tt.e); err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if got, err := replay(t, file.Bytes()); !errors.Is(err, session.ErrTruncated) || len(got) != 1 {
				t.Errorf("%d events before, want 1, error %v", len(got), err)
			}
		})
	}
}

func TestTheLargest(t *testing.T) {
	events := []event.Event{
		{Count: 1, Packet: event.Packet{Data: make([]byte, 983040-20), HasData: true}},
		{Count: 1, Stack: make([]event.Frame, 8192)},
	}
	file, _ := record(t, events)
	got, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	check(t, events, got)
}

func TestALargeHeader(t *testing.T) {
	h := session.Header{Command: strings.Repeat("x", 1<<20)}
	const want = "record to drops: a header of 1048590 bytes, more than the 1048576 of a recording (0 events can be replayed from it)"
	if _, err := session.NewWriter(io.Discard, "drops", h); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestALargeBatchIsWrittenWithoutFlush(t *testing.T) {
	var file bytes.Buffer
	w, err := session.NewWriter(&file, "drops", header)
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{Count: 1, Packet: event.Packet{Data: make([]byte, 16<<10), HasData: true}}
	for range 4 {
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := replay(t, file.Bytes()); len(got) != 4 {
		t.Errorf("%d events are out, want all 4 of 16 KiB", len(got))
	}
}

func TestNoAllocation(t *testing.T) {
	w, err := session.NewWriter(io.Discard, "drops", header)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		events := typical(kind, 1000)
		n := testing.AllocsPerRun(5, func() {
			for i := range events {
				if err := w.Write(&events[i]); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations in %d events, want none", kind, n, len(events))
		}
	}
}

// TestSize bounds what a file grows by for a typical event without its bytes.
func TestSize(t *testing.T) {
	for kind, most := range map[string]int{"trace": 18, "packet": 17 + 74, "stack": 20} {
		const n = 10_000
		file, _ := record(t, typical(kind, n))
		if each := len(file) / n; each > most {
			t.Errorf("%s: %d bytes an event, want %d", kind, each, most)
		}
	}
}
