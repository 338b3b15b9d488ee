package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// small is a file of four frames, the last three of which have 1, 7 and 2
// events, and what its events are.
func small(t testing.TB) (file []byte, want []string) {
	rnd := rand.New(rand.NewPCG(5, 6))
	events := make([]event.Event, 10)
	for i := range events {
		events[i] = anyEvent(rnd)
	}
	file, _ = record(t, events)
	return file, lines(events)
}

func known(err error) bool {
	return errors.Is(err, session.ErrEmpty) || errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrVersion) ||
		errors.Is(err, session.ErrTruncated) || errors.Is(err, session.ErrCorrupt)
}

// TestCutAnywhere cuts a file at each byte: the error says so, and the events
// are those of the whole frames.
func TestCutAnywhere(t *testing.T) {
	file, want := small(t)
	last := 0
	for n := 1; n < len(file); n++ {
		got, err := replay(t, file[:n])
		if !errors.Is(err, session.ErrTruncated) {
			t.Fatalf("cut at %d: error %v", n, err)
		}
		if n > 500 && !strings.HasSuffix(err.Error(), fmt.Sprintf(", after %s)", event.Plural(uint64(len(got)), "event"))) {
			t.Errorf("cut at %d, after %d events: %v", n, len(got), err)
		}
		if len(got) < last || !begins(want, got) {
			t.Errorf("cut at %d: %d events, after %d", n, len(got), last)
		}
		last = len(got)
	}
	if last != 8 {
		t.Errorf("without the last byte: %d events, want those of the whole frames, 8", last)
	}
}

// TestFlipAnywhere changes each bit of a file.
func TestFlipAnywhere(t *testing.T) {
	file, want := small(t)
	for i := range file {
		for bit := range 8 {
			file[i] ^= 1 << bit
			got, err := replay(t, file)
			file[i] ^= 1 << bit
			if !known(err) {
				t.Errorf("bit %d of byte %d: error %v", bit, i, err)
			}
			if !begins(want, got) {
				t.Errorf("bit %d of byte %d: other events", bit, i)
			}
		}
	}
}

// TestHole takes each frame out, doubles it and empties it.
func TestHole(t *testing.T) {
	file, _ := small(t)
	for at := 9; at < len(file); {
		end := at + 8 + int(binary.LittleEndian.Uint32(file[at:]))
		frame := file[at:end]
		for what, instead := range map[string][]byte{
			"missing": nil, "doubled": bytes.Repeat(frame, 2), "zeros": make([]byte, len(frame)),
		} {
			changed := bytes.Join([][]byte{file[:at], instead, file[end:]}, nil)
			if _, err := replay(t, changed); !errors.Is(err, session.ErrCorrupt) && (what != "missing" || end != len(file)) {
				t.Errorf("frame at %d %s: error %v", at, what, err)
			}
		}
		at = end
	}
}

