package retrans_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/retrans"
)

var (
	client = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 49152)
	server = netip.AddrPortFrom(netip.MustParseAddr("198.51.100.2"), 443)
	began  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// A packet is a segment of a test. Numbers count from the SYN of their sender.
type packet struct {
	at       float64 // milliseconds
	from     byte    // c or s
	flags    string  // letters of tcpdump
	seq, ack int
	len      int
	window   int    // 0: 1000; -1: 0
	scale    int    // of a SYN: the shift and 1
	clock    int    // the timestamp; 0: none
	id       int    // the IPv4 identification; 0: none
	want     string // types
}

var flagOf = map[rune]event.TCPFlags{'F': event.FIN, 'S': event.SYN, 'R': event.RST, 'P': event.PSH, '.': event.ACK}

// segment returns what the Analyzer gets. The numbers of the client begin at base, and those of the server
// half a circle later.
func (p *packet) segment(base uint32) *retrans.Segment {
	const half = 1 << 31
	h := event.Headers{
		Network: event.IPv4, Transport: event.TCP, Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src: client.Addr(), SrcPort: client.Port(), Dst: server.Addr(), DstPort: server.Port(), Window: uint16(p.window),
		Seq: base + uint32(p.seq), Ack: base + half + uint32(p.ack),
	}
	if p.from == 's' {
		h.Src, h.SrcPort, h.Dst, h.DstPort = h.Dst, h.DstPort, h.Src, h.SrcPort
		h.Seq, h.Ack = base+half+uint32(p.seq), base+uint32(p.ack)
	}
	switch p.window {
	case 0:
		h.Window = 1000
	case -1:
		h.Window = 0
	}
	if p.scale > 0 {
		h.WindowScale, h.Fields = uint8(p.scale-1), h.Fields|event.FieldWindowScale
	}
	if p.clock > 0 {
		h.TSVal, h.Fields = 0xffffff00+uint32(p.clock), h.Fields|event.FieldTSVal
	}
	if p.id > 0 {
		h.FragmentID, h.Fields = uint32(p.id&0xffff), h.Fields|event.FieldFragmentID
	}
	for _, letter := range p.flags {
		h.TCPFlags |= flagOf[letter]
	}
	return &retrans.Segment{Headers: &h, Len: uint32(p.len)}
}

// names returns the types of a set.
func names(ts retrans.Types) string {
	var all []string
	for t := range ts.All() {
		all = append(all, t.String())
	}
	return strings.Join(all, ",")
}

// opened is a handshake with a round-trip time of 10 ms, and 100 bytes in each direction.
var opened = []packet{
	{at: 0, from: 'c', flags: "S", scale: 1},
	{at: 9, from: 's', flags: "S.", ack: 1, scale: 1},
	{at: 10, from: 'c', flags: ".", seq: 1, ack: 1},
	{at: 11, from: 'c', flags: "P.", seq: 1, ack: 1, len: 100},
	{at: 20, from: 's', flags: "P.", seq: 1, ack: 101, len: 100},
}

