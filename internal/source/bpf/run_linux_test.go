package bpf

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
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

// TestDrops loses packets in every way there is: each is an event, with the
// kernel's reason and the namespace, and nothing else is.
func TestDrops(t *testing.T) {
	for _, w := range drops.Ways {
		t.Run(w.Name, func(t *testing.T) {
			const count = 7
			drop := w.Prepare(t, count)
			time.Sleep(100 * time.Millisecond) // the kernel takes other tests' namespaces apart
			r := run(t, need(t, Options{Sample: DefaultSample}), func(e *event.Event) bool {
				return (e.Reason == w.Reason() || vmtest.InGuest()) && !ofInterface(e)
			})
			drop()
			got := make(map[string]uint64)
			for _, e := range r.end() {
				got[e.Reason] += e.Count
				if !e.Single || e.Netns.Inode == 0 || !e.Where.HasPC {
					t.Errorf("no drop of one packet in a namespace: %+v", e)
				}
			}
			want := map[string]uint64{w.Reason(): count}
			if w.Silent {
				want = nil
			}
			if got[w.Reason()] != want[w.Reason()] { // TCP may try again what another way has lost
				t.Errorf("drops by reason %v, want %v", got, want)
			}
		})
	}
}

// ofInterface tells whether a packet is of IPv6 or IGMP, which a new interface
// sends when it likes.
func ofInterface(e *event.Event) bool {
	at := 9 // protocol in the IP header
	if e.Packet.Link == event.LinkEthernet {
		at += 14
	}
	data := e.Packet.Data
	return e.Packet.Proto == 0x86dd || len(data) > at && data[at] == unix.IPPROTO_IGMP
}

// TestOfOnePacket holds every fact of one drop against what is known of it.
func TestOfOnePacket(t *testing.T) {
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			s := needForm(t, form, Options{Stack: true})
			r := run(t, s, p.of)
			before := time.Now()
			p.send(t, 1, 0)
			after := time.Now()
			kept := r.end()
			if len(kept) != 1 {
				t.Fatalf("%d drops, want 1", len(kept))
			}
			e := &kept[0]
			if !e.Stamped || e.Time.Before(before.Add(-50*time.Millisecond)) || e.Time.After(after.Add(50*time.Millisecond)) {
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

// needForm opens a Source with one of them.
func needForm(t *testing.T, form string, opts Options) *Source {
	t.Helper()
	need(t, opts).Close()
	s := &Source{forms: []string{form}}
	if err := s.open(opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestReceiver drops what a socket that nobody reads has no room for: the
// kernel says whose it was.
func TestReceiver(t *testing.T) {
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			fd := p.socket(t)
			if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0), unix.Bind(fd, closed)); err != nil {
				t.Fatal(err)
			}
			cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			if err != nil {
				t.Fatal(err)
			}
			p.send(t, 100, 0)
			r := run(t, needForm(t, form, Options{}), func(e *event.Event) bool { return e.Netns.Inode == p.inode })
			p.send(t, 3, 0)
			kept := r.end()
			if len(kept) != 3 || kept[0].Reason != reason("SOCKET_RCVBUFF") {
				t.Fatalf("%d drops, want 3: %+v", len(kept), kept)
			}
			if !guest.AtLeast(6, 11) {
				if kept[0].Owner != (event.Owner{}) {
					t.Errorf("%+v, and the kernel does not say the receiver", kept[0].Owner)
				}
				return
			}
			want := event.Socket{
				Cookie: cookie, Inode: inode(t, fd), Family: unix.AF_INET, Protocol: unix.IPPROTO_UDP, State: 7, Receiver: true,
				Local: netip.AddrPortFrom(netip.AddrFrom4(closed.Addr), drops.Port), Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 0),
			}
			if got := kept[0].Owner.Socket; got == nil || *got != want {
				t.Errorf("socket %+v, want %+v", got, want)
			}
			if kept[0].Owner.Cgroup.ID == 0 {
				t.Error("no cgroup")
			}
		})
	}
}

// TestSender drops what a socket sends in a firewall, before it has a MAC header.
func TestSender(t *testing.T) {
	p := newPlace(t)
	fd := p.socket(t)
	p.refuse(t, drops.Port)
	r := run(t, need(t, Options{}), func(e *event.Event) bool { return e.Netns.Inode == p.inode })
	for range 2 {
		unix.Sendto(fd, []byte("nobody wants this"), 0, closed) // EPERM
	}
	kept := r.end()
	if len(kept) != 2 {
		t.Fatalf("%d drops, want 2: %+v", len(kept), kept)
	}
	e := &kept[0]
	if s := e.Owner.Socket; s == nil || s.Inode != inode(t, fd) || s.Receiver {
		t.Errorf("socket %+v, want that of inode %d", s, inode(t, fd))
	}
	if k := &e.Packet; k.Link != event.LinkRaw || k.Len != 20+8+17 || len(k.Data) != int(k.Len) || k.Data[0] != 0x45 {
		t.Errorf("packet %+v", k)
	}
}

