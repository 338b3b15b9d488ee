package session_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// typical events: what the sources give on a host that drops at a few places.
func typical(kind string, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		pc := 0xffffffff81000000 + uint64(i%7)*0x1234
		e := &events[i]
		*e = event.Event{
			Time: started.Add(time.Duration(i) * 37 * time.Microsecond), KernelTime: true, Count: 1, Individual: true,
			Where: event.Where{
				Frame: event.Frame{PC: pc, Lookup: event.Found, Symbol: fmt.Sprintf("function_%d", i%7), Offset: 0x1a2},
				HasPC: true,
			},
			Reason: []string{"NO_SOCKET", "NETFILTER_DROP", "TCP_INVALID_SEQUENCE"}[i%3],
			Packet: event.Packet{Proto: 0x0800, HasProto: true},
		}
		switch kind {
		case "packet":
			e.Packet.Data, e.Packet.HasData = make([]byte, 74), true
			e.Packet.Len, e.Packet.HasLen = 74, true
			e.Port = event.Port{IfIndex: 2, IfName: "eth0"}
		case "stack":
			e.Stack = append(e.Stack, e.Where.Frame)
			for j := range uint64(19) {
				e.Stack = append(e.Stack, event.Frame{PC: pc + j*0x777, Lookup: event.Found, Symbol: fmt.Sprintf("caller_%d_%d", i%7, j)})
			}
			fallthrough
		default:
			e.Task = event.Task{Known: true, CPU: uint32(i % 4), PID: 1234, TID: 1240, Comm: "ksoftirqd/0"}
		}
	}
	return events
}

var kinds = []string{"trace", "packet", "stack"}

func BenchmarkWrite(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			events := typical(kind, 1024)
			w, err := session.NewWriter(io.Discard, "x", header)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := w.Write(&events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	const n = 1 << 16
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			file, _ := record(b, typical(kind, n))
			b.ReportAllocs()
			for b.Loop() {
				r, err := session.Open(bytes.NewReader(file), "x")
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Run(b.Context(), discard{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
			b.ReportMetric(float64(len(file))/n, "B/event")
		})
	}
}

// discard is an output that keeps nothing.
type discard struct{}

func (discard) Emit(*event.Event) {}
func (discard) Flush()            {}

// typicalCounters are those of a host with so many network namespaces, each with protocols,
// interfaces and sockets.
func typicalCounters(namespaces int) (all []counters.Counter) {
	for n := range namespaces {
		netns := event.Netns{Inode: 4026531840 + uint32(n), Name: fmt.Sprintf("netns-%d", n)}
		add := func(c counters.Counter) {
			c.Netns, c.Bits = netns, 64
			all = append(all, c)
		}
		for i := range 10 {
			for j := range 25 {
				key := counters.Key{Group: counters.Interface, IfName: fmt.Sprintf("veth%d", i), Name: fmt.Sprintf("rx_errors_%d", j)}
				add(counters.Counter{Key: key, Value: uint64(i * j)})
			}
		}
		for i := range 350 {
			key := counters.Key{Group: counters.Protocol, Name: fmt.Sprintf("TcpExtCounter%d", i)}
			add(counters.Counter{Key: key, Value: uint64(i % 7)})
		}
		for i := range 20 {
			inode := 1_000_000 + 20*n + i
			key := counters.Key{Group: counters.Socket, Object: fmt.Sprintf("udp 10.0.0.%d:53 inode %d", i, inode), Name: "drops"}
			add(counters.Counter{Key: key, Value: uint64(i), Inode: uint64(inode), Part: true, Sparse: true, Sharing: 1})
		}
	}
	return all
}

// TestSnapshotSize bounds what a file grows by for a snapshot: for each counter at first, and
// then for each that changed.
func TestSnapshotSize(t *testing.T) {
	const every = 100
	all := typicalCounters(50)
	var file bytes.Buffer
	w := hostWriter(t, &file)
	snapshot := func(at int) (size int) {
		before := file.Len()
		write(t, w.WriteCounters(&counters.Snapshot{Time: started.Add(time.Duration(at) * time.Second), Counters: all}))
		write(t, w.Flush())
		return file.Len() - before
	}
	if each := float64(snapshot(0)) / float64(len(all)); each > 7 {
		t.Errorf("%.1f bytes a counter at first, want 7", each)
	}
	if size := snapshot(1); size > 40 {
		t.Errorf("%d bytes where nothing changed, want 40", size)
	}
	for i := 0; i < len(all); i += every {
		all[i].Value += 1000
	}
	if each := float64(snapshot(2)) / float64(len(all)/every); each > 4 {
		t.Errorf("%.1f bytes a counter that changed, want 4", each)
	}
}

func BenchmarkWriteCounters(b *testing.B) {
	s := counters.Snapshot{Counters: typicalCounters(50)}
	w := hostWriter(b, io.Discard)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Counters[i%len(s.Counters)].Value++
		write(b, w.WriteCounters(&s))
	}
	b.ReportMetric(float64(len(s.Counters)), "counters")
}
