package bpf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

func TestMain(m *testing.M) {
	if os.Getenv(readerEnv) != "" {
		os.Exit(readAlone())
	}
	vmtest.Main(m)
}

// TestDrops loses packets in every scenario, and checks what is said of each
// against what is known of it.
func TestDrops(t *testing.T) {
	const count = 7
	first := newPlace(t)
	byPlace, want := make(map[uint32]drops.Scenario), uint64(0)
	var lose []func()
	for i, w := range drops.Scenarios {
		p := first
		if i > 0 {
			p = first.another()
		}
		byPlace[p.inode] = w
		lose = append(lose, w.PrepareIn(p.Namespace, count))
		if !w.Silent {
			want += count
		}
	}
	r := sourcetest.Run(t, need(t, Options{Sample: DefaultSample}), func(e *event.Event) bool {
		w, ok := byPlace[e.Netns.Inode]
		return ok && e.Reason == w.Reason() // TCP loses other packets too
	})
	for _, f := range lose {
		f()
	}
	r.Await(want)
	kept := r.End()
	if lost := r.Ledger.TotalLost(); lost != 0 {
		t.Errorf("%d lost", lost)
	}
	for inode, w := range byPlace {
		t.Run(w.Name, func(t *testing.T) { checkScenario(t, w, count, within(kept, inode)) })
	}
}

// within returns the drops in one namespace.
func within(drops []event.Event, inode uint32) []event.Event {
	return slices.DeleteFunc(slices.Clone(drops), func(e event.Event) bool { return e.Netns.Inode != inode })
}

// checkScenario compares drops with the scenario in which so many were lost.
func checkScenario(t *testing.T, w drops.Scenario, want uint64, kept []event.Event) {
	t.Helper()
	if w.Silent {
		want = 0
	}
	if packets, individual := sourcetest.Total(kept); packets != want || individual != want {
		t.Errorf("%d drops, %d individually, want %d", packets, individual, want)
	}
	for i := range kept {
		checkDrop(t, w, &kept[i])
	}
}

// checkDrop compares a drop with the scenario in which it was lost.
func checkDrop(t *testing.T, w drops.Scenario, e *event.Event) {
	t.Helper()
	if e.Packet.Buffer == 0 {
		t.Error("the address of the packet is not known")
	}
	if e.Port.IfName != w.Iface || (e.Port.IfIndex == 0) != (w.Iface == "") || !e.Where.HasPC {
		t.Errorf("port %+v, want %q", e.Port, w.Iface)
	}
	var f event.Flow
	packet.Decode(e.Packet.Data, e.Packet.Link, e.Packet.Proto, &f)
	switch {
	case w.First == drops.Transport:
		if e.Packet.HasData || e.Packet.Len < 20 {
			t.Errorf("packet %+v, want one without headers", e.Packet)
		}
	case (e.Packet.Link == event.LinkRaw) != (w.First == drops.IP):
		t.Errorf("packet %+v, want one from its header %v on", e.Packet, w.First)
	case f.Network != event.IPv4 || f.DstPort != drops.Port || e.Packet.Len < f.TotalLen:
		t.Errorf("%d bytes % x are %+v", e.Packet.Len, e.Packet.Data, f)
	}
	checkParty(t, w.Owner, e.Owner.Socket)
}

// checkParty checks the owner of a socket.
func checkParty(t *testing.T, whose drops.Party, s *event.Socket) {
	t.Helper()
	switch none := whose == drops.Nobody || whose == drops.Receiver && !guest.AtLeast(6, 11); {
	case none && s != nil, !none && s == nil:
		t.Errorf("socket %+v, want none: %v", s, none)
	case none:
	case s.Cookie == 0, s.Inode == 0, s.Family != unix.AF_INET, s.Confidence != event.Certain,
		s.Receiver != (whose == drops.Receiver), s.Receiver != (s.Local.Port() == drops.Port):
		t.Errorf("socket %+v, want the one of party %v", s, whose)
	}
}

