package trace

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/perf/perftest"
)

// othersOf returns the other tracepoints of a kernel in testdata.
func othersOf(t testing.TB, kernel string) (all []other) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + kernel + ".others")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "name: ") {
		name, rest, _ := strings.Cut(part, "\n")
		f, err := perf.ParseFormat(rest)
		i := slices.IndexFunc(tracepoints, func(tp tracepoint) bool { return strings.HasSuffix(tp.event, "/"+name) })
		if name == "" {
			continue
		}
		o, ok := newOther(tracepoints[max(i, 0)], f)
		if err != nil || i < 0 || !ok {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, o)
	}
	return all
}

// fakeOthers is fake with the other tracepoints of a kernel. What XDP drops is freed from 0xffffffff81db0000
// to 0xffffffff81e6ffff.
func fakeOthers(t *testing.T, kernel string) (*Source, *cpu, *perftest.Kernel) {
	t.Helper()
	s, c, k := fake(t)
	s.decoder.layout, s.others = layoutOf(t, kernel), othersOf(t, kernel)
	s.opts.FreesFrames = func(pc uint64) bool { return 0xffffffff81db0000 <= pc && pc <= 0xffffffff81e6ffff }
	for i := range s.others {
		c.others = append(c.others, otherPerf{Event: &perf.Event{FD: -1}, of: &s.others[i]})
	}
	return s, c, k
}

// Records of Linux 6.18, as perf gave them.
const (
	aborted    = "480210126e0d0000ea3b00000000000002000000"                                                 // prog 15338, XDP_ABORTED, at 2
	abortedSKB = "060934126e0d000000979a048188ffff246fe681ffffffff0000000000000000b58800000200000000000000" // do_xdp_generic
	astray     = "45021002c80b0000d63b00000400000002000000eaffffff39300000ffffff7f00000000"                 // prog 15318, EINVAL
	refused    = "48021002c80b0000d63b00000400000002000000"                                                 // the same prog, XDP_REDIRECT
	unsent     = "420210029a0d000002000000040000000500000003000000000000000000000000000000"                 // 3 of 2 for 5
	unqueued   = "430210027a0e000085320000040000000000000001000000010000000000000000000000"                 // map 12933, CPU 0
	full       = "f10810023e100000c00900004003000000090000"                                                 // 2496 of 2304 bytes
	fullSKB    = "060910023e100000009c5a758188ffff81020782ffffffff00b0820a8288ffff000800000600000000000000" // SOCKET_RCVBUFF
	noSocket   = "060910023e100000009c5a758188ffff81020782ffffffff00b0820a8288ffff000800000300000000000000" // NO_SOCKET
)

// at is a record of thread 101, some nanoseconds after the first.
func at(t testing.TB, ns uint64, raw string) []byte {
	t.Helper()
	b, err := hex.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	return perftest.Sample(1e9+ns, b)
}

// ofAnother makes a record one of another thread.
func ofAnother(rec []byte) []byte {
	native.PutUint32(rec[perf.HeaderLen+4:], 102)
	return rec
}

// said describes drops, each as "REASON name=value ...".
func said(events []event.Event) (all []string) {
	for i := range events {
		e := &events[i]
		text := e.Reason
		if e.Count != 1 {
			text = fmt.Sprint(e.Count, " ", text)
		}
		for _, a := range e.Args {
			if a.Text == "" {
				a.Text = fmt.Sprint(a.Number)
			}
			text += " " + a.Name + "=" + a.Text
		}
		all = append(all, text)
	}
	return all
}

