package table_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/table"
)

func init() { time.Local = time.UTC }

func drop(place, reason string, n uint64) event.Event {
	e := event.Event{Count: n, Time: time.Now(), Reason: reason}
	e.Where = event.Where{HasPC: true, Kernel: place}
	for _, c := range []byte(place) {
		e.Where.PC = e.Where.PC*31 + uint64(c)
	}
	return e
}

func hardware(trap, group string, n uint64) event.Event {
	return event.Event{Count: n, Time: time.Now(), Origin: event.Hardware, Where: event.Where{Trap: trap, TrapGroup: group}}
}

func traceOnly(e event.Event) event.Event {
	e.TraceOnly = true
	return e
}

func loss(p event.Place, n uint64) event.Event {
	return event.Event{Kind: event.Loss, Time: time.Now(), Place: p, Count: n}
}

// An output is a Writer for several goroutines.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// take gives what was written since it was last called.
func (o *output) take() string {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.buf.Reset()
	return o.buf.String()
}

// A run is a sink with what it wrote, and the ledger of what it was given.
type run struct {
	t *testing.T
	*table.Sink
	out    output
	ledger event.Ledger
}

func start(t *testing.T, o table.Options) *run {
	r := &run{t: t}
	r.Sink = table.New(&r.out, o)
	return r
}

func (r *run) write(events ...event.Event) {
	r.t.Helper()
	for i := range events {
		r.ledger.Add(&events[i])
		if err := r.Write(&events[i]); err != nil {
			r.t.Fatal(err)
		}
	}
}

// end ends the run, and gives what that wrote.
func (r *run) end() string {
	r.t.Helper()
	r.write(event.Event{Kind: event.End, Time: time.Now(), Ledger: &r.ledger})
	if err := r.Flush(); err != nil {
		r.t.Fatal(err)
	}
	return r.out.take()
}

// everything is a drop of each kind, and losses.
func everything() []event.Event {
	return []event.Event{
		drop("udp_queue_rcv_one_skb+0x1a2/0x5c0", "NO_SOCKET", 1),
		drop("nft_do_chain+0x4f0/0x5c0 [nf_tables]", "NETFILTER_DROP", 7),
		drop("udp_queue_rcv_one_skb+0x1a2/0x5c0", "NO_SOCKET", 50),
		drop("udp_queue_rcv_one_skb+0x1b8/0x5c0", "SOCKET_RCVBUFF", 7),
		hardware("blackhole_route", "l3_drops", 2),
		traceOnly(drop("nf_hook_slow+0xa8/0x110", "NETFILTER_DROP", 5)),
		traceOnly(drop("a\x1b[2J+0x1/0x2", "\u202e", 1)),
		{Count: 1, Time: time.Now(), Where: event.Where{Frame: event.Frame{PC: 0xffffffffc0ffee00}, HasPC: true}},
		loss(event.AtSocket, 3), loss(event.InRing, 1), loss(event.LostSummary, 1), {Kind: event.Rejected, Count: 11},
		{Kind: event.Rejected, Undecided: true, Count: 6},
	}
}

// noSocket is below a row of NO_SOCKET.
const noSocket = "                 No socket accepts this address and port: nothing listens there, or the connection is already closed.\n"

const all = `74 drops in 12.3 s
  drops  share  location                        reason
     51  68.9%  udp_queue_rcv_one_skb+0x1a2     NO_SOCKET
                No socket accepts this address and port: nothing listens there, or the connection is already closed.
      7   9.5%  nft_do_chain+0x4f0 [nf_tables]  NETFILTER_DROP
                A firewall rule, a chain's policy or connection tracking dropped the packet.
      7   9.5%  udp_queue_rcv_one_skb+0x1b8     SOCKET_RCVBUFF
                The receive buffer of the socket is full: the program reads too slowly, or bursts are too big.
      5   6.8%  nf_hook_slow+0xa8               NETFILTER_DROP  [not in packet mode]
                A firewall rule, a chain's policy or connection tracking dropped the packet.
      2   2.7%  blackhole_route (l3_drops)      -               [hw]
                A blackhole route drops all packets to this destination.
      1   1.4%  0xffffffffc0ffee00              -
      1   1.4%  a\x1b[2J+0x1                    \xe2\x80\xae    [not in packet mode]
total 97: 74 shown, 4 lost, 11 filtered, 6 undecided, 2 fragments of packets counted already
lost 4 drops: 3 at dropwatch's socket, 1 in the kernel's ring
lost 1 summary at dropwatch's socket, with an unknown number of drops
packet mode could not show 6 drops:
  5 at nf_hook_slow+0xa8 NETFILTER_DROP
  1 at a\x1b[2J+0x1 \xe2\x80\xae
`