// TestOfOnePacket compares every fact of one drop with what is known of it.
func TestOfOnePacket(t *testing.T) {
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			s := needForm(t, form, Options{Stack: true})
			r := sourcetest.Run(t, s, p.of)
			before := time.Now()
			p.send(t, 1, 0)
			after := time.Now()
			kept := r.End()
			if len(kept) != 1 {
				t.Fatalf("%d drops, want 1", len(kept))
			}
			e := &kept[0]
			if !e.KernelTime || e.Time.Before(before.Add(-50*time.Millisecond)) || e.Time.After(after.Add(50*time.Millisecond)) {
				t.Errorf("at %v, sent from %v to %v", e.Time, before, after)
			}
			if want := (event.Port{IfIndex: 1, IfName: "lo"}); e.Port != want {
				t.Errorf("port %+v, want %+v", e.Port, want)
			}
			if !e.Task.Known || e.Task.CPU != 0 || e.Task.TID == 0 || e.Task.Comm == "" {
				t.Errorf("task %+v", e.Task)
			}
			if k := &e.Packet; k.Link != event.LinkEthernet || k.Proto != 0x800 || k.Len != 14+20+8+17 ||
				len(k.Data) != int(k.Len) || !bytes.HasSuffix(k.Data, []byte("nobody wants this")) || k.Data[14] != 0x45 {
				t.Errorf("packet %+v", k)
			}
			if len(e.Stack) < 5 || e.Stack[0].PC != e.Where.PC || e.Where.PC>>63 == 0 {
				t.Errorf("dropped at %#x, called from %#x", e.Where.PC, e.Stack)
			}
			if e.Owner.Socket != nil {
				t.Errorf("socket %+v of a closed port", e.Owner.Socket)
			}
		})
	}
}

// forms are those of the program.
var forms = []string{dropsProgDropBtf, dropsProgDropRaw}

// testedForms are the forms for tests of what both have in common. Guests, which are slow, test the
// first, which all of these kernels accept: TestOfOnePacket and TestEveryOptionLoads have both there.
func testedForms() []string {
	if vmtest.InGuest() {
		return forms[:1]
	}
	return forms
}

// able is the error of opening any Source here.
var able = sync.OnceValue(func() error {
	s, err := Open(Options{})
	if err == nil {
		s.Close()
	}
	return err
})

// needAble ends the test where no Source can be opened.
func needAble(t testing.TB) {
	t.Helper()
	vmtest.RequireRoot(t)
	if err := able(); err != nil {
		vmtest.SkipOrFail(t, err)
	}
}

