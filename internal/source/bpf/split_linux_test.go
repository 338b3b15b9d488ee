package bpf

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/vmtest"
)

// ofKind are the facts that counts have of drops.
const ofKind = event.FactReason | event.FactNamespace | event.FactTrap | event.FactCookie

// TestSplitOnRealDrops sends packets of all sorts, most of them broken. What is
// shown with an expression in the kernel is what it selects of all.
func TestSplitOnRealDrops(t *testing.T) {
	vmtest.RequireRoot(t)
	r := rand.New(rand.NewPCG(9, 10))
	var sum tallied
	truncs, expressions := []int{0, 50, 36}, 12
	if vmtest.InGuest() { // which are slow
		truncs, expressions = truncs[:1], 6
	}
	for _, trunc := range truncs {
		t.Run(fmt.Sprint(trunc), func(t *testing.T) { sum.add(t, r, trunc, expressions) })
	}
	t.Logf("%+v", sum)
	if sum.selected < 500 || sum.rejected < 500 || sum.whole > sum.selected*9/10 {
		t.Errorf("%+v: that shows little", sum)
	}
}

// A tallied is how many drops were selected, how many of those were sent whole,
// and how many were rejected in the kernel.
type tallied struct{ selected, whole, rejected uint64 }

func (sum *tallied) add(t *testing.T, r *rand.Rand, trunc, expressions int) {
	p := newPlace(t)
	all := sourcetest.Run(t, need(t, Options{Trunc: trunc, RingSize: 8 << 20}),
		func(e *event.Event) bool { return e.Netns.Inode == p.inode })
	var some []*selection
	for range expressions {
		some = append(some, newSelection(t, p, randomExpression(r, 2), Options{Trunc: trunc, Sample: 1}))
	}
	sendFrames(t, p, r, 600)
	runs := []*sourcetest.Running{all} // replies may be dropped, too
	for _, s := range some {
		runs = append(runs, s.Running)
	}
	sourcetest.AwaitIdle(runs...)
	for _, s := range some {
		s.End()
	}
	drops := all.End()
	if len(drops) < 400 {
		t.Errorf("only %d drops", len(drops))
	}
	for _, s := range some {
		got, whole := sourcetest.Total(s.Kept)
		if want, undecided := s.of(drops); got < want || got > want+undecided || trunc == 0 && undecided > 0 && got != want {
			t.Errorf("%s: %d drops, want %d of %d, or with those that were cut %d more", s.filter, got, want, len(drops), undecided)
		}
		least, seen, most := uint64(len(drops)), s.Ledger.Total(), all.Ledger.Total()
		if seen < least || seen > most || s.Ledger.TotalLost() > 0 {
			t.Errorf("%s: the ledger %+v is not of %d to %d", s.filter, s.Ledger, least, most)
		}
		*sum = tallied{sum.selected + got, sum.whole + whole, sum.rejected + s.Ledger.Rejected}
	}
}

// TestSelected drops datagrams to two ports: the ledger accounts for those that an
// expression rejects, in the kernel or, if it needs the whole packet, in dropwatch.
func TestSelected(t *testing.T) {
	const count = 1000
	tests := map[string]struct {
		expression string
		whole      bool // all of them are sent
		none       bool
		here       bool // guests, which are slow, do without
		opts       Options
	}{
		"port":            {expression: "udp dst port 9", opts: Options{Sample: 10}},
		"another port":    {expression: "udp dst port 10", here: true, none: true, opts: Options{Sample: 10}},
		"host":            {expression: "host 127.0.0.1 and not tcp", here: true, opts: Options{Sample: 10}},
		"length":          {expression: "len 59", here: true, opts: Options{Sample: 10}},
		"interface":       {expression: "iface lo and proto ip", opts: Options{Sample: 10}},
		"all in the ring": {expression: "udp", here: true, opts: Options{RingSize: 8 << 20}},
		"a full ring":     {expression: "udp", opts: Options{RingSize: 1}},
		"by owner":        {expression: "udp", opts: Options{Sample: 10, ByOwner: true}},
		"of each packet":  {expression: "ttl 64", whole: true, opts: Options{Sample: 10, RingSize: 8 << 20}},
		"and rejected":    {expression: "ttl 65", here: true, none: true, whole: true, opts: Options{Sample: 10, RingSize: 8 << 20}},
	}
	for name, tt := range tests {
		if tt.here && vmtest.InGuest() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			all := sourcetest.Run(t, need(t, Options{Sample: 1}), func(*event.Event) bool { return false })
			s := newSelection(t, p, tt.expression, tt.opts)
			p.send(t, count, 0)
			want := uint64(count)
			if tt.none {
				want = 0
			}
			if tt.whole || tt.opts.Sample == 0 {
				s.Await(want)
			}
			got, individual := sourcetest.Total(s.End())
			all.End()
			if got != want || tt.whole && individual != want {
				t.Errorf("%d drops, %d of them whole, want %d", got, individual, want)
			}
			if n := s.Ledger.Total(); n < count || n > all.Ledger.Total() || s.Ledger.TotalLost() > 0 {
				t.Errorf("ledger %+v, want from %d to %d", s.Ledger, count, all.Ledger.Total())
			}
			if tt.none && !tt.whole && s.Ledger.Rejected < count {
				t.Errorf("%d rejected in the kernel, want %d or more", s.Ledger.Rejected, count)
			}
		})
	}
}