func TestOpenErrors(t *testing.T) {
	const magic = "\x89DWS\r\n\x1a\n"
	tests := map[string]struct {
		file, want string
		is         error
	}{
		"empty":     {"", "replay x: the file is empty: nothing was recorded, or not yet", session.ErrEmpty},
		"its first": {magic[:4], "replay x: the recording is truncated (at byte 0, after 0 events)", session.ErrTruncated},
		"another file": {"\x0a\x0d\x0d\x0apcapng", "replay x: not a dropwatch recording: make one with dropwatch record",
			session.ErrNoSession},
		"a short one": {"no", "replay x: not a dropwatch recording: make one with dropwatch record", session.ErrNoSession},
		"as text": {"\x89DWS\n\x1a\n\x01\x00", "replay x: not a dropwatch recording: make one with dropwatch record",
			session.ErrNoSession},
		"newer": {
			magic + "\x04",
			"replay x: the recording was made by a newer dropwatch: its version is 4, this dropwatch reads up to 3: use a newer one",
			session.ErrVersion,
		},
		"version 0": {magic + "\x00", "replay x: the file is damaged: there is no version 0 (at byte 0, after 0 events)",
			session.ErrCorrupt},
		"no header": {magic + "\x01", "replay x: the recording is truncated (at byte 9, after 0 events)", session.ErrTruncated},
		"no JSON": {
			string(sealed(1, []byte("{"))),
			"replay x: the file is damaged: its header: unexpected end of JSON input (at byte 9, after 0 events)",
			session.ErrCorrupt,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := session.Open(strings.NewReader(tt.file), "x"); !errors.Is(err, tt.is) || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// sealed makes a file of a version and payloads, as doc.go says.
func sealed(version byte, payloads ...[]byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	file := append([]byte("\x89DWS\r\n\x1a\n"), version)
	sum := crc32.Checksum(file, table)
	for _, p := range payloads {
		sum = crc32.Update(sum, table, p)
		file = binary.LittleEndian.AppendUint32(file, uint32(len(p)))
		file = binary.LittleEndian.AppendUint32(file, sum)
		file = append(file, p...)
	}
	return file
}

func numbers(ns ...uint64) (b []byte) {
	for _, n := range ns {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// Records by hand, as doc.go says.
const event1, end2, restart3 = 1, 2, 3

// ending is an end without a drop.
var ending = []byte{end2, 0, 0, 0, 0, 0}

func TestByHand(t *testing.T) {
	at := time.Unix(0, 1000)
	eth0 := append(numbers(event1, 1|1<<11, 2000, 0, 4), "eth0"...) // 2000: zigzag 1000
	again := numbers(event1, 1|1<<11, 1, 0)                         // 1: zigzag -1
	loss := numbers(event1, 1<<15|1<<21, 300, 4)
	closed := append(numbers(end2, 0, 2, 0, 5, 8), 0, 0, 0, 0, 0xac, 0x02, 0, 0, 9)
	got, err := replay(t, sealed(1, []byte("{}"), append(eth0, again...), loss, closed))
	if err != nil {
		t.Fatal(err)
	}
	want := []event.Event{
		{Time: at, Count: 1, Port: event.Port{IfName: "eth0"}},
		{Time: at.Add(-1), Count: 1, Port: event.Port{IfName: "eth0"}},
		{Kind: event.Loss, Count: 300, Place: event.InRing},
		{Kind: event.Rejected, Count: 9, Time: at.Add(-1)},
		{Fragment: true, Count: 5, Time: at.Add(-1)},
	}
	check(t, want, got)
}

// TestHostile reads frames that are whole and have impossible contents.
func TestHostile(t *testing.T) {
	const reason, stack, count = 1 << 6, 1 << 13, 1 << 15
	huge := uint64(math.MaxUint64)
	tests := map[string]struct {
		records []byte
		want    string
	}{
		"unknown record":       {numbers(9), "a record of unknown kind"},
		"unknown confidence":   {numbers(event1, 1<<27, 1, 3), "a number out of range"},
		"sure of no socket":    {numbers(event1, 1<<36, 2), "a reference to an entry that does not exist"},
		"an address of 5":      {append(numbers(event1, 1<<26, 1, 1, 2, 6, 10, 0, 5), 1, 2, 3, 4, 5, 0, 0, 0), "a number out of range"},
		"no field set":         {numbers(event1), "an incomplete record"},
		"a number of 65 bits":  {append([]byte{event1}, bytes.Repeat([]byte{0xff}, 11)...), "a number out of range"},
		"protocol of 17 bits":  {numbers(event1, 1<<7, 1<<16), "a number out of range"},
		"index of 33 bits":     {numbers(event1, 1<<10, 1<<32), "a number out of range"},
		"unknown link type":    {numbers(event1, 1<<8, 2, 0), "a number out of range"},
		"unknown origin":       {numbers(event1, 1<<17, 4), "a number out of range"},
		"unknown place":        {numbers(event1, 1<<21, 8), "a number out of range"},
		"unknown look-up":      {append(numbers(event1, 1<<4, 0), 0, 0, 0, 0, 0, 0, 0, 0, 3), "a number out of range"},
		"endless time":         {append([]byte{event1, 1}, bytes.Repeat([]byte{0xff}, 10)...), "an incomplete record"},
		"unknown string":       {numbers(event1, reason, 1), "a reference to an entry that does not exist"},
		"endless string":       {numbers(event1, reason, 0, huge), "an incomplete record"},
		"endless packet":       {numbers(event1, 1<<8, 0, huge), "an incomplete record"},
		"a short address":      {numbers(event1, 1<<4, 0, 1, 2), "an incomplete record"},
		"unknown chain":        {numbers(event1, stack, 7), "a reference to an entry that does not exist"},
		"endless chain":        {numbers(event1, stack, 0, 8192, 0), "a number out of range"},
		"chain of unknown":     {numbers(event1, stack, 0, 1, 5), "a reference to an entry that does not exist"},
		"counts that overflow": {numbers(event1, count, huge, event1, 0), "counts too large to add up"},
		"rejections overflow":  {numbers(event1, count, 2, end2, 0, 2, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, huge), "counts too large to add up"},
		"a drop too few":       {numbers(event1, 0, end2, 0, 2, 0, 0, 0), "a ledger that does not match the events"},
		"a loss too many":      {numbers(event1, 1<<21, 0, end2, 0, 0, 0, 0, 1, 0), "a ledger that does not match the events"},
		"fewer rejections":     {numbers(event1, 1<<21, 7, end2, 0, 0, 0, 0, 0), "a ledger that does not match the events"},
		"too many places":      {numbers(end2, 0, 0, 0, 0, 9), "a number out of range"},
		"no incident":          {numbers(event1, 1<<41, 5), "a reference to an entry that does not exist"},
		"detail of nothing":    {numbers(event1, 1<<57), "a reference to an entry that does not exist"},
		"a short end":          {numbers(end2, 0, 0, 0), "an incomplete record"},
		"more after the end":   {append(bytes.Clone(ending), restart3), "a record after the end"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := sealed(1, []byte("{}"), tt.records)
			_, err := replay(t, file)
			if !errors.Is(err, session.ErrCorrupt) || !strings.HasPrefix(err.Error(), "replay x: the file is damaged: "+tt.want+
				" (at byte 19") {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// TestUnknownField: a frame that is whole was so written, by who knows more.
func TestUnknownField(t *testing.T) {
	for bit := 58; bit < 64; bit++ {
		got, err := replay(t, sealed(1, []byte("{}"), numbers(event1, 0, event1, 1<<bit)))
		const want = "replay x: the recording was made by a newer dropwatch: its events have unknown fields: use a newer dropwatch " +
			"(after 1 event)"
		if !errors.Is(err, session.ErrVersion) || err.Error() != want || len(got) != 1 {
			t.Errorf("bit %d: %d events, error %v", bit, len(got), err)
		}
	}
}

func TestAfterTheEnd(t *testing.T) {
	whole := sealed(1, []byte("{}"), ending)
	if _, err := replay(t, whole); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"a frame":        sealed(1, []byte("{}"), ending, numbers(restart3)),
		"half a frame":   append(bytes.Clone(whole), 1, 0),
		"the file again": append(bytes.Clone(whole), whole...),
	} {
		const want = "replay x: the file is damaged: something follows its end"
		if _, err := replay(t, file); !errors.Is(err, session.ErrCorrupt) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestTablesAreBounded reads a file that never empties its tables.
func TestTablesAreBounded(t *testing.T) {
	var flood []byte
	for n := range uint64(1 << 15) { // each counts for 32+2
		flood = append(flood, numbers(event1, 1<<6, n, 2, n%128, n%128)...)
	}
	var out list
	r, err := session.Open(bytes.NewReader(sealed(1, []byte("{}"), flood)), "x")
	if err != nil {
		t.Fatal(err)
	}
	const whole = 1<<20/34 + 1
	err = r.Run(t.Context(), &out)
	if !errors.Is(err, session.ErrCorrupt) || !strings.Contains(err.Error(), "tables that are too large") || len(out.events) != whole {
		t.Errorf("%d events, want %d, error %v", len(out.events), whole, err)
	}
}

// TestAFileDoesNotExpandWithoutBound reads small records that refer to a long
// text, or to a deep chain, again and again.
func TestAFileDoesNotExpandWithoutBound(t *testing.T) {
	const reason, stack = 1 << 6, 1 << 13
	long := append(numbers(event1, reason, 0, 1<<19), bytes.Repeat([]byte{'x'}, 1<<19)...)
	deep := numbers(event1, stack, 0, 8192, 0)
	deep = append(deep, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	deep = append(deep, numbers(0, 0, 0, 0)...) // symbol "", offset 0, module "": the first of the strings
	deep = append(deep, bytes.Repeat([]byte{0}, 8191)...)
	for name, tt := range map[string]struct{ first, again []byte }{
		"a long text":  {long, numbers(event1, reason, 0)},
		"a deep chain": {deep, numbers(event1, stack, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			file := sealed(1, []byte("{}"), tt.first, bytes.Repeat(tt.again, 10_000))
			r, err := session.Open(bytes.NewReader(file), "x")
			if err != nil {
				t.Fatal(err)
			}
			var expanded expansion
			err = r.Run(t.Context(), &expanded)
			const want = "it expands to more than 512 times its size"
			if !errors.Is(err, session.ErrCorrupt) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
			if bound := expansion(64<<20 + 512*len(file) + 1<<20); expanded > bound {
				t.Errorf("a file of %d bytes gave %d, want at most %d", len(file), expanded, bound)
			}
		})
	}
}

// expansion counts what events have in texts and chains.
type expansion int

func (x *expansion) Emit(e *event.Event) {
	*x += expansion(len(e.Reason) + 64*len(e.Stack))
}

func (x *expansion) Flush() {}

// An unreadable file fails after some bytes.
type unreadable struct {
	r   io.Reader
	err error
}

func (u unreadable) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	if err == io.EOF {
		err = u.err
	}
	return n, err
}

func TestReadError(t *testing.T) {
	file, _ := small(t)
	broken := errors.New("broken")
	for n := range file {
		r, err := session.Open(unreadable{bytes.NewReader(file[:n]), broken}, "x")
		if err == nil {
			err = r.Run(t.Context(), discard{})
		}
		if !errors.Is(err, broken) || err.Error() != "replay x: broken" {
			t.Fatalf("unreadable at %d: error %v", n, err)
		}
	}
}