// needForm opens a Source with one of them.
func needForm(t *testing.T, form string, opts Options) *Source {
	t.Helper()
	needAble(t)
	s := &Source{forms: []string{form}}
	if err := s.open(opts, kernelTypes); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A family is one of addresses, with what to send to in it.
type family struct {
	name   string
	number uint16
	closed unix.Sockaddr
	local  netip.Addr
	proto  uint16
	header uint32 // bytes of IP
	table  string // of nft
}

var families = []family{
	{"IPv4", unix.AF_INET, closed, netip.MustParseAddr("127.0.0.1"), 0x800, 20, "ip"},
	{"IPv6", unix.AF_INET6, &unix.SockaddrInet6{Port: drops.Port, Addr: [16]byte{15: 1}}, netip.IPv6Loopback(), 0x86dd, 40, "ip6"},
}

// eachFamily gives each a place with a socket and a source in each form.
func eachFamily(t *testing.T, f func(t *testing.T, fam family, form string, p *place, fd int)) {
	for _, fam := range families {
		for _, form := range testedForms() {
			t.Run(fam.name+"/"+form, func(t *testing.T) {
				p := newPlace(t)
				p.EnableIPv6()
				f(t, fam, form, p, p.socketOf(t, fam.number))
			})
		}
	}
}

// sendTo loses datagrams, which a firewall may refuse.
func sendTo(t *testing.T, fd int, to unix.Sockaddr, count int) {
	t.Helper()
	for range count {
		if err := unix.Sendto(fd, []byte("nobody wants this"), 0, to); err != nil && !errors.Is(err, unix.EPERM) {
			t.Fatal(err)
		}
	}
}

// cookie is that of a socket, which has one from now on.
func cookie(t *testing.T, fd int) uint64 {
	t.Helper()
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestReceiver drops what a socket that nobody reads has no room for: the
// kernel says which socket.
func TestReceiver(t *testing.T) {
	eachFamily(t, func(t *testing.T, fam family, form string, p *place, fd int) {
		if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0), unix.Bind(fd, fam.closed)); err != nil {
			t.Fatal(err)
		}
		sender := p.socketOf(t, fam.number)
		sendTo(t, sender, fam.closed, 100)
		s := needForm(t, form, Options{Sample: DefaultSample})
		r := sourcetest.Run(t, s, func(e *event.Event) bool { return e.Netns.Inode == p.inode })
		want := event.Socket{
			Cookie: cookie(t, fd), Inode: inode(t, fd), Family: fam.number, Protocol: unix.IPPROTO_UDP, State: 7, Receiver: true,
			Local: netip.AddrPortFrom(fam.local, drops.Port), Confidence: event.Certain,
		}
		want.Remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if fam.number == unix.AF_INET6 {
			want.Remote = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
		sendTo(t, sender, fam.closed, 3)
		r.Await(3)
		kept := r.End()
		if len(kept) != 3 || kept[0].Reason != since(5, 18, "SOCKET_RCVBUFF") {
			t.Fatalf("%d drops, want 3: %+v", len(kept), kept)
		}
		e := &kept[0]
		if e.Packet.Proto != fam.proto || e.Packet.Len != 14+fam.header+8+17 || e.Port.IfName != "lo" {
			t.Errorf("packet %+v of %+v", e.Packet, e.Port)
		}
		if !guest.AtLeast(6, 11) {
			if e.Owner != (event.Owner{}) {
				t.Errorf("%+v, and the kernel does not say the receiver", e.Owner)
			}
			return
		}
		if got := e.Owner.Socket; got == nil || *got != want {
			t.Errorf("socket %+v, want %+v", got, want)
		}
		if e.Owner.Cgroup.ID == 0 {
			t.Error("no cgroup")
		}
	})
}

// TestSender drops what a socket sends in a firewall, before it has a MAC header.
func TestSender(t *testing.T) {
	eachFamily(t, func(t *testing.T, fam family, form string, p *place, fd int) {
		p.refuse(t, fam.table, drops.Port)
		if err := unix.Connect(fd, fam.closed); err != nil {
			t.Fatal(err)
		}
		r := sourcetest.Run(t, needForm(t, form, Options{Sample: DefaultSample}), func(e *event.Event) bool {
			return e.Netns.Inode == p.inode
		})
		sendTo(t, fd, fam.closed, 2)
		r.Await(2)
		kept := r.End()
		if len(kept) != 2 {
			t.Fatalf("%d drops, want 2: %+v", len(kept), kept)
		}
		e := &kept[0]
		s := e.Owner.Socket
		if s == nil {
			t.Fatal("no socket")
		}
		want := event.Socket{
			Cookie: s.Cookie, Inode: inode(t, fd), Family: fam.number, Protocol: unix.IPPROTO_UDP, State: 1,
			Local: netip.AddrPortFrom(fam.local, localPort(t, fd)), Remote: netip.AddrPortFrom(fam.local, drops.Port),
			Confidence: event.Certain,
		}
		if *s != want {
			t.Errorf("socket %+v, want %+v", s, want)
		}
		if k := &e.Packet; k.Link != event.LinkRaw || k.Proto != fam.proto || k.Len != fam.header+8+17 || len(k.Data) != int(k.Len) {
			t.Errorf("packet %+v", k)
		}
	})
}

// localPort is the one that a socket was given.
func localPort(t *testing.T, fd int) uint16 {
	t.Helper()
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port)
	case *unix.SockaddrInet6:
		return uint16(a.Port)
	}
	t.Fatalf("name %T", name)
	return 0
}

// TestTwoNamespaces drops the same in two: only the namespace differs.
func TestTwoNamespaces(t *testing.T) {
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			other := p.another()
			counts := make(map[uint32]uint64)
			r := sourcetest.Run(t, needForm(t, form, Options{Sample: 2}), func(e *event.Event) bool {
				wanted := p.of(e) || other.of(e)
				if wanted {
					counts[e.Netns.Inode] += e.Count
				}
				return wanted
			})
			p.send(t, 5, 0)
			other.send(t, 9, 0)
			_, individual := sourcetest.Total(r.End())
			if counts[p.inode] != 5 || counts[other.inode] != 9 || p.inode == other.inode || individual < 4 {
				t.Errorf("%d individually, by namespace %v, want 5 of %d and 9 of %d", individual, counts, p.inode, other.inode)
			}
		})
	}
}