// TestSayings: what a tracepoint says belongs to the packet that the same thread frees next for a
// reason that fits, and to no other; frames that are no packets are drops of their own.
func TestSayings(t *testing.T) {
	const (
		exception = "XDP_EXCEPTION prog=15338 action=XDP_ABORTED"
		toNowhere = "XDP_REDIRECT_ERR prog=15318 err=EINVAL"
		buffer    = "SOCKET_RCVBUFF rmem=2496 rcvbuf=2304"
	)
	r := func(ns uint64, raw string) []byte { return at(t, ns, raw) }
	for name, tt := range map[string]struct {
		records [][]byte
		want    []string
	}{
		"a packet of XDP": {[][]byte{r(0, aborted), r(12077, abortedSKB)}, []string{exception}},
		"two packets of XDP": {
			[][]byte{r(0, aborted), r(9, abortedSKB), r(20, aborted), r(30, abortedSKB)}, []string{exception, exception},
		},
		"a frame, then nothing":      {[][]byte{r(0, aborted)}, []string{exception}},
		"a frame, then another drop": {[][]byte{r(0, aborted), r(9, noSocket)}, []string{exception, "NO_SOCKET"}},
		"frames":                     {[][]byte{r(0, astray), r(9, astray)}, []string{toNowhere, toNowhere}},
		"of another thread":          {[][]byte{r(0, aborted), ofAnother(r(9, abortedSKB))}, []string{exception, "NOT_SPECIFIED"}},
		"seconds later":              {[][]byte{r(0, aborted), r(2e9, abortedSKB)}, []string{exception, "NOT_SPECIFIED"}},
		"an XDP_DROP":                {[][]byte{r(0, abortedSKB)}, []string{"NOT_SPECIFIED"}},
		"a redirect, reported twice": {[][]byte{r(0, astray), r(9, refused), r(20, aborted)}, []string{toNowhere, exception}},
		"another redirect":           {[][]byte{r(0, refused)}, []string{"XDP_EXCEPTION prog=15318 action=XDP_REDIRECT"}},
		"to a device":                {[][]byte{r(0, unsent), r(9, abortedSKB)}, []string{"3 XDP_DEVMAP_XMIT out=5", "NOT_SPECIFIED"}},
		"to a CPU": {
			[][]byte{r(0, unqueued), r(1, noSocket)}, []string{"XDP_CPUMAP_ENQUEUE map=12933 cpu=0", "NO_SOCKET"},
		},
		"a full buffer":          {[][]byte{r(0, full), r(761, fullSKB), r(800, fullSKB)}, []string{buffer, "SOCKET_RCVBUFF"}},
		"a full buffer, nothing": {[][]byte{r(0, full)}, nil},
		"another drop between":   {[][]byte{r(0, full), r(9, noSocket), r(20, fullSKB)}, []string{"NO_SOCKET", "SOCKET_RCVBUFF"}},
		"a loss between":         {[][]byte{r(0, full), perftest.Lost(1), r(20, fullSKB)}, []string{"SOCKET_RCVBUFF"}},
		"a packet is lost": {
			[][]byte{r(0, aborted), r(9, abortedSKB), r(20, aborted), perftest.Lost(1), r(30, noSocket)}, []string{exception, "NO_SOCKET"},
		},
		"said twice":          {[][]byte{r(0, full), r(9, full), r(20, fullSKB)}, []string{buffer}},
		"another reason said": {[][]byte{r(0, full), r(9, abortedSKB)}, []string{"NOT_SPECIFIED"}},
		"too short":           {[][]byte{perftest.Sample(1, []byte{0xf1, 8, 0, 0, 1}), r(20, fullSKB)}, []string{"SOCKET_RCVBUFF"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, c, k := fakeOthers(t, "6.18")
			for _, rec := range tt.records {
				k.Write(rec)
			}
			out := collect(t)
			s.show(c, out, always)
			s.show(c, out, always) // now nothing follows
			if got := said(out.Kept); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if n := s.show(c, out, always); n != 0 || out.Ledger.Lost[event.Undecoded] != 0 {
				t.Errorf("%d more, %+v", n, out.Ledger)
			}
		})
	}
}

