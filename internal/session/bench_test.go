package session_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

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
			Time: started.Add(time.Duration(i) * 37 * time.Microsecond), Stamped: true, Count: 1, Single: true,
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

func (discard) Emit(*event.Event) error { return nil }
func (discard) Flush() error            { return nil }