// TestFragments drops a datagram of three fragments: each is freed by itself, and
// all but the first have no interface any more.
func TestFragments(t *testing.T) {
	const part = "a part of what nobody wants "
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			p.Do(func() error { return exec.Command("ip", "link", "set", "lo", "mtu", "1500").Run() })
			fd := p.socket(t)
			r := sourcetest.Run(t, needForm(t, form, Options{Sample: DefaultSample}), func(e *event.Event) bool {
				return bytes.Contains(e.Packet.Data, []byte(part))
			})
			if err := unix.Sendto(fd, bytes.Repeat([]byte(part), 150), 0, closed); err != nil {
				t.Fatal(err)
			}
			r.Await(3)
			kept := r.End()
			if len(kept) != 3 {
				t.Fatalf("%d drops, want 3: %+v", len(kept), kept)
			}
			whole, second, third := &kept[0], &kept[1], &kept[2]
			if whole.Fragment || whole.Netns.Inode != p.inode || whole.Port.IfName != "lo" ||
				whole.Packet.Len != 14+20+8+150*uint32(len(part)) {
				t.Errorf("the whole: %+v", whole)
			}
			for i, e := range []*event.Event{second, third} {
				var f event.Flow
				packet.Decode(e.Packet.Data, e.Packet.Link, e.Packet.Proto, &f)
				if int(f.FragmentOffset) != (i+1)*1480 || e.Packet.Len != 14+f.TotalLen {
					t.Errorf("%d bytes: %+v", e.Packet.Len, f)
				}
				if !e.Fragment || e.Port.IfName != "" || e.Netns.Inode != 0 || e.Where.PC == whole.Where.PC || e.Owner != (event.Owner{}) {
					t.Errorf("a fragment's: %+v", e)
				}
			}
		})
	}
}

// TestBesidePerf has perf count the same tracepoint, by the source that reads it:
// it was passed as often as reported.
func TestBesidePerf(t *testing.T) {
	const count, ipv4 = 100_000, 0x800
	for _, cpus := range [][]int{{0}, {0, 1}} {
		t.Run(fmt.Sprint("CPUs ", cpus), func(t *testing.T) {
			p := newPlace(t)
			var all uint64
			r := sourcetest.Run(t, need(t, Options{Sample: DefaultSample}), func(e *event.Event) bool {
				if e.Packet.Proto == ipv4 {
					all += e.Count
				}
				return p.of(e)
			})
			traced, err := trace.Open(trace.Options{Filter: fmt.Sprint("protocol == ", ipv4)})
			if err != nil {
				vmtest.SkipOrFail(t, err)
			}
			perf := sourcetest.Run(t, traced, func(*event.Event) bool { return false })
			p.send(t, count, cpus...)
			perf.End()
			packets, individual := sourcetest.Total(r.End())
			want := uint64(count * len(cpus))
			if packets != want || individual < DefaultSample || r.Ledger.TotalLost() != 0 {
				t.Errorf("%d packets, %d individually, %d lost, want %d", packets, individual, r.Ledger.TotalLost(), want)
			}
			// The rest of this host may drop packets before perf begins and after it ends.
			if counted := perf.Ledger.Shown + perf.Ledger.TotalLost(); counted < want || counted > all {
				t.Errorf("%d packets of IPv4, perf counts %d, want %d or a few more", all, counted, want)
			}
		})
	}
}