// newHit encodes a hit of a tracepoint, of thread 101, with values of some fields and a string at the end.
func newHit(s *Source, event string, values map[string]uint64, text string) []byte {
	i := slices.IndexFunc(s.others, func(o other) bool { return o.event == event })
	o := &s.others[i]
	raw := make([]byte, o.size+len(text)+1)
	copy(raw[o.size:], text)
	values[perf.EventField] = o.ID
	for name, v := range values {
		for b := range o.Fields[name].Size {
			raw[o.Fields[name].Offset+b] = byte(v >> (8 * b))
		}
	}
	return perftest.Sample(1e9, raw)
}

// dropOf encodes a drop of a packet.
func dropOf(s *Source, packet uint64, reason string) []byte {
	l := &s.decoder.layout
	raw := newDrop(l, 0x42, 0x800, uint32(slices.Index(l.reasons.core, reason)))
	native.PutUint64(raw[l.skb.Offset:], packet)
	return perftest.Sample(1e9+1000, raw)
}

// TestQdiscSays is of Linux 7.2, where the packet is known by its address.
func TestQdiscSays(t *testing.T) {
	for packet, want := range map[uint64]string{
		0x1000: "QDISC_DROP_OVERLIMIT qdisc=tbf handle=7: parent=root", 0x2000: "QDISC_DROP",
	} {
		s, c, k := fakeOthers(t, "7.2")
		size := uint64(s.others[s.indexOf(1557)].size)
		k.Write(newHit(s, "qdisc/qdisc_drop", map[string]uint64{
			"skbaddr": packet, "ifindex": 3, "handle": 7 << 16, "parent": 0xffffffff, "reason": 196610, "kind": 4<<16 | size,
		}, "tbf"))
		k.Write(dropOf(s, 0x1000, "QDISC_DROP"))
		out := collect(t)
		s.show(c, out, always)
		if got := said(out.Kept); !slices.Equal(got, []string{want}) || (out.Kept[0].Port.IfIndex == 3) != (packet == 0x1000) {
			t.Errorf("%q, want %q: %+v", got, want, out.Kept)
		}
	}
	others := othersOf(t, "7.2")
	names := others[0].reasons()
	if slices.Sort(names); len(names) != 9 || names[0] != "QDISC_DROP_BAND_LIMIT" {
		t.Errorf("reasons %q", names)
	}
}

// TestMemorySays: the array has the three limits.
func TestMemorySays(t *testing.T) {
	s, c, k := fakeOthers(t, "6.18")
	k.Write(newHit(s, "sock/sock_exceed_buf_limit", map[string]uint64{
		"name": 'U' | 'D'<<8 | 'P'<<16, "sysctl_mem": 77, "allocated": 9, "rmem_alloc": 4352, "kind": 1,
	}, ""))
	k.Write(dropOf(s, 0x1000, noMemory))
	out := collect(t)
	s.show(c, out, always)
	if got := said(out.Kept); !slices.Equal(got, []string{"PROTO_MEM rmem=4352 protocol=UDP allocated=9 limits=77 0 0"}) {
		t.Errorf("%q", got)
	}
}

// TestWithoutReasons: an old kernel gives none, so that the next drop is the one, unless a filter may have
// rejected that.
func TestWithoutReasons(t *testing.T) {
	for filter, want := range map[string]string{"": " rmem=2496 rcvbuf=2304", "protocol == 2048": ""} {
		s, c, k := fakeOthers(t, "6.18")
		s.decoder.layout = layoutOf(t, "5.10")
		s.opts.Filter = filter
		k.Write(at(t, 0, full))
		k.Write(perftest.Sample(1e9+9, newDrop(&s.decoder.layout, 0x42, 0x800, 0)))
		out := collect(t)
		s.show(c, out, always)
		if got := said(out.Kept); !slices.Equal(got, []string{want}) {
			t.Errorf("filter %q: %q, want %q", filter, got, want)
		}
	}
}