// TestCounts holds the counts against what was dropped, as fast as this host
// can, whatever is sampled and whatever there is room for.
func TestCounts(t *testing.T) {
	count := 60_000
	if vmtest.InGuest() { // which are slow
		count = 3000
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
			r := run(t, s, func(e *event.Event) bool { return p.of(e) || tt.withoutTheKind && !e.Where.HasPC })
			p.send(t, count, tt.cpus...)
			want := uint64(count * len(tt.cpus))
			if tt.opts.Sample == 0 {
				r.await(want)
			}
			packets, single := total(r.end())
			if packets < want || packets > want && !tt.withoutTheKind {
				t.Errorf("%d packets, want %d", packets, want)
			}
			if single < tt.fewest || single > tt.most {
				t.Errorf("%d events of one packet, want %d to %d", single, tt.fewest, tt.most)
			}
			if lost := r.ledger.TotalLost(); lost != 0 {
				t.Errorf("%d lost", lost)
			}
		})
	}
}

// newPlaceOfAnother fills a table that has room for one kind.
func newPlaceOfAnother(t *testing.T, p *place, s *Source) {
	t.Helper()
	fd := p.socket(t)
	p.refuse(t, 10)
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

// TestGoesToSleepAndWakes waits until nothing is watched any more: what comes
// then is shown at once.
func TestGoesToSleepAndWakes(t *testing.T) {
	p := newPlace(t)
	s := need(t, Options{Sample: 1})
	r := run(t, s, p.of)
	p.send(t, 5, 0)
	<-r.flush
	time.Sleep(3 * countTime)
	for range 3 { // other drops of the host may keep it awake
		at := time.Now()
		p.send(t, 1, 0)
		select {
		case flushed := <-r.flush:
			if d := flushed.Sub(at); d > 2*pollTime {
				t.Errorf("shown after %v", d)
			}
		case <-time.After(2 * countTime):
			t.Fatal("not shown")
		}
		time.Sleep(2 * countTime)
	}
	packets, single := total(r.end())
	if packets != 8 || single < 4 {
		t.Errorf("%d packets, %d by themselves, want 8 and 4 or more", packets, single)
	}
}

func TestFirstEventIsSoon(t *testing.T) {
	p := newPlace(t)
	need(t, Options{}).Close()
	begin := time.Now()
	r := run(t, need(t, Options{Sample: DefaultSample}), p.of)
	p.send(t, 1, 0)
	d := (<-r.flush).Sub(begin)
	t.Logf("%v from opening to the first event", d)
	if d > 500*time.Millisecond { // some 40 ms if nothing else runs here
		t.Errorf("%v from opening to the first event", d)
	}
}

func TestOutputFails(t *testing.T) {
	const count = 5000
	p := newPlace(t)
	broken := errors.New("broken")
	r := &running{keep: p.of, emit: func(e *event.Event) error {
		if e.Kind == event.Drop && p.of(e) {
			return broken
		}
		return nil
	}}
	s := need(t, Options{Sample: 10})
	p.send(t, count, 0)
	runWith(t, s, r)
	if err := <-r.done; !errors.Is(err, broken) {
		t.Errorf("error %v, want the output's", err)
	}
	if all := r.ledger.Shown + r.ledger.TotalLost(); len(r.kept) != 1 || all < count || r.ledger.Lost[event.Unread] < count-1 {
		t.Errorf("%d kept, %+v, want 1 and the others of %d unread", len(r.kept), r.ledger, count)
	}
}

// TestEndedBeforeItBegan gives the drops since Open all the same.
func TestEndedBeforeItBegan(t *testing.T) {
	p := newPlace(t)
	s := need(t, Options{Sample: 2})
	p.send(t, 5, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &running{keep: p.of}
	if err := s.Run(ctx, r); err != nil {
		t.Error(err)
	}
	if packets, single := total(r.kept); packets != 5 || single != 2 {
		t.Errorf("%d packets, %d by themselves, want 5 and 2: %+v", packets, single, r.kept)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsLeftOpen looks at the process's files before and after.
func TestNothingIsLeftOpen(t *testing.T) {
	need(t, Options{}).Close()
	before := files(t)
	for range 3 {
		run(t, need(t, Options{}), func(*event.Event) bool { return false }).end()
		(&Source{forms: []string{"no such program"}}).Close()
	}
	if after := files(t); !slices.Equal(before, after) {
		t.Errorf("files before %v and after %v", before, after)
	}
}

// files lists what BPF and epoll files the process has.
func files(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(name, "anon_inode:") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var _ pipeline.Output = (*running)(nil)