// TestUndecided has drops that only whole packets decide, and a ring without room for
// them: they are neither rejected nor lost.
func TestUndecided(t *testing.T) {
	const count = 3000
	p := newPlace(t)
	s := newSelection(t, p, "ttl 64", Options{RingSize: 1})
	p.send(t, count, 0)
	got, _ := sourcetest.Total(s.End())
	if got+s.Ledger.Undecided != count || got == 0 || s.Ledger.Undecided == 0 || s.Ledger.TotalLost() != 0 {
		t.Errorf("%d drops, and %+v, want %d or undecided", got, s.Ledger, count)
	}
}

// TestMoreKeysThanRoom drops more ethertypes at once than a table has room for: with
// an expression that the kernel's side decides all are shown, those without room as
// counts without a key.
func TestMoreKeysThanRoom(t *testing.T) {
	const ethertypes, count = 500, 4
	p := newPlace(t)
	fd := p.packetSocket(t)
	for _, expression := range []string{"not ip", "not ip and count >= 1"} {
		s := newSelection(t, p, expression, Options{Sample: 1, Kinds: 16})
		for i := range ethertypes * count {
			frame := binary.BigEndian.AppendUint16(make([]byte, 12), uint16(0x9200+i%ethertypes))
			if err := unix.Sendto(fd, append(frame, "nobody knows this"...), 0, &unix.SockaddrLinklayer{Ifindex: 1}); err != nil {
				t.Fatal(err)
			}
		}
		s.Await(ethertypes * count)
		var unkeyed uint64
		kept := s.End()
		for i := range kept {
			if e := &kept[i]; e.Aggregate && !e.Where.HasPC {
				unkeyed += e.Count
			}
		}
		got, _ := sourcetest.Total(kept)
		if got < ethertypes*count || unkeyed == 0 || s.Ledger.Undecided != 0 || s.Ledger.TotalLost() != 0 {
			t.Errorf("%s: %d drops, %d without a key, and %+v, want %d", expression, got, unkeyed, s.Ledger, ethertypes*count)
		}
	}
}

// A selection is a Source that runs with an expression.
type selection struct {
	*sourcetest.Running
	filter *filter.Filter
}

func newSelection(t *testing.T, p *place, expression string, opts Options) *selection {
	t.Helper()
	f, err := filter.Parse(fmt.Sprintf("netns.inode %d and (%s)", p.inode, expression))
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := Reasons()
	if err != nil {
		t.Fatal(err)
	}
	split := f.Split(filter.Resolver{Reason: reasons}, ofKind)
	opts.Condition = split.Kernel
	decoded, wanted := decode.Packets(), f.StagesOf(split, nil)[0]
	return &selection{sourcetest.Run(t, need(t, opts), func(e *event.Event) bool { return decoded(e) && wanted(e) }), f}
}

// of is how many of some drops it is to show, and of how many it depends on bytes that
// were cut, which the kernel's side may read.
func (s *selection) of(drops []event.Event) (n, undecided uint64) {
	decoded := decode.Packets()
	for i := range drops {
		decoded(&drops[i])
		switch s.filter.Decide(&drops[i]) {
		case condition.True:
			n += drops[i].Count
		case condition.Unknown:
			undecided += drops[i].Count
		}
	}
	return n, undecided
}

