package text_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/text"
)

const pc = 0xffffffff87a84b72

var (
	noon = time.Date(2026, 11, 21, 3, 26, 5, 328161970, time.UTC)
	port = event.Packet{Proto: 0x800, HasProto: true, Data: make([]byte, 60), HasData: true, Len: 64, HasLen: true}
)

func software(pc uint64) event.Event {
	return event.Event{Count: 7, Where: event.Where{Frame: event.Frame{PC: pc}, HasPC: true}}
}

func found(e event.Event, symbol string, offset uint64) event.Event {
	e.Where.Lookup, e.Where.Symbol, e.Where.Offset = event.Found, symbol, offset
	return e
}

func count(e event.Event, n uint64) event.Event {
	e.Count = n
	return e
}

func trap(name string, n uint64) event.Event {
	return event.Event{Count: n, Origin: event.Hardware, Where: event.Where{Trap: name}}
}

func packet(kernel string, at time.Time) event.Event {
	return event.Event{
		Count: 1, Individual: true, Time: at, KernelTime: !at.IsZero(),
		Where: event.Where{Frame: event.Frame{PC: pc}, HasPC: true, Kernel: kernel},
	}
}

// full has every attribute that a software drop can have.
func full() event.Event {
	e := packet("tcf_action_exec+0x88/0x120", noon)
	e.Reason = "TC_INGRESS"
	e.Packet = port
	e.Packet.Proto, e.Packet.Len = 0x86dd, 1514
	e.Port = event.Port{IfIndex: 3, IfName: "eth0"}
	e.Cookie = []byte{0, 0xff, 0x10, 0xab}
	return e
}

func hardware() event.Event {
	e := event.Event{Count: 1, Individual: true, Origin: event.Hardware, Time: noon, KernelTime: true}
	e.Where.Trap, e.Where.TrapGroup = "blackhole_route", "l3_drops"
	e.Port = event.Port{IfIndex: 10, IfName: "eth10"}
	e.Cookie = []byte{0xde, 0xad, 0xbe, 0xef}
	e.Packet = event.Packet{Proto: 0x800, HasProto: true, Data: make([]byte, 98), HasData: true, Len: 98, HasLen: true}
	return e
}

func recorded() event.Event {
	e := packet("__udp4_lib_rcv+0x9a2/0xc30", noon)
	e.Port.IfIndex, e.Packet, e.Reason = 1, port, "NO_SOCKET"
	return e
}

// padded has zeros wherever a number can have them.
func padded() []event.Event {
	e := packet("icmp_rcv+0x0/0x400", time.Date(2026, 3, 3, 1, 2, 3, 4567, time.UTC))
	e.Origin = event.Unknown
	e.Packet = event.Packet{HasProto: true, HasData: true, HasLen: true}
	start := event.Event{Count: 1, Individual: true, Origin: event.Unstated, KernelTime: true, Time: time.Unix(0, 0).UTC()}
	return []event.Event{e, start}
}

func control() []event.Event {
	soft := event.Event{Count: 1, Individual: true, Reason: "R\u202e", Where: event.Where{Frame: event.Frame{PC: 1}, HasPC: true,
		Kernel: "a\u009bb"}}
	soft.Port.IfName = "e\x1b]0;x\a"
	hard := event.Event{Count: 1, Individual: true, Origin: event.Hardware, Where: event.Where{Trap: "t\r", TrapGroup: "g\n"}}
	return []event.Event{soft, hard}
}

