package pcapng_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/pcapng"
)

var at = time.Unix(1_795_231_702, 728_779_790)

// fields are the numbers of a block that no option holds, by its type.
var fields = map[uint32]int{0x0a0d0d0a: 16, 1: 8, 5: 12, 6: 20}

// A block is one as a reader sees it.
type block struct {
	Type    uint32
	Fields  []byte
	Data    []byte
	Options []option
}

type option struct {
	Code  uint16
	Value string
}

// read reads the blocks of a file, and compares every length and padding in it with the
// format.
func read(t *testing.T, b []byte) (blocks []block) {
	t.Helper()
	for len(b) > 0 {
		if len(b) < 12 {
			t.Fatalf("%d bytes at the end", len(b))
		}
		n := binary.LittleEndian.Uint32(b[4:])
		if n%4 != 0 || n < 12 || int(n) > len(b) || binary.LittleEndian.Uint32(b[n-4:]) != n {
			t.Fatalf("length %d of % x", n, b)
		}
		blocks = append(blocks, parse(t, binary.LittleEndian.Uint32(b), b[8:n-4]))
		b = b[n:]
	}
	return blocks
}

func parse(t *testing.T, kind uint32, body []byte) block {
	t.Helper()
	n, ok := fields[kind]
	if !ok {
		t.Fatalf("a block of type %#x", kind)
	}
	k := block{Type: kind, Fields: body[:n]}
	body = body[n:]
	if kind == 6 {
		k.Data, body = padded(t, body, int(binary.LittleEndian.Uint32(k.Fields[12:])))
	}
	for {
		o, value := binary.LittleEndian.Uint16(body), int(binary.LittleEndian.Uint16(body[2:]))
		if o == 0 {
			if len(body) != 4 || value != 0 {
				t.Fatalf("options end with % x", body)
			}
			return k
		}
		var v []byte
		v, body = padded(t, body[4:], value)
		k.Options = append(k.Options, option{o, string(v)})
	}
}

// padded returns n bytes of b, and what follows them and their padding.
func padded(t *testing.T, b []byte, n int) (data, rest []byte) {
	t.Helper()
	end := (n + 3) &^ 3
	if !bytes.Equal(b[n:end], make([]byte, end-n)) {
		t.Fatalf("padding % x", b[n:end])
	}
	return b[:n], b[end:]
}