// TestCounts compares the counts with what was dropped, as fast as this host
// can, whatever is sampled and whatever there is room for.
func TestCounts(t *testing.T) {
	count := 60_000
	if vmtest.InGuest() { // which are slow
		count = 1000
	}
	tests := map[string]struct {
		opts           Options
		cpus           []int
		fewest, most   uint64 // events of one packet
		withoutTheKind bool   // most of them
	}{
		"a sample":            {opts: Options{Sample: 10}, cpus: []int{0}, fewest: 10, most: 100},
		"a sample of two":     {opts: Options{Sample: 10}, cpus: []int{0, 1}, fewest: 20, most: 200},
		"one by one":          {opts: Options{RingSize: 32 << 20}, cpus: []int{0}, fewest: uint64(count), most: uint64(count)},
		"a ring too small":    {opts: Options{RingSize: 1}, cpus: []int{0, 1}, fewest: 8, most: uint64(2*count - 1)},
		"by owner":            {opts: Options{Sample: 10, ByOwner: true}, cpus: []int{0, 1}, fewest: 20, most: 200},
		"a table of one kind": {opts: Options{Sample: 10, Kinds: 1}, cpus: []int{0, 1}, fewest: 1, most: 200, withoutTheKind: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			s := need(t, tt.opts)
			if tt.withoutTheKind {
				newPlaceOfAnother(t, p, s)
			}
			r := sourcetest.Run(t, s, func(e *event.Event) bool { return p.of(e) || tt.withoutTheKind && !e.Where.HasPC })
			p.send(t, count, tt.cpus...)
			want := uint64(count * len(tt.cpus))
			if tt.opts.Sample == 0 {
				r.Await(want)
			}
			packets, individual := sourcetest.Total(r.End())
			if packets < want || packets > want && !tt.withoutTheKind {
				t.Errorf("%d packets, want %d", packets, want)
			}
			if individual < tt.fewest || individual > tt.most {
				t.Errorf("%d events of one packet, want %d to %d", individual, tt.fewest, tt.most)
			}
			if lost := r.Ledger.TotalLost(); lost != 0 {
				t.Errorf("%d lost", lost)
			}
		})
	}
}

// newPlaceOfAnother fills a table that has room for one kind.
func newPlaceOfAnother(t *testing.T, p *place, s *Source) {
	t.Helper()
	fd := p.socket(t)
	p.refuse(t, "ip", 10)
	unix.Sendto(fd, nil, 0, &unix.SockaddrInet4{Port: 10, Addr: closed.Addr}) // EPERM
	var keys []dropsKey
	var key dropsKey
	var values []dropsTally
	for it := s.kernel.Maps[dropsMapCounts].Iterate(); it.Next(&key, &values); {
		keys = append(keys, key)
	}
	if len(keys) != 1 {
		t.Fatalf("kinds %+v, want 1", keys)
	}
}

// TestKindsComeAndGo has more sockets one after the other than a table has room
// for: the drops of each are reported as its own.
func TestKindsComeAndGo(t *testing.T) {
	const kinds, times, sockets, count = 64, 3, 50, 3
	p := newPlace(t)
	p.refuse(t, "ip", drops.Port)
	counts := make(map[uint64]uint64)
	s := need(t, Options{Sample: 1, Kinds: kinds, ByOwner: true})
	r := sourcetest.Run(t, s, func(e *event.Event) bool {
		if e.Netns.Inode != p.inode || e.Owner.Socket == nil {
			return false
		}
		counts[e.Owner.Socket.Cookie] += e.Count
		return true
	})
	want := make(map[uint64]uint64)
	for i := range uint32(times) {
		for range sockets {
			fd := p.socket(t)
			want[cookie(t, fd)] = count
			sendTo(t, fd, closed, count)
		}
		p.Await("the other table is active", func() bool {
			var active uint32
			return s.kernel.Variables[dropsVarActiveTable].Get(&active) == nil && active == (i+1)%2
		})
	}
	r.End()
	if !maps.Equal(counts, want) {
		t.Errorf("%d sockets, want %d: %v", len(counts), len(want), counts)
	}
}

// TestGoesToSleepAndWakes waits until nothing is polled any more: what comes then is shown
// although nothing follows.
func TestGoesToSleepAndWakes(t *testing.T) {
	p := newPlace(t)
	s := need(t, Options{Sample: 1})
	r := sourcetest.Run(t, s, p.of)
	p.send(t, 5, 0)
	var shown []time.Time
	for i := range uint64(3) {
		awaitSleep(t, s)
		p.send(t, 1, 0)
		r.Await(5 + i + 1)
		shown = append(shown, time.Now())
	}
	packets, individual := sourcetest.Total(r.End())
	if packets != 8 || individual < 4 {
		t.Fatalf("%d packets, %d individually, want 8 and 4 or more", packets, individual)
	}
	for i, at := range r.At[len(r.At)-len(shown):] {
		if at.After(shown[i]) {
			t.Errorf("drop %d did not wake the reader", i)
		}
	}
}