func TestWriteIsByteForByteC(t *testing.T) {
	unknown := software(0xffffffffc0ffee00)
	unknown.Where.Lookup = event.NotFound
	half := event.Event{Count: 1, Individual: true, Origin: event.Unstated}
	half.Where = event.Where{Frame: event.Frame{PC: pc}, HasPC: true, Trap: "a trap without its group"}
	tests := map[string][]event.Event{
		"summary":          {found(software(pc), "__udp4_lib_rcv", 0x9a2)},
		"summary-raw":      {software(pc)},
		"summary-nil":      {count(software(0), 1)},
		"summary-unknown":  {unknown},
		"summary-hardware": {trap("blackhole_route", 12)},
		"summary-control": {
			count(found(software(0xffffffffc0ffee1f), "bad\x1b[31m", 0x1f), 2),
			trap("trap\n", 3),
		},
		"packet":          {recorded()},
		"packet-full":     {full()},
		"packet-hardware": {hardware()},
		"packet-bare":     {half},
		"packet-padded":   padded(),
		"packet-control":  control(),
	}
	if files, _ := filepath.Glob("../../../testdata/text/*.txt"); len(files) != len(tests) {
		t.Errorf("%d files for %d tests", len(files), len(tests))
	}
	for name, events := range tests {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("../../../testdata/text", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			if got := format(t, events...); got != string(want) {
				t.Errorf("got\n%q\nC prints\n%q", got, want)
			}
		})
	}
}

// TestPlaceThatTheKernelDidNotName: other sources than C's have it by address.
func TestPlaceThatTheKernelDidNotName(t *testing.T) {
	e := software(pc)
	e.Count, e.Individual = 1, true
	want := "drop at: 0xffffffff87a84b72\norigin: software\n\n"
	if got := format(t, e); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.Where.Lookup, e.Where.Symbol, e.Where.Offset, e.Where.Module = event.Found, "ovs_vport_receive", 0x42, "openvswitch"
	want = "drop at: ovs_vport_receive+0x42 [openvswitch] (0xffffffff87a84b72)\norigin: software\n\n"
	if got := format(t, e); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func format(t *testing.T, events ...event.Event) string {
	t.Helper()
	var b bytes.Buffer
	s := text.New(&b)
	for i := range events {
		if err := s.Write(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLossIsNotShown(t *testing.T) {
	if got := format(t, event.Event{Kind: event.Loss, Count: 9}); got != "" {
		t.Errorf("a loss is shown as %q", got)
	}
}

func TestTimeOfEveryMagnitude(t *testing.T) {
	for _, nsec := range []int{0, 1, 9, 10, 99_999_999, 100_000_000, 999_999_999} {
		got := format(t, packet("f", time.Date(2026, 12, 31, 23, 59, 59, nsec, time.UTC)))
		if line := fmt.Sprintf("timestamp: Thu Dec 31 23:59:59 2026 %09d nsec\n", nsec); !strings.Contains(got, line) {
			t.Errorf("%d ns: got %q, want %q in it", nsec, got, line)
		}
	}
}

// A slow writer counts its calls, and fails if err is set.
type slowWriter struct {
	writes int
	bytes  int
	err    error
}

func (w *slowWriter) Write(b []byte) (int, error) {
	w.writes++
	w.bytes += len(b)
	return len(b), w.err
}

func TestManyDropsAreWrittenTogether(t *testing.T) {
	w := &slowWriter{}
	s := text.New(w)
	e := recorded()
	const drops = 1000
	for range drops {
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	before := w.writes
	if before == 0 || before > 20 {
		t.Errorf("%d writes for %d drops before Flush", before, drops)
	}
	for range 2 { // the second has nothing to write
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if w.writes != before+1 {
		t.Errorf("%d writes for two Flush, want 1", w.writes-before)
	}
	if want := drops * len(format(t, e)); w.bytes != want {
		t.Errorf("wrote %d bytes, want %d", w.bytes, want)
	}
}

func TestFailedWrite(t *testing.T) {
	broken := errors.New("pipe broken")
	s := text.New(&slowWriter{err: broken})
	e := recorded()
	if err := s.Write(&e); err != nil {
		t.Fatalf("nothing was written yet, but: %v", err)
	}
	err := s.Flush()
	if !errors.Is(err, broken) || err.Error() != "write drops: pipe broken" {
		t.Errorf("error %v", err)
	}
	if err := s.Flush(); err != nil {
		t.Errorf("what failed is written again: %v", err)
	}
	for range 1000 {
		if err = s.Write(&e); err != nil {
			break
		}
	}
	if !errors.Is(err, broken) {
		t.Errorf("a full buffer: error %v", err)
	}
}