// words returns the bytes of 32-bit numbers.
func words(n ...uint32) (b []byte) {
	for _, n := range n {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

func u64(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }

// moment returns a time as the format has it: the upper half first.
func moment(t time.Time) []byte {
	n := uint64(t.UnixNano())
	return words(uint32(n>>32), uint32(n))
}

// write returns the file of events, and the blocks in it.
func write(t *testing.T, o pcapng.Options, events ...event.Event) ([]byte, []block) {
	t.Helper()
	var b bytes.Buffer
	s, err := pcapng.New(&b, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), read(t, b.Bytes())
}

// udp returns a drop of a packet that is longer than its bytes.
func udp(name string) event.Event {
	e := event.Event{Time: at, Count: 1, Individual: true, Reason: "NO_SOCKET", Port: event.Port{IfIndex: 2, IfName: name}}
	e.Where = event.Where{Frame: event.Frame{PC: 1, Lookup: event.Found, Symbol: "udp_rcv", Offset: 0x9a2, Module: "mod"}, HasPC: true}
	e.Packet = event.Packet{Data: []byte(ethernet + datagram), HasData: true, Len: 60, HasLen: true}
	return e
}

const (
	ethernet = "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00"
	datagram = "\x45\x00\x00\x1d\x00\x00\x00\x00\x40\x11\x00\x00\xc0\x00\x02\x01\xc6\x33\x64\x02\x9c\x40\x00\x09\x00\x09\x00\x00x"
)

// raw returns a drop of a packet without an Ethernet header, by a device.
func raw() event.Event {
	e := event.Event{Time: at.Add(time.Microsecond), Count: 1, Individual: true, Origin: event.Hardware}
	e.Where.Trap, e.Where.TrapGroup = "blackhole_route", "l3_drops"
	e.Packet = event.Packet{Data: []byte(datagram), HasData: true, Link: event.LinkRaw}
	return e
}

// traceOnly returns a drop without bytes, and summary one of several packets.
func traceOnly() event.Event {
	e := event.Event{Time: at.Add(time.Second), Count: 1, Individual: true, TraceOnly: true, Reason: "NETFILTER_DROP",
		Port: event.Port{IfIndex: 7}}
	e.Where = event.Where{HasPC: true, Kernel: "nf_hook_slow+0x4a/0xc0"}
	e.Stack = []event.Frame{{PC: 1, Lookup: event.Found, Symbol: "nf_hook_slow", Offset: 0x4a}, {PC: 0xffffffffc0ffee00}}
	return e
}

func summary() event.Event {
	return event.Event{Time: at, Count: 7, Origin: event.Unstated, Where: event.Where{Frame: event.Frame{PC: 0xabc}, HasPC: true}}
}

func end(l event.Ledger) event.Event {
	return event.Event{Kind: event.End, Time: at.Add(time.Minute), Ledger: &l}
}

func TestFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		loss := event.Event{Kind: event.Loss, Count: 3, Place: event.AtSocket}
		ledger := event.Ledger{Shown: 11, TraceOnly: 1, Rejected: 2, Fragments: 1,
			Lost: event.Losses{event.AtSocket: 3, event.LostSummary: 1}}
		_, got := write(t, pcapng.Options{App: "dropwatch 1", Host: "gate", Kernel: "Linux 6.1", SnapLen: 65535},
			udp("eth0"), raw(), udp("eth1"), traceOnly(), loss, summary(), udp("eth0"), end(ledger))
		comments := []option{
			{1, "dropped at udp_rcv+0x9a2 [mod]: NO_SOCKET (software)"},
			{1, "cause: No socket accepts this address and port: nothing listens there, or the connection is already closed."},
		}
		resolution := option{9, "\x09"}
		stamp := func(id uint32, t time.Time, captured, length uint32) []byte {
			return append(append(words(id), moment(t)...), words(captured, length)...)
		}
		statistics := func(id uint32) []byte { return append(words(id), moment(at.Add(time.Minute))...) }
		from, to := option{2, string(moment(start))}, option{3, string(moment(at.Add(time.Minute)))}
		want := []block{
			{0x0a0d0d0a, words(0x1a2b3c4d, 1, 1<<32-1, 1<<32-1), nil, []option{{2, "gate"}, {3, "Linux 6.1"}, {4, "dropwatch 1"}}},
			{1, words(1, 65535), nil, []option{{2, "eth0"}, resolution}},
			{6, stamp(0, at, 43, 60), []byte(ethernet + datagram), comments},
			{1, words(101, 65535), nil, []option{{3, "no interface known"}, resolution}},
			{6, stamp(1, at.Add(time.Microsecond), 29, 29), []byte(datagram),
				[]option{
					{1, "dropped at blackhole_route (l3_drops) (hardware)"},
					{1, "cause: A blackhole route drops all packets to this destination."},
				}},
			{1, words(1, 65535), nil, []option{{2, "eth1"}, resolution}},
			{6, stamp(2, at, 43, 60), []byte(ethernet + datagram), comments},
			{1, words(147, 65535), nil, []option{{3, "ifindex 7, drops without bytes"}, resolution}},
			{6, stamp(3, at.Add(time.Second), 0, 0), []byte{}, []option{
				{1, "dropped at nf_hook_slow+0x4a: NETFILTER_DROP (software), not in packet mode"},
				{1, "cause: A firewall rule, a chain's policy or connection tracking dropped the packet."},
				{1, "stack: nf_hook_slow+0x4a < 0xffffffffc0ffee00"},
			}},
			{1, words(147, 65535), nil, []option{{3, "no interface known, drops without bytes"}, resolution}},
			{6, stamp(4, at, 0, 0), []byte{}, []option{{1, "7 packets dropped at 0xabc"}}},
			{6, stamp(0, at, 43, 60), []byte(ethernet + datagram), comments},
			{5, statistics(0), nil, []option{
				from, to, {4, u64(17)}, {5, u64(3)},
				{1,
					"drops on all interfaces: 17, of which 11 are in this file, 0 were harmless, 2 were filtered out, 0 could " +
						"not be decided, 1 are further fragments"},
				{1, "lost 3 drops: 3 at dropwatch's socket"},
				{1, "lost 1 summary at dropwatch's socket, with an unknown number of drops"},
				{8, u64(2)},
			}},
			{5, statistics(1), nil, []option{from, to, {8, u64(1)}}},
			{5, statistics(2), nil, []option{from, to, {8, u64(1)}}},
			{5, statistics(3), nil, []option{from, to, {8, u64(1)}}},
			{5, statistics(4), nil, []option{from, to, {8, u64(7)}}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestARunWithoutDropsStillTellsItsLoss(t *testing.T) {
	_, got := write(t, pcapng.Options{}, end(event.Ledger{Lost: event.Losses{event.InQueue: 9}}))
	if len(got) != 3 || got[1].Type != 1 || got[2].Type != 5 {
		t.Fatalf("blocks %v, want a section, an interface and its statistics", got)
	}
	if o := got[2].Options; o[3] != (option{5, u64(9)}) || o[len(o)-1] != (option{8, u64(0)}) {
		t.Errorf("options %v", o)
	}
	if got[0].Options != nil {
		t.Errorf("a file that tells nothing about itself has %v", got[0].Options)
	}
}

func TestSnapLen(t *testing.T) {
	long, short := udp("eth0"), udp("eth0")
	long.Packet.Len = 10 // less than there are
	short.Packet.Data = short.Packet.Data[:20]
	_, got := write(t, pcapng.Options{SnapLen: 21}, long, short)
	for i, want := range []string{(ethernet + datagram)[:21], (ethernet + datagram)[:20]} {
		if string(got[2+i].Data) != want {
			t.Errorf("packet %d is % x, want % x", i, got[2+i].Data, want)
		}
	}
	if n := binary.LittleEndian.Uint32(got[2].Fields[16:]); n != 43 {
		t.Errorf("length %d, want 43", n)
	}
}

// TestAnInterface is one as long as index, name and link type are the same.
func TestAnInterface(t *testing.T) {
	other := udp("eth0")
	other.Port.IfIndex = 3
	bare := udp("eth0")
	bare.Packet.Data = []byte{}
	_, got := write(t, pcapng.Options{}, udp("eth0"), other, bare, other, bare, udp("eth0"))
	var ids []uint32
	for _, k := range got {
		if k.Type == 6 {
			ids = append(ids, binary.LittleEndian.Uint32(k.Fields))
		}
	}
	if want := []uint32{0, 1, 2, 1, 2, 0}; !cmp.Equal(ids, want) {
		t.Errorf("interfaces %d, want %d", ids, want)
	}
}

// TestManyInterfaces is what a crafted recording has: memory stays bounded, and
// every drop is in the file.
func TestManyInterfaces(t *testing.T) {
	const known = 1 << 14
	var events []event.Event
	for n := range known + 100 {
		events = append(events, udp("veth"+strconv.Itoa(n)))
	}
	file, blocks := write(t, pcapng.Options{}, events...)
	interfaces, last := 0, uint32(0)
	for _, k := range blocks {
		switch k.Type {
		case 1:
			interfaces++
		case 6:
			last = binary.LittleEndian.Uint32(k.Fields)
		}
	}
	if interfaces != known+1 || last != known || !bytes.Contains(file, []byte("interfaces beyond the first 16384")) {
		t.Errorf("%d interfaces, the last drop on %d; want %d, the last for all others", interfaces, last, known+1)
	}
}

// TestComments of owners and of counts, and that all that is counted is summed.
func TestComments(t *testing.T) {
	owned := udp("eth0")
	owned.Owner = event.Owner{
		Socket:    &event.Socket{Family: 2, Receiver: true, Confidence: event.Certain},
		Process:   event.Process{PID: 812, Comm: "nginx", Confidence: event.Likely},
		Container: event.Container{Name: "we\x1bb"},
	}
	counted := func(n uint64) event.Event {
		e := owned
		e.Count, e.Individual, e.Aggregate, e.Packet = n, false, true, event.Packet{Proto: 0x800, HasProto: true}
		return e
	}
	_, got := write(t, pcapng.Options{}, owned, counted(9900), counted(1), end(event.Ledger{Shown: 9902}))
	const what = "at udp_rcv+0x9a2 [mod]: NO_SOCKET (software), to nginx/812? in we\\x1bb"
	want := []string{"dropped " + what, "9900 further drops, counted " + what, "1 further drop, counted " + what}
	var comments []string
	for _, k := range got {
		if k.Type == 6 {
			comments = append(comments, k.Options[0].Value)
		}
	}
	if !cmp.Equal(comments, want) {
		t.Errorf("comments %q, want %q", comments, want)
	}
	last := got[len(got)-1]
	if o := last.Options[len(last.Options)-1]; last.Type != 5 || o != (option{8, u64(9901)}) {
		t.Errorf("statistics of the counts are %v", last)
	}
}

// TestHarmless: the comment says that nothing was lost, and why.
func TestHarmless(t *testing.T) {
	e := udp("eth0")
	e.Harmless = "closed\x1b in order"
	_, got := write(t, pcapng.Options{}, e)
	const want = `dropped at udp_rcv+0x9a2 [mod]: NO_SOCKET (software), nothing lost: closed\x1b in order`
	if c := got[2].Options[0].Value; c != want {
		t.Errorf("comment %q, want %q", c, want)
	}
}

// TestNamespaces have interfaces of the same index and name.
func TestNamespaces(t *testing.T) {
	host, blue, other := udp("lo"), udp("lo"), udp("")
	host.Netns.Inode, blue.Netns, other.Netns.Inode = 4026531840, event.Netns{Inode: 7, Name: "bl\aue"}, 8
	_, got := write(t, pcapng.Options{}, host, blue, host, other)
	var descriptions []string
	for _, k := range got {
		if k.Type == 1 {
			descriptions = append(descriptions, k.Options[len(k.Options)-2].Value)
		}
	}
	if want := []string{"netns 4026531840", `netns bl\x07ue`, "ifindex 2, netns 8"}; !cmp.Equal(descriptions, want) {
		t.Errorf("interfaces %q, want %q", descriptions, want)
	}
}

// TestTextOfAnotherIsCleaned: names reach terminals by way of tshark.
func TestTextOfAnotherIsCleaned(t *testing.T) {
	e := udp("e\x1b]0;x\a")
	e.Reason, e.Where.Module = "R\x00\u202e", "m\xff"
	_, got := write(t, pcapng.Options{Host: "h\n"}, e)
	for what, s := range map[string][2]string{
		"host":      {got[0].Options[0].Value, `h\x0a`},
		"interface": {got[1].Options[0].Value, `e\x1b]0;x\x07`},
		"comment":   {got[2].Options[0].Value, `dropped at udp_rcv+0x9a2 [m\xff]: R\x00\xe2\x80\xae (software)`},
	} {
		if s[0] != s[1] {
			t.Errorf("%s is %q, want %q", what, s[0], s[1])
		}
	}
}

// TestALongTextIsCut at each byte of its last character.
func TestALongTextIsCut(t *testing.T) {
	for n := range 4 {
		e := udp("eth0")
		e.Where = event.Where{Trap: strings.Repeat("x", n) + strings.Repeat("€", 30_000)}
		_, got := write(t, pcapng.Options{}, e)
		text := got[2].Options[0].Value
		if len(text) > 65535 || len(text) < 65533 || !utf8.ValidString(text) {
			t.Errorf("%d bytes that end with %q", len(text), text[len(text)-4:])
		}
	}
}

// A full file takes no more than room bytes.
type fullFile struct {
	*os.File
	room int
}

func (f *fullFile) Write(b []byte) (int, error) {
	n, _ := f.File.Write(b[:min(f.room, len(b))])
	f.room -= n
	if n < len(b) {
		return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return n, nil
}

// fill writes two batches of two packets, and the end.
func fill(f *fullFile) (uint64, error) {
	s, err := pcapng.New(f, pcapng.Options{Name: "drops.pcapng"})
	if err != nil {
		return 0, err
	}
	for _, batch := range [][]event.Event{{udp("eth0"), udp("eth1")}, {udp("eth0"), udp("eth1")}, {end(event.Ledger{})}} {
		for _, e := range batch {
			if err := s.Write(&e); err != nil {
				return s.Packets(), err
			}
		}
		if err := s.Flush(); err != nil {
			return s.Packets(), err
		}
	}
	return s.Packets(), nil
}

// TestFullDisk has room for every number of bytes.
func TestFullDisk(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for room := 0; ; room++ {
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		packets, err := fill(&fullFile{f, room})
		b, _ := os.ReadFile(f.Name())
		blocks := read(t, b)
		var whole uint64
		for _, k := range blocks {
			if k.Type == 6 {
				whole++
			}
		}
		if packets != whole {
			t.Errorf("room %d: %d packets, and %d in the file", room, packets, whole)
		}
		if err == nil {
			if whole != 4 || len(b) > room {
				t.Errorf("%d packets in %d bytes of %d", whole, len(b), room)
			}
			return
		}
		if n := len(blocks); n > 0 && blocks[n-1].Type != 6 && blocks[n-1].Type != 0x0a0d0d0a {
			t.Errorf("room %d: ends with a block of type %d", room, blocks[n-1].Type)
		}
		want := fmt.Sprintf("write packets to drops.pcapng: no space left on device (%d packets were written whole)", whole)
		if !errors.Is(err, syscall.ENOSPC) || err.Error() != want {
			t.Fatalf("room %d: error %v, want %s", room, err, want)
		}
	}
}

func TestALargeBatchIsWrittenWithoutFlush(t *testing.T) {
	var b bytes.Buffer
	s, err := pcapng.New(&b, pcapng.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := udp("eth0")
	e.Packet.Data = make([]byte, 64<<10)
	for range 4 {
		if err := s.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() < 256<<10 || s.Packets() != 4 {
		t.Errorf("%d bytes and %d packets are out, want all 4 of 64 KiB", b.Len(), s.Packets())
	}
}