// awaitSleep waits until the kernel is to wake a source that runs. Other drops of
// the host may keep it awake.
func awaitSleep(t *testing.T, s *Source) {
	t.Helper()
	state := dropsReaderStatePOLLING
	for begin := time.Now(); state != dropsReaderStateSLEEPING && time.Since(begin) < 4*countTime; {
		time.Sleep(3 * pollTime) // in which it sleeps only if it is not to poll once more
		if err := s.kernel.Variables[dropsVarReader].Get(&state); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFirstEventIsSoon: opening takes little of the CPU, and then the first event is shown.
func TestFirstEventIsSoon(t *testing.T) {
	p := newPlace(t)
	needAble(t)
	least := time.Hour
	for range 3 {
		before := cpuTime()
		s, err := Open(Options{Sample: DefaultSample})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		least = min(least, cpuTime()-before)
		r := sourcetest.Run(t, s, p.of)
		p.send(t, 1, 0)
		r.Await(1)
		shown := time.Now()
		if r.End(); len(r.At) != 1 || r.At[0].After(shown) {
			t.Errorf("a drop is shown at %v, want one before %v", r.At, shown)
		}
	}
	t.Logf("opening takes %v of CPU", least)
	if least > time.Second { // some 40 ms, and less than 200 ms with the race detector
		t.Errorf("opening takes %v of CPU", least)
	}
}

// cpuTime is what this process has taken.
func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestCountsHaveTheNamesOfRecords: counts that are read with the first records of their key come
// after those, and have the name of the interface and the socket from them.
func TestCountsHaveTheNamesOfRecords(t *testing.T) {
	const count = 20
	p := newPlace(t)
	p.refuse(t, "ip", 10)
	s := need(t, Options{Sample: 2, ByOwner: true})
	fd := p.socket(t)
	sendTo(t, fd, closed, count)
	sendTo(t, fd, &unix.SockaddrInet4{Port: 10, Addr: closed.Addr}, count)
	r := &sourcetest.Running{Keep: func(e *event.Event) bool { return e.Netns.Inode == p.inode }}
	if _, err := s.emitCounts(r); err != nil {
		t.Fatal(err)
	}
	if packets, individual := sourcetest.Total(r.Kept); packets != 2*count || individual == packets {
		t.Errorf("%d packets, %d individually, want %d and fewer", packets, individual, 2*count)
	}
	for i := range r.Kept {
		e := &r.Kept[i]
		received := e.Reason == reason("NO_SOCKET")
		if received && e.Port.IfName != "lo" || !received && (e.Owner.Socket == nil || e.Owner.Socket.Inode != inode(t, fd)) {
			t.Errorf("interface %q, socket %+v: %+v", e.Port.IfName, e.Owner.Socket, e)
		}
	}
}

// TestEndedBeforeItBegan gives the drops since Open all the same, also if the first takes as long
// as the first search for the owner of a socket may.
func TestEndedBeforeItBegan(t *testing.T) {
	p := newPlace(t)
	s := need(t, Options{Sample: 2})
	p.send(t, 5, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.stopped.Store(true) // as the end of ctx does a moment later
	var first sync.Once
	search := func(*event.Event) { first.Do(func() { time.Sleep(300 * time.Millisecond) }) }
	r := &sourcetest.Running{Keep: p.of, Then: search}
	if err := s.Run(ctx, r); err != nil {
		t.Error(err)
	}
	if packets, individual := sourcetest.Total(r.Kept); packets != 5 || individual != 2 {
		t.Errorf("%d packets, %d individually, want 5 and 2: %+v", packets, individual, r.Kept)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsLeftOpen looks at the process's files before and after.
func TestNothingIsLeftOpen(t *testing.T) {
	need(t, Options{}).Close()
	times := 3
	if vmtest.InGuest() { // which are slow
		times = 1
	}
	before := sourcetest.Files(t)
	for range times {
		sourcetest.Run(t, need(t, Options{}), func(*event.Event) bool { return false }).End()
		(&Source{forms: []string{"no such program"}}).Close()
	}
	if after := sourcetest.Files(t); !slices.Equal(before, after) {
		t.Errorf("files before %v and after %v", before, after)
	}
}