// leaves are comparisons whose answers the frames make differ.
var leaves = []string{
	"udp", "tcp", "sctp", "icmp", "icmpv6", "gre", "esp", "ip", "ip6", "arp", "proto 0x88cc", "proto vlan",
	"port 53", "dst port 53", "src port 80", "udp dst port 53", "tcp port 80", "sctp.port 53-90", "port != 53", "port", "dstport > 60000",
	"host 10.0.0.1", "src net 10.0.0.0/8", "dst host 10.0.0.2", "not host 10.0.0.1", "ip.src != 10.0.0.1", "ipv6.dst 2001:db8::/64",
	"src", "arp.dst 10.0.0.2",
	"ip.proto 17", "ipv6.proto udp", "ip.proto 0-52", "ipv6.proto 0-60", "ip.proto 51", "srcport", "port and len < 50", "len > 60",
	"len 40-70", "iface lo", "iface l*", "iface != lo", "ifindex 1", "not ifindex 1",
	"reason NO_SOCKET", "reason IP_*", "reason != NO_SOCKET", "reason UNHANDLED_PROTO", "frag", "ttl 64", "tcp.flags has syn",
	"vlan 7", "icmp.type 8",
}

func randomExpression(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return oneOf(r, leaves)
	}
	word := oneOf(r, []string{"and", "or"})
	e := fmt.Sprintf("(%s %s %s)", randomExpression(r, depth-1), word, randomExpression(r, depth-1))
	if r.IntN(4) == 0 {
		return "not " + e
	}
	return e
}

// sendFrames puts frames on the loopback device of a place.
func sendFrames(t *testing.T, p *place, r *rand.Rand, count int) {
	t.Helper()
	fd := p.packetSocket(t)
	for range count {
		if err := unix.Sendto(fd, randomFrame(r), 0, &unix.SockaddrLinklayer{Ifindex: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

// randomFrame gives an Ethernet frame, one of two with some bytes changed.
func randomFrame(r *rand.Rand) []byte {
	type maker = func(*rand.Rand) []byte
	transport := func(r *rand.Rand) []byte {
		b := binary.BigEndian.AppendUint16(nil, oneOf(r, []uint16{53, 80, 1, 61000}))
		b = binary.BigEndian.AppendUint16(b, oneOf(r, []uint16{53, 80, 1, 61000}))
		return append(b, make([]byte, 4+r.IntN(40))...)
	}
	ip4 := func(r *rand.Rand) []byte {
		options := make([]byte, 4*max(0, r.IntN(6)-3))
		b := append([]byte{0x45 + byte(len(options)/4), 0, 0, 0, 0, 1, 0, 0, 64, oneOf(r, []byte{6, 17, 132, 1, 47, 50, 51, 4, 99}),
			0, 0}, 10, 0, 0, byte(r.IntN(3)), 10, 0, 0, byte(r.IntN(3)))
		binary.BigEndian.PutUint16(b[6:], oneOf(r, []uint16{0, 0, 0, 0x4000, 0x2000, 5}))
		b = append(append(b, options...), transport(r)...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-r.IntN(2)*r.IntN(len(b))))
		return b
	}
	ip6 := func(r *rand.Rand) []byte {
		inside := transport(r)
		b := append([]byte{0x60, 0, 0, 0, 0, byte(len(inside) - r.IntN(2)*r.IntN(len(inside))),
			oneOf(r, []byte{6, 17, 132, 58, 59, 0, 43, 44, 51, 60}), 64}, 0x20, 1, 0xd, 0xb8, 0, 0, 0, byte(r.IntN(2)), 0, 0, 0, 0,
			0, 0, 0, 1)
		return append(append(b, 0x20, 1, 0xd, 0xb8, 0, 0, 0, byte(r.IntN(2)), 0, 0, 0, 0, 0, 0, 0, 2), inside...)
	}
	other := func(r *rand.Rand) []byte { return make([]byte, r.IntN(60)) }
	arp := func(*rand.Rand) []byte {
		return []byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2}
	}
	tag := func(r *rand.Rand) []byte { return append([]byte{0, 7, 8, 0}, ip4(r)...) }
	makers := []struct {
		proto uint16
		make  maker
	}{{0x0800, ip4}, {0x0800, ip4}, {0x0800, ip4}, {0x86dd, ip6}, {0x86dd, ip6}, {0x0806, arp}, {0x8100, tag}, {0x88cc, other},
		{60, other}, {0x0800, other}}
	m := oneOf(r, makers)
	frame := append([]byte{0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1}, byte(m.proto>>8), byte(m.proto))
	frame = append(frame, m.make(r)...)
	if r.IntN(4) == 0 {
		frame[0] = oneOf(r, []byte{0x45, 0x60, 0x44})
	}
	for r.IntN(2) == 0 {
		frame[12+r.IntN(min(len(frame)-12, 42))] = oneOf(r, []byte{0, 4, 0x40, 0x45, 0x4f, 0x60, 17, 51, 255})
	}
	return frame[:max(14, len(frame)-max(0, r.IntN(60)-40))]
}