func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{})
		r.write(everything()...)
		r.ledger.Fragments = 2
		time.Sleep(12345 * time.Millisecond)
		if got := r.out.take(); got != "" {
			t.Errorf("written before the end: %q", got)
		}
		if got := r.end(); got != all {
			t.Errorf("got\n%swant\n%s", got, all)
		}
	})
}

func TestColor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{Color: true})
		r.write(drop("f", "NO_SOCKET", 1), loss(event.Unread, 1), loss(event.FullSummary, 1))
		const want = "\x1b[1m1 drop in 0.0 s\x1b[0m\n" +
			"  drops   share  location  reason\n" +
			"      1  100.0%  f         NO_SOCKET\n" + noSocket +
			"total 2: 1 shown, 1 lost\n" +
			"\x1b[31mlost 1 drop: 1 not read before stopping\n" +
			"no room in 1 summary: drops at further locations in that second were not counted\x1b[0m\n"
		if got := r.end(); got != want {
			t.Errorf("got\n%qwant\n%q", got, want)
		}
	})
}

func TestWithoutDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{Every: time.Second})
		r.write(event.Event{Kind: event.Rejected, Count: 9})
		time.Sleep(2 * time.Second)
		if got, want := r.end(), "no drops in 2.0 s\ntotal 9: 0 shown, 0 lost, 9 filtered\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// TestRecorded: intervals and the span are those of the events, however long
// the replay takes. An event that comes late counts where it comes.
func TestRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Unix(1000, 0)
		r := start(t, table.Options{Every: 2 * time.Second, Begin: begin})
		at := func(d time.Duration, e event.Event) event.Event {
			e.Time = begin.Add(d)
			return e
		}
		f := drop("f", "R", 1)
		untimed := f
		untimed.Time = time.Time{}
		r.write(untimed, at(time.Second, f), at(2*time.Second, f), at(time.Second, f), at(-time.Second, f),
			at(11*time.Second, loss(event.InRing, 7)), at(12*time.Second, f))
		time.Sleep(time.Minute)
		if got := r.out.take(); got != "" {
			t.Errorf("written by the clock: %q", got)
		}
		r.write(at(90*time.Second, event.Event{Kind: event.End, Ledger: &r.ledger}))
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		const want = `00:16:42  2 drops
  drops/s  total  location  reason
      1.0      2  f         R
00:16:44  3 drops
  drops/s  total  location  reason
      1.5      5  f         R
00:16:52  no drops
lost 7 drops: 7 in the kernel's ring
00:16:54  1 drop
  drops/s  total  location  reason
      0.5      6  f         R
6 drops in 90.0 s
  drops   share  location  reason
      6  100.0%  f         R
total 13: 6 shown, 7 lost
lost 7 drops: 7 in the kernel's ring
`
		if got := r.out.take(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// TestClockSetBack: a run does not end before it began.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{Begin: time.Now().Add(time.Hour)})
		if got, want := r.end(), "no drops in 0.0 s\n"; !strings.HasPrefix(got, want) {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

func TestRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{Rows: 2})
		for i := range 5 {
			r.write(traceOnly(drop(fmt.Sprintf("f%d", i), "R", uint64(10-i))))
		}
		const want = `40 drops in 0.0 s
  drops  share  location  reason
     10  25.0%  f0        R       [not in packet mode]
      9  22.5%  f1        R       [not in packet mode]
  and 3 more locations: 21 drops
total 40: 40 shown, 0 lost
packet mode could not show 40 drops:
  10 at f0 R
   9 at f1 R
  and 3 more locations: 21 drops
`
		if got := r.end(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

func TestWidth(t *testing.T) {
	const long = "a_function_with_a_very_long_name_of_its_own+0x1a2/0x200 [a_module]"
	tests := map[int]string{
		0: `  drops   share  location                                                      reason
      1  100.0%  a_function_with_a_very_long_name_of_its_own+0x1a2 [a_module]  TCP_INVALID_SEQUENCE
                 The segment lies outside the window: it belongs to an old connection, or is spoofed.
`,
		60: `  drops   share  location               reason
      1  100.0%  a_function_with_a_ve…  TCP_INVALID_SEQUENCE
                 The segment lies outside the window: it
                 belongs to an old connection, or is
                 spoofed.
`,
		40: `  drops   share  location          reas…
      1  100.0%  a_function_with…  TCP_…
                 The segment lies
                 outside the window: it
                 belongs to an old
                 connection, or is
                 spoofed.
`,
	}
	for width, want := range tests {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, table.Options{Width: func() int { return width }})
			r.write(drop(long, "TCP_INVALID_SEQUENCE", 1))
			_, got, _ := strings.Cut(r.end(), "\n")
			if got, _, _ = strings.Cut(got, "total"); got != want {
				t.Errorf("width %d: got\n%swant\n%s", width, got, want)
			}
		})
	}
}

func TestIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{Every: 2 * time.Second})
		f, g := drop("f", "NO_SOCKET", 3), traceOnly(drop("g", "R", 40))
		step := func(wait time.Duration, want string, events ...event.Event) {
			t.Helper()
			r.write(events...)
			time.Sleep(wait)
			if got := r.out.take(); got != want {
				t.Errorf("after %v: got\n%swant\n%s", wait, got, want)
			}
		}
		time.Sleep(500 * time.Millisecond)
		step(1499*time.Millisecond, "", f, g)
		step(2*time.Millisecond, `00:00:02  43 drops
  drops/s  total  location  reason
     20.0     40  g         R          [not in packet mode]
      1.5      3  f         NO_SOCKET
`)
		step(8*time.Second, "")
		step(2*time.Second, `00:00:12  6 drops
  drops/s  total  location  reason
      3.0      9  f         NO_SOCKET
lost 7 drops: 7 at dropwatch's socket
`, f, loss(event.AtSocket, 7), f)
		step(2*time.Second, "00:00:14  no drops\nlost 1 drop: 1 in the kernel's queue\n", loss(event.InQueue, 1))
		r.write(f)
		const want = `52 drops in 14.0 s
  drops  share  location  reason
     40  76.9%  g         R          [not in packet mode]
     12  23.1%  f         NO_SOCKET
                No socket accepts this address and port: nothing listens there, or the connection is already closed.
total 60: 52 shown, 8 lost
lost 8 drops: 7 at dropwatch's socket, 1 in the kernel's queue
packet mode could not show 40 drops:
  40 at g R
`
		if got := r.end(); got != want {
			t.Errorf("end: got\n%swant\n%s", got, want)
		}
		time.Sleep(time.Minute)
		if got := r.out.take(); got != "" {
			t.Errorf("after the end: %q", got)
		}
	})
}

// A brokenPipe fails every write, and counts them.
type brokenPipe struct{ writes int }

var errBroken = errors.New("pipe broken")

func (p *brokenPipe) Write([]byte) (int, error) {
	p.writes++
	return 0, errBroken
}

func TestFailedWrite(t *testing.T) {
	for _, every := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := &brokenPipe{}
			s := table.New(p, table.Options{Every: every})
			e := drop("f", "R", 1)
			if err := s.Write(&e); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if every == 0 {
				if err := s.Write(&event.Event{Kind: event.End, Ledger: &event.Ledger{}}); err != nil {
					t.Fatal(err)
				}
			} else if err := s.Write(&e); !errors.Is(err, errBroken) {
				t.Errorf("write after a table failed: %v", err)
			}
			err := s.Flush()
			if !errors.Is(err, errBroken) || err.Error() != "write drops: pipe broken" {
				t.Errorf("flush: %v", err)
			}
			time.Sleep(10 * time.Second)
			if p.writes != 1 {
				t.Errorf("%d writes, want no other after the first failed", p.writes)
			}
		})
	}
}

func TestManyPlacesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{Rows: 1})
		const many = 10_000
		for i := range many {
			r.write(drop(fmt.Sprintf("f%d", i), "R", 1))
		}
		r.write(traceOnly(drop("g", "R", 1)), hardware("trap", "", 1), drop("f1", "R", 1))
		const want = `10003 drops in 0.0 s
  drops  share  location         reason
   5904  59.0%  other locations  -
  and 4098 more locations: 4099 drops
total 10003: 10003 shown, 0 lost
packet mode could not show 1 drop:
  1 at other locations -
`
		if got := r.end(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// TestCounts: those of a kind, and the drops beside them, are of one place.
func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{})
		one, further := drop("f", "R", 1), drop("f", "R", 9900)
		one.Individual, further.Packet.HasProto, further.Netns.Inode = true, true, 7
		r.write(one, further, drop("f", "R", 1))
		const want = `9902 drops in 0.0 s
  drops   share  location  reason
   9902  100.0%  f         R
total 9902: 9902 shown, 0 lost
`
		if got := r.end(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

func TestTally(t *testing.T) {
	var tally table.Tally
	if got := tally.AppendTraceOnly([]byte("x"), 0); string(got) != "x" {
		t.Errorf("of nothing: %q", got)
	}
	part := drop("f", "R", 9)
	part.Fragment = true
	events := append(everything(), part, traceOnly(drop("nf_hook_slow+0xa8/0x110", "NETFILTER_DROP", 20)))
	for i := range events {
		tally.Add(&events[i])
	}
	const want = `packet mode could not show 26 drops:
  25 at nf_hook_slow+0xa8 NETFILTER_DROP
   1 at a\x1b[2J+0x1 \xe2\x80\xae
`
	if got := string(tally.AppendTraceOnly(nil, 0)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestCauseOfSeveral: where the evidence of drops differs, the cause is what is known
// without it; a drop that is noise is marked as such.
func TestCauseOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, table.Options{})
		udp, tcp := drop("udp", "NO_SOCKET", 1), drop("both", "NO_SOCKET", 1)
		udp.Packet.Flow = &event.Flow{Headers: event.Headers{Transport: event.UDP}}
		tcp.Packet.Flow = &event.Flow{Headers: event.Headers{Transport: event.TCP}}
		other := tcp
		other.Packet.Flow = udp.Packet.Flow
		r.write(udp, udp, udp, tcp, other, drop("noise", "UNHANDLED_PROTO", 1))
		const want = `6 drops in 0.0 s
  drops  share  location  reason
      3  50.0%  udp       NO_SOCKET
                No UDP socket accepts this address and port: nothing listens there, or only on another address, interface, IP ` +
			`version or network namespace.
      2  33.3%  both      NO_SOCKET
                No socket accepts this address and port: nothing listens there, or the connection is already closed.
      1  16.7%  noise     UNHANDLED_PROTO
                noise: no action needed
total 6: 6 shown, 0 lost
`
		if got := r.end(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// TestHarmless: drops that lost nothing are in a sum of their own, and in no row.
func TestHarmless(t *testing.T) {
	for list, want := range map[bool]string{
		false: "6 harmless drops (nothing was lost): 4 connection closed, 2 own copy\n",
		true: `6 harmless drops (nothing was lost):
  4 at close QUEUE_PURGE: connection closed
  2 at send NO_SOCKET: own copy
`,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, table.Options{Harmless: list, Every: time.Second})
			closed, own := drop("close", "QUEUE_PURGE", 4), drop("send", "NO_SOCKET", 2)
			closed.Harmless, own.Harmless = "connection closed", "own copy"
			r.write(closed, own)
			time.Sleep(time.Second)
			if got := r.out.take(); got != "" {
				t.Errorf("after an interval: %q", got)
			}
			r.write(drop("send", "R", 3))
			const before, after = `3 drops in 1.0 s
  drops   share  location  reason
      3  100.0%  send      R
`, "total 9: 3 shown, 0 lost, 6 harmless\n"
			if got := r.end(); got != before+want+after {
				t.Errorf("got\n%swant\n%s", got, before+want+after)
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	s := table.New(io.Discard, table.Options{Every: time.Hour})
	var events [64]event.Event
	for i := range events {
		events[i] = drop(fmt.Sprintf("udp_queue_rcv_one_skb_%d+0x1a2/0x5c0", i), "NO_SOCKET", 1)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := s.Write(&events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	s := table.New(io.Discard, table.Options{Every: time.Hour})
	e := drop("udp_queue_rcv_one_skb+0x1a2/0x5c0", "NO_SOCKET", 1)
	write := func() {
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if n := testing.AllocsPerRun(1000, write); n != 0 {
		t.Errorf("%v allocations for a known place, want none", n)
	}
}

// TestInterruptKey: the first line on a terminal stands over the ^C of who pressed that. What
// is not a terminal gets the text alone.
func TestInterruptKey(t *testing.T) {
	for width, begin := range map[int]string{0: "1 drop in ", 80: "\r1 drop in "} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, table.Options{Width: func() int { return width }})
			r.write(drop("f", "NO_SOCKET", 1))
			if got := r.end(); !strings.HasPrefix(got, begin) {
				t.Errorf("width %d: %q does not begin with %q", width, got, begin)
			}
		})
	}
}