var cases = map[string][]packet{
	"retransmission": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50},
		{at: 600, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, want: "retransmission"},
		{at: 601, from: 'c', flags: ".", seq: 151, ack: 101, len: 50},
	},
	"retransmission of more than was sent": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50},
		{at: 600, from: 'c', flags: ".", seq: 101, ack: 101, len: 80, want: "retransmission"},
		{at: 601, from: 'c', flags: ".", seq: 181, ack: 101, len: 10},
	},
	"never seen before, but long after": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, want: "lost_segment"},
		{at: 400, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, want: "retransmission"},
	},
	"out of order": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, want: "lost_segment"},
		{at: 304, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, want: "out_of_order"},
		{at: 305, from: 'c', flags: ".", seq: 201, ack: 101, len: 50},
	},
	"its timestamp says that it was sent again": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, clock: 200, want: "lost_segment"},
		{at: 301, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, clock: 300, want: "retransmission"},
	},
	"its timestamp says that it came late": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, clock: 300, want: "lost_segment"},
		{at: 301, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 302, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 900, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, clock: 200, want: "out_of_order"},
	},
	"equal timestamps say nothing": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, clock: 300, want: "lost_segment"},
		{at: 301, from: 'c', flags: ".", seq: 101, ack: 101, len: 20, clock: 300, want: "out_of_order"},
		{at: 900, from: 'c', flags: ".", seq: 121, ack: 101, len: 20, clock: 300, want: "retransmission"},
	},
	"missing for longer than reordering lasts, while new data come": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, want: "lost_segment"},
		{at: 304, from: 'c', flags: ".", seq: 251, ack: 101, len: 50, want: "lost_segment"},
		{at: 306, from: 'c', flags: ".", seq: 301, ack: 101, len: 50},
		{at: 308, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, want: "retransmission"},
		{at: 308.5, from: 'c', flags: ".", seq: 201, ack: 101, len: 50, want: "out_of_order"},
	},
	"sent twice at once": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50},
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50},
		{at: 301, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, want: "retransmission"},
	},
	"fast retransmission": {
		{at: 300, from: 'c', flags: ".", seq: 201, ack: 101, len: 100, want: "lost_segment"},
		{at: 301, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 302, from: 'c', flags: ".", seq: 301, ack: 101, len: 100},
		{at: 303, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 304, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 307, from: 'c', flags: ".", seq: 101, ack: 101, len: 100, want: "fast"},
		{at: 308, from: 's', flags: ".", seq: 101, ack: 401},
	},
	"long after the duplicate acknowledgments": {
		{at: 300, from: 'c', flags: ".", seq: 201, ack: 101, len: 100, want: "lost_segment"},
		{at: 301, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 303, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 304, from: 's', flags: ".", seq: 101, ack: 101, want: "duplicate_ack"},
		{at: 325, from: 'c', flags: ".", seq: 101, ack: 101, len: 100, want: "retransmission"},
	},
	"spurious": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 100},
		{at: 310, from: 's', flags: ".", seq: 101, ack: 201},
		{at: 320, from: 'c', flags: ".", seq: 101, ack: 101, len: 100, want: "spurious"},
		{at: 330, from: 's', flags: ".", seq: 101, ack: 201, want: "duplicate_ack"},
	},
	"spurious, also when an older acknowledgment came late": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 100},
		{at: 310, from: 's', flags: ".", seq: 101, ack: 201},
		{at: 311, from: 's', flags: ".", seq: 101, ack: 101},
		{at: 320, from: 'c', flags: ".", seq: 101, ack: 101, len: 100, want: "spurious"},
	},
	"keep-alive": {
		{at: 15000, from: 'c', flags: ".", seq: 100, ack: 101, want: "keep_alive"},
		{at: 15010, from: 's', flags: ".", seq: 101, ack: 101},
		{at: 30000, from: 'c', flags: ".", seq: 100, ack: 101, len: 1, want: "keep_alive"},
		{at: 30010, from: 's', flags: ".", seq: 101, ack: 101},
	},
	"zero window": {
		{at: 300, from: 's', flags: ".", seq: 101, ack: 101, window: -1, want: "zero_window"},
		{at: 500, from: 'c', flags: ".", seq: 101, ack: 101, len: 1, want: "zero_window_probe"},
		{at: 510, from: 's', flags: ".", seq: 101, ack: 101, window: -1, want: "zero_window"},
		{at: 900, from: 's', flags: ".", seq: 101, ack: 101},
		{at: 910, from: 'c', flags: ".", seq: 101, ack: 101, len: 10},
	},
	"the byte of a probe is kept": {
		{at: 300, from: 's', flags: ".", seq: 101, ack: 101, window: -1, want: "zero_window"},
		{at: 500, from: 'c', flags: ".", seq: 101, ack: 101, len: 1, want: "zero_window_probe"},
		{at: 510, from: 's', flags: ".", seq: 101, ack: 102},
		{at: 910, from: 'c', flags: ".", seq: 102, ack: 101, len: 10},
	},
	"window full": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 500},
		{at: 301, from: 'c', flags: ".", seq: 601, ack: 101, len: 500, want: "window_full"},
	},
	"lost segment": {
		{at: 300, from: 's', flags: ".", seq: 201, ack: 101, len: 10, want: "lost_segment"},
		{at: 301, from: 's', flags: "R", seq: 999, ack: 101},
	},
	"end sent again": {
		{at: 300, from: 'c', flags: "F.", seq: 101, ack: 101},
		{at: 500, from: 'c', flags: "F.", seq: 101, ack: 101, want: "fin"},
		{at: 510, from: 's', flags: ".", seq: 101, ack: 102},
	},
	"ports used again": {
		{at: 300, from: 'c', flags: "S", seq: 5000, want: "port_reuse"},
		{at: 310, from: 's', flags: "S.", seq: 7000, ack: 5001},
		{at: 320, from: 'c', flags: ".", seq: 5001, ack: 7001},
		{at: 330, from: 'c', flags: ".", seq: 5001, ack: 7001, len: 10},
	},
}

// check adds packets to an Analyzer, and reports what it says otherwise than they do.
func check(t *testing.T, a *retrans.Analyzer, base uint32, packets []packet) {
	t.Helper()
	for i, p := range packets {
		got := names(a.Add(p.segment(base), began.Add(time.Duration(p.at*float64(time.Millisecond)))))
		if got != p.want {
			t.Errorf("base %#x, packet %d, at %v ms: %q, want %q", base, i, p.at, got, p.want)
		}
	}
}