// TestUnreadPairsCountOnce: a packet that nobody has read counts once, whatever was said of it.
func TestUnreadPairsCountOnce(t *testing.T) {
	s, c, k := fakeOthers(t, "6.18")
	for _, raw := range []string{aborted, abortedSKB, full, fullSKB, full, noSocket, unsent, astray} {
		k.Write(at(t, 0, raw))
	}
	if n := s.count(c); n != 1+1+1+3 || c.samples != 3 {
		t.Errorf("%d unread and %d samples of drops, want 6 and 3: a frame is left", n, c.samples)
	}
	if out := collect(t); !s.release(c, out) || out.Ledger.Shown != 1 {
		t.Errorf("%+v", out.Ledger)
	}
}

// TestUnreadWithLostPacket: the packet of the frame before the loss is among the lost, not among the unread.
func TestUnreadWithLostPacket(t *testing.T) {
	s, c, k := fakeOthers(t, "6.18")
	pair := func(ns uint64) { k.Write(at(t, ns, aborted)); k.Write(at(t, ns+9, abortedSKB)) }
	pair(0)
	k.Write(at(t, 20, aborted))
	k.Write(perftest.Lost(1))
	pair(40)
	if n := s.count(c); n != 2 {
		t.Errorf("%d unread, want 2", n)
	}
}

// TestLostRecordsOfOthers: records that found no room may be of tracepoints whose hits are no drops:
// only what certainly were drops is reported at once, and the rest at the end.
func TestLostRecordsOfOthers(t *testing.T) {
	for hits, want := range map[uint64]uint64{0: 5, 2: 5, 4: 3, 100: 0} { // of which 2 were read
		s, c, k := fakeOthers(t, "6.18")
		for i := range c.others {
			c.others[i].Event = countingPerf(t, 0)
		}
		i := slices.IndexFunc(c.others, func(o otherPerf) bool { return o.of.event == "sock/sock_rcvqueue_full" })
		c.others[i].Event = countingPerf(t, hits)
		for range 2 {
			k.Write(at(t, 0, full))
		}
		k.Write(perftest.Lost(5))
		out := collect(t)
		s.show(c, out, always)
		if n := out.Ledger.Lost[event.InRing]; n != want {
			t.Errorf("%d hits: %d drops lost, want %d", hits, n, want)
		}
	}
}

// countingPerf is an event that has happened n times, which can be read once.
func countingPerf(t *testing.T, n uint64) *perf.Event {
	t.Helper()
	fd, err := unix.MemfdCreate("hits", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.Pwrite(fd, native.AppendUint64(nil, n), 0); err != nil {
		t.Fatal(err)
	}
	return &perf.Event{FD: fd}
}

// TestLostFrames: frames without a sample are lost, unless all that had one were packets.
func TestLostFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		records []string
		want    uint64
	}{
		"frames":           {[]string{astray, astray}, 3},
		"packets":          {[]string{aborted, abortedSKB}, 0},
		"both":             {[]string{aborted, abortedSKB, aborted, noSocket}, 3},
		"most are packets": {[]string{aborted, abortedSKB, aborted, noSocket, aborted, abortedSKB}, 0},
		"nothing is read":  {nil, 5},
	} {
		s, c, k := fakeOthers(t, "6.18")
		read := 0
		for i := range c.others {
			c.others[i].Event = countingPerf(t, 0)
		}
		for _, raw := range tt.records {
			k.Write(at(t, 0, raw))
		}
		s.show(c, collect(t), always)
		s.show(c, collect(t), always)
		for i := range c.others {
			if o := &c.others[i]; o.of.frames && (o.samples > 0 || tt.records == nil && read == 0) {
				o.Event, read = countingPerf(t, 5), read+1
			}
		}
		if n, err := c.framesLost(); n != tt.want || err != nil {
			t.Errorf("%s: %d lost, %v, want %d", name, n, err, tt.want)
		}
	}
}
