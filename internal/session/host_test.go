package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// hostWriter begins a recording with counters.
func hostWriter(t testing.TB, file io.Writer) *session.Writer {
	t.Helper()
	h := header
	h.Counters = true
	w, err := session.NewWriter(file, "x", h)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// hostOf reads what a file has of the host.
func hostOf(file []byte) (session.Host, error) {
	r, err := session.Open(bytes.NewReader(file), "x")
	if err != nil {
		return session.Host{}, err
	}
	r.KeepHost()
	err = r.Run(context.Background(), &list{})
	return r.Host(), err
}

// someCounters are n counters of a host, in the order of a snapshot, with everything that one
// may have.
func someCounters(rnd *rand.Rand, n int) []counters.Counter {
	groups := []counters.Group{counters.Softnet, counters.Interface, counters.Socket, "of a later version"}
	var all []counters.Counter
	for i := range n {
		c := counters.Counter{
			Key: counters.Key{
				Group: groups[rnd.IntN(len(groups))], IfName: pick(rnd, "", "eth0"),
				Object: fmt.Sprint("socket ", i), Name: pick(rnd, "drops", "x"),
			},
			Value: rnd.Uint64() >> rnd.IntN(64), Bits: uint8(32 << rnd.IntN(2)), Gauge: rnd.IntN(2) == 0, Limit: uint64(rnd.IntN(2)),
			Part: rnd.IntN(2) == 0, Sparse: rnd.IntN(2) == 0, Inode: uint64(rnd.IntN(3)), Sharing: uint32(rnd.IntN(3)),
			About: pick(rnd, "", "udp dport 9 drop"), Hook: pick(rnd, "", "INPUT"),
		}
		if rnd.IntN(2) == 0 {
			c.Netns = event.Netns{Inode: uint32(1 + rnd.IntN(2)), Name: "blue"}
		}
		all = append(all, c)
	}
	counters.Sort(all)
	return all
}

func pick(rnd *rand.Rand, from ...string) string { return from[rnd.IntN(len(from))] }

// TestSnapshots: the first and the last snapshot are read as they were, whatever came, went
// and changed in between.
func TestSnapshots(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 30 {
		var file bytes.Buffer
		w := hostWriter(t, &file)
		s := counters.Snapshot{Time: started, Own: 7, Took: 3, Counters: someCounters(rnd, 300)}
		first := s
		for i := range rnd.IntN(30) {
			s.Time = s.Time.Add(time.Duration(i) * time.Second)
			s.Counters = change(rnd, s.Counters)
			if i == 0 {
				first = s
			}
			write(t, w.WriteCounters(&s))
			write(t, w.Write(&event.Event{Count: 1, Reason: "NO_SOCKET"}))
			write(t, w.Flush())
		}
		write(t, w.WriteCounters(&s))
		write(t, w.Flush())
		got, err := hostOf(file.Bytes())
		if !errors.Is(err, session.ErrTruncated) { // it has no end
			t.Fatal(err)
		}
		if got.Snapshots == 1 {
			first = s
		}
		checkSnapshot(t, got.First, &first)
		checkSnapshot(t, got.Last, &s)
	}
}

func write(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// change returns counters of which some are gone, some changed, and some are new.
func change(rnd *rand.Rand, all []counters.Counter) (changed []counters.Counter) {
	for _, c := range all {
		switch rnd.IntN(10) {
		case 0:
			continue
		case 1, 2:
			c.Value += uint64(rnd.IntN(1000)) - 200
		case 3:
			c.Limit++
		}
		changed = append(changed, c)
	}
	for i, c := range someCounters(rnd, rnd.IntN(40)) {
		c.Object = fmt.Sprint("later ", rnd.Uint32(), i)
		changed = append(changed, c)
	}
	counters.Sort(changed)
	return changed
}

// checkSnapshot compares snapshots whose counters may be in another order within a group.
func checkSnapshot(t *testing.T, got, want *counters.Snapshot) {
	t.Helper()
	if !got.Time.Equal(want.Time) || got.Own != want.Own || got.Took != want.Took || len(got.Counters) != len(want.Counters) {
		t.Fatalf("got %v %d %v, %d counters, want %v %d %v, %d", got.Time, got.Own, got.Took, len(got.Counters),
			want.Time, want.Own, want.Took, len(want.Counters))
	}
	byKey := make(map[counters.Key]counters.Counter)
	for _, c := range want.Counters {
		byKey[c.Key] = c
	}
	for _, c := range got.Counters {
		if c != byKey[c.Key] {
			t.Errorf("got %+v, want %+v", c, byKey[c.Key])
		}
	}
}

// TestEveryFieldOfACounter fails when counters.Counter has a field that the format lacks.
func TestEveryFieldOfACounter(t *testing.T) {
	var want counters.Counter
	fill(reflect.ValueOf(&want).Elem())
	want.Bits = 32
	var file bytes.Buffer
	w := hostWriter(t, &file)
	write(t, w.WriteCounters(&counters.Snapshot{Counters: []counters.Counter{want}}))
	write(t, w.Flush())
	got, _ := hostOf(file.Bytes())
	if !reflect.DeepEqual(got.First.Counters, []counters.Counter{want}) {
		t.Errorf("got  %+v\nwant %+v", got.First.Counters, want)
	}
}

// TestFailures: what could not be read is told, with why.
func TestFailures(t *testing.T) {
	want := []counters.Failure{
		{Netns: event.Netns{Inode: 7, Name: "blue"}, Group: counters.NFTables, Err: fs.ErrPermission}, {Err: errors.New("broken")},
	}
	var file bytes.Buffer
	w := hostWriter(t, &file)
	write(t, w.WriteCounters(&counters.Snapshot{Failures: want}))
	write(t, w.Flush())
	got, _ := hostOf(file.Bytes())
	if len(got.First.Failures) != len(want) {
		t.Fatalf("got %v", got.First.Failures)
	}
	for i := range want {
		if got, want := got.First.Failures[i].Error(), want[i].Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestAnswers: the last answer to each question counts.
func TestAnswers(t *testing.T) {
	var file bytes.Buffer
	w := hostWriter(t, &file)
	for _, a := range [][2]string{{"a", "1"}, {"b", `"x"`}, {"a", "2"}} {
		write(t, w.WriteAnswer(a[0], []byte(a[1])))
	}
	write(t, w.WriteAnswer("long", bytes.Repeat([]byte("7"), 1<<20)))
	write(t, w.Flush())
	got, _ := hostOf(file.Bytes())
	want := map[string]json.RawMessage{"a": json.RawMessage("2"), "b": json.RawMessage(`"x"`)}
	if !reflect.DeepEqual(got.Answers, want) {
		t.Errorf("got %s, want %s", got.Answers, want)
	}
}

// TestTooManyCounters: a host may have more counters than a recording holds.
func TestTooManyCounters(t *testing.T) {
	all := make([]counters.Counter, 400_000)
	for i := range all {
		all[i].Inode = uint64(i)
		all[i].Object = fmt.Sprint(i)
	}
	const want = "record to x: 400000 counters, more than a recording holds: leave out --counters (0 events can be replayed from it)"
	if err := hostWriter(t, io.Discard).WriteCounters(&counters.Snapshot{Counters: all}); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestWithoutCounters: a recording without counters is of the version that earlier programs
// read, and one with them is not; a replay skips them.
func TestWithoutCounters(t *testing.T) {
	for counted, want := range map[bool]byte{false: 2, true: 3} {
		h := header
		h.Counters = counted
		var file bytes.Buffer
		w, err := session.NewWriter(&file, "x", h)
		write(t, err)
		if counted {
			write(t, w.WriteCounters(&counters.Snapshot{Counters: someCounters(rand.New(rand.NewPCG(1, 1)), 3)}))
		}
		write(t, w.Write(&event.Event{Count: 1}))
		write(t, w.Flush())
		if got := file.Bytes()[8]; got != want {
			t.Errorf("counters %t: version %d, want %d", counted, got, want)
		}
		if events, _ := replay(t, file.Bytes()); len(events) != 1 {
			t.Errorf("counters %t: %d events, want 1", counted, len(events))
		}
	}
}

// sizedRecord is one with its length.
func sizedRecord(kind byte, record []byte) []byte {
	return append(binary.AppendUvarint([]byte{kind}, uint64(len(record))), record...)
}

// Records and parts by hand, as doc.go says.
const (
	counters16, answer17                     = 16, 17
	empty1, gone2, changed3, new4, theEnd5   = 1, 2, 3, 4, 5
	counterIsGauge, counterHasIfName, last01 = 1 << 9, 1 << 2, 1
)

func TestCountersByHand(t *testing.T) {
	// The interface is eth0, the name x, the value 9; the next has the same interface, and the name "".
	first := append(numbers(last01, empty1, new4, 2, counterHasIfName, 0, 4), "eth0"...)
	first = append(append(first, numbers(1, 1)...), 'x')
	first = append(first, numbers(9, counterIsGauge, 2, 0, 5, theEnd5, 20, 3, 7, 0)...)
	second := numbers(last01, changed3, 1, 1, 3, gone2, 1, 0, theEnd5, 2, 0, 7, 0) // 3: zigzag -2
	unknown := sizedRecord(99, []byte("of a later version"))
	got, err := hostOf(sealed(3, []byte("{}"), sizedRecord(counters16, first), unknown, sizedRecord(counters16, second),
		numbers(end2, 0, 0, 0, 0, 0, 0, 0, 0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	eth0 := counters.Counter{Key: counters.Key{IfName: "eth0", Name: "x"}, Value: 9, Bits: 64}
	gauge := counters.Counter{Key: counters.Key{IfName: "eth0"}, Value: 5, Bits: 64, Gauge: true}
	checkSnapshot(t, got.First, &counters.Snapshot{Time: time.Unix(0, 10), Took: 3, Own: 7, Counters: []counters.Counter{eth0, gauge}})
	gauge.Value = 3
	checkSnapshot(t, got.Last, &counters.Snapshot{Time: time.Unix(0, 11), Own: 7, Counters: []counters.Counter{gauge}})
}

// TestHostileHost reads frames that are whole and have impossible contents.
func TestHostileHost(t *testing.T) {
	huge := uint64(1<<64 - 1)
	long := append(numbers(last01, empty1, new4, 1, 0, 0, 3000), bytes.Repeat([]byte{'x'}, 3000)...)
	for name, tt := range map[string]struct {
		record []byte
		want   string
	}{
		"no flag":            {sizedRecord(counters16, nil), "a number out of range"},
		"another flag":       {sizedRecord(counters16, numbers(2)), "a number out of range"},
		"no end":             {sizedRecord(counters16, numbers(last01, empty1)), "an incomplete record"},
		"more than the end":  {sizedRecord(counters16, numbers(last01, theEnd5, 0, 0, 0, 0, empty1)), "an incomplete record"},
		"no part":            {sizedRecord(counters16, numbers(last01, 0)), "a number out of range"},
		"an unknown part":    {sizedRecord(counters16, numbers(last01, 6)), "a number out of range"},
		"an unknown field":   {sizedRecord(counters16, numbers(last01, new4, 1, 1<<13)), "a number out of range"},
		"gone before it was": {sizedRecord(counters16, numbers(last01, gone2, 1, 0)), "a reference to an entry that does not exist"},
		"gone twice": {sizedRecord(counters16, numbers(last01, new4, 1, 0, 0, 0, 1, gone2, 2, 0, 0)),
			"a reference to an entry that does not exist"},
		"changed before it was": {sizedRecord(counters16, numbers(last01, changed3, 1, 0, 2)),
			"a reference to an entry that does not exist"},
		"far away":              {sizedRecord(counters16, numbers(last01, gone2, 1, huge)), "a number out of range"},
		"a long text":           {sizedRecord(counters16, long), "a number out of range"},
		"many of a part":        {sizedRecord(counters16, numbers(last01, gone2, 65)), "a number out of range"},
		"many failures":         {sizedRecord(counters16, numbers(last01, theEnd5, 0, 0, 0, 129)), "a number out of range"},
		"longer than the frame": {numbers(counters16, huge), "an incomplete record"},
		"half an answer":        {sizedRecord(answer17, numbers(1)), "an incomplete record"},
		"a kind in between":     {numbers(15), "a record of unknown kind"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := hostOf(sealed(3, []byte("{}"), tt.record))
			want := "replay x: the file is damaged: " + tt.want + " (at byte 19"
			if !errors.Is(err, session.ErrCorrupt) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
			if got.First != nil || got.Last != nil || len(got.Answers) > 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestHostIsBounded reads what a file has no end of.
func TestHostIsBounded(t *testing.T) {
	flood := func(begin []byte, again func(i int) []byte) [][]byte {
		payloads := [][]byte{[]byte("{}")}
		for i := range 200 {
			record := begin
			for len(record) < 500_000 {
				record = append(record, again(i)...)
				i += 1000
			}
			payloads = append(payloads, sizedRecord(counters16, record))
		}
		return payloads
	}
	long := strings.Repeat("x", 2000)
	var answers [][]byte
	answers = append(answers, []byte("{}"))
	for i := range 400 {
		q := fmt.Sprint(i)
		a := append(append(numbers(uint64(len(q))), q...), numbers(50_000)...)
		answers = append(answers, sizedRecord(answer17, append(a, make([]byte, 50_000)...)))
	}
	small := bytes.Repeat(numbers(0, 0, 0), 64)
	for name, tt := range map[string]struct {
		payloads [][]byte
		want     string
	}{
		"counters that do not end": {
			flood(numbers(0), func(int) []byte { return append(numbers(new4, 64), small...) }), "tables that are too large",
		},
		"answers": {answers, "tables that are too large"},
		"a long text that all have": {[][]byte{[]byte("{}"), sizedRecord(counters16, slicesOf(
			append(numbers(last01, empty1, new4, 1, 1<<7, 0, 2000), long...), numbers(0, 0),
			bytes.Repeat(append(numbers(new4, 64), bytes.Repeat(numbers(1<<7, 0, 0, 0), 64)...), 1800),
			numbers(theEnd5, 0, 0, 0, 0)))}, "it expands to more than 512 times its size"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := hostOf(sealed(3, tt.payloads...))
			if !errors.Is(err, session.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func slicesOf(all ...[]byte) []byte { return bytes.Join(all, nil) }

// TestCutAnywhereOfTheHost cuts a file at each byte: what it has of the host is that of whole
// snapshots.
func TestCutAnywhereOfTheHost(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	var file bytes.Buffer
	w := hostWriter(t, &file)
	all := []counters.Snapshot{{Time: started, Counters: someCounters(rnd, 20)}}
	for i := range 3 {
		all = append(all, counters.Snapshot{Time: started.Add(time.Duration(i+1) * time.Second), Counters: change(rnd, all[i].Counters)})
		write(t, w.WriteCounters(&all[i]))
		write(t, w.WriteAnswer("a", []byte("1")))
		write(t, w.Flush())
	}
	last := uint64(0)
	for n := 1; n < file.Len(); n++ {
		got, err := hostOf(file.Bytes()[:n])
		if !errors.Is(err, session.ErrTruncated) {
			t.Fatalf("cut at %d: error %v", n, err)
		}
		if got.Snapshots < last || (got.Last != nil) != (got.Snapshots > 0) {
			t.Fatalf("cut at %d: %d snapshots, after %d", n, got.Snapshots, last)
		}
		if last = got.Snapshots; last > 0 {
			checkSnapshot(t, got.First, &all[0])
			checkSnapshot(t, got.Last, &all[last-1])
		}
	}
	if last != 2 {
		t.Errorf("without the last byte: %d snapshots, want 2", last)
	}
}

// FuzzHost reads anything as records of the host in a frame that is whole. What comes out of
// it can be recorded, and comes out again.
func FuzzHost(f *testing.F) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var file bytes.Buffer
	w := hostWriter(f, &file)
	failures := []counters.Failure{{Err: io.EOF}}
	write(f, w.WriteCounters(&counters.Snapshot{Time: started, Counters: someCounters(rnd, 20), Failures: failures}))
	write(f, w.WriteAnswer("a", []byte(`{"x":1}`)))
	write(f, w.Flush())
	for _, p := range payloads(file.Bytes())[1:] {
		f.Add(p)
	}
	f.Add(sizedRecord(counters16, numbers(last01, empty1, new4, 1, 0, 0, 0, 1, gone2, 1, 0, changed3, 0, theEnd5, 0, 0, 0, 0)))
	f.Add(sizedRecord(99, nil))
	f.Fuzz(func(t *testing.T, records []byte) {
		got, err := hostOf(sealed(3, []byte("{}"), records))
		if err != nil && !known(err) {
			t.Fatal(err)
		}
		if got.Last == nil {
			return
		}
		var file bytes.Buffer
		w := hostWriter(t, &file)
		write(t, w.WriteCounters(got.Last))
		write(t, w.Flush())
		again, _ := hostOf(file.Bytes())
		if !reflect.DeepEqual(again.Last.Counters, got.Last.Counters) || !again.Last.Time.Equal(got.Last.Time) {
			t.Errorf("got %+v, want %+v", again.Last, got.Last)
		}
	})
}