// bases make the numbers of the client or the server wrap at each place of the cases.
func bases() (all []uint32) {
	for n := uint32(0); n < 8000; n += 50 {
		all = append(all, 1000-n, 1<<31+1000-n)
	}
	return append(all, 1)
}

func TestCases(t *testing.T) {
	for name, packets := range cases {
		t.Run(name, func(t *testing.T) {
			for _, base := range bases() {
				if check(t, retrans.New(1, nil), base, slices.Concat(opened, packets)); t.Failed() {
					return
				}
			}
		})
	}
}

func TestHandshakeSentAgain(t *testing.T) {
	for _, base := range bases() {
		check(t, retrans.New(1, nil), base, []packet{
			{at: 0, from: 'c', flags: "S", scale: 8},
			{at: 1000, from: 'c', flags: "S", scale: 8, want: "syn"},
			{at: 1001, from: 's', flags: "S.", ack: 1, scale: 8},
			{at: 2001, from: 's', flags: "S.", ack: 1, scale: 8, want: "synack"},
			{at: 2002, from: 'c', flags: ".", seq: 1, ack: 1, window: 2},
			{at: 2003, from: 's', flags: ".", seq: 1, ack: 1, len: 256, want: "window_full"}, // 2 << 7
		})
	}
}

// TestMidway begins in the middle of a connection: the first segments are not compared with anything.
func TestMidway(t *testing.T) {
	check(t, retrans.New(1, nil), 7, []packet{
		{at: 0, from: 'c', flags: ".", seq: 900, ack: 500, len: 100},
		{at: 1, from: 's', flags: ".", seq: 500, ack: 1000},
		{at: 2, from: 'c', flags: ".", seq: 900, ack: 500, len: 100, want: "spurious"},
		{at: 3, from: 's', flags: ".", seq: 500, ack: 1000, len: 65000}, // no window full: the scale is not known
	})
}

// TestWithoutScale: a SYN that is whole and has no option scales nothing, of one that is cut it is not known.
func TestWithoutScale(t *testing.T) {
	for known, want := range map[bool]string{true: "window_full", false: ""} {
		a := retrans.New(1, nil)
		for i, p := range []packet{
			{from: 'c', flags: "S"}, {from: 's', flags: "S.", ack: 1}, {from: 'c', flags: ".", seq: 1, ack: 1},
			{from: 's', flags: ".", seq: 1, ack: 1, len: 1000, want: want},
		} {
			s := p.segment(5)
			s.NoScale = known
			if got := names(a.Add(s, began)); got != p.want {
				t.Errorf("options known: %v, packet %d: %q, want %q", known, i, got, p.want)
			}
		}
	}
}

// TestLimit forgets the connection without a segment for the longest time.
func TestLimit(t *testing.T) {
	a := retrans.New(2, nil)
	add := func(port uint16, want string) {
		t.Helper()
		p := packet{from: 'c', flags: ".", seq: 1, ack: 1, len: 10}
		s := p.segment(0)
		s.SrcPort = port
		if got := names(a.Add(s, began)); got != want {
			t.Errorf("port %d: %q, want %q", port, got, want)
		}
	}
	add(1, "")
	add(2, "")
	add(1, "retransmission")
	add(3, "") // instead of 2
	add(1, "retransmission")
	add(2, "") // instead of 3
	add(3, "")
	if a.Evicted() != 3 {
		t.Errorf("%d evicted, want 3", a.Evicted())
	}
	if d := a.Traffic(); len(d) != 1 || d[0].Segments != 7 || d[0].Resent != 2 || d[0].Flows != 5 || d[0].Bytes != 70 {
		t.Errorf("traffic %+v", d)
	}
}

// TestTraffic counts what two ends send to each other, and nothing of what is not wanted.
func TestTraffic(t *testing.T) {
	a := retrans.New(10, func(s *retrans.Segment) bool { return s.Src == client.Addr() })
	check(t, a, 100, slices.Concat(opened, cases["retransmission"]))
	d := a.Traffic()
	if len(d) != 1 {
		t.Fatalf("%d directions, want 1", len(d))
	}
	got := *d[0]
	if got.Src != client.Addr() || got.Dst != server.Addr() || got.Segments != 6 || got.Bytes != 250 || got.Resent != 1 ||
		got.ResentBytes != 50 || got.Type(event.Retransmission) != 1 || got.Percent() < 16.6 || got.Percent() > 16.7 {
		t.Errorf("%+v", got)
	}
	var sum retrans.Traffic
	sum.Add(&got)
	sum.Add(&got)
	if sum.Segments != 12 || sum.Type(event.Retransmission) != 2 {
		t.Errorf("sum %+v", sum)
	}
	if new(retrans.Traffic).Percent() != 0 {
		t.Error("percent of nothing")
	}
}
