package owner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// bigTable is of n connections.
func bigTable(n int) string {
	var b strings.Builder
	b.WriteString(tcpHead)
	for i := range n {
		fmt.Fprintf(&b, "%4d: 010200C0:0050 %08X:%04X 01%s%d 1 0000000000000000 20 4 30 10 -1\n",
			i, 0x0a000000+i>>4, 1024+i&15, rest, 1000+i)
	}
	return b.String()
}

func BenchmarkStage(b *testing.B) {
	h := newFinder(host.New(tree(b, netFiles())))
	socket := *known(1).Owner.Socket
	for name, flow := range map[string]*event.Flow{"socket": nil, "flow": packetOf("192.0.2.9", 6000, "192.0.2.1", 22, tcp)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e := event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
				if e.Packet.Flow = flow; flow == nil {
					e.Owner.Socket = &socket
				}
				h.fill(&e, time.Now())
			}
		})
	}
}

// BenchmarkStageNewSockets has nothing but sockets and flows that were never met.
func BenchmarkStageNewSockets(b *testing.B) {
	h, longest := newFinder(host.New("/")), time.Duration(0)
	flow := packetOf("192.0.2.9", 6000, "192.0.2.1", 22, tcp)
	for i := uint64(1); b.Loop(); i++ {
		e := event.Event{Count: 1, Netns: event.Netns{Inode: host.InitialNetns}}
		if flow.SrcPort++; i%2 == 0 {
			e = *known(i << 32)
		}
		e.Packet.Flow = flow
		began := time.Now()
		h.fill(&e, began)
		longest = max(longest, time.Since(began))
	}
	b.ReportMetric(float64(longest.Microseconds())/1e3, "ms-longest")
}

func BenchmarkReadTable(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		h := host.New(tree(b, map[string]string{"proc/1/net/tcp": bigTable(n)}))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				readTable(h, 1, tcp)
			}
		})
	}
}

// BenchmarkStageManySockets has an event a second of each of 20,000 sockets of a process, which are read once.
func BenchmarkStageManySockets(b *testing.B) {
	const n, every, all = 20_000, 50 * time.Microsecond, 9 * time.Second
	h := newFinder(host.New(tree(b, hostFiles())))
	h.holders.read = func() map[uint64]holder {
		holders := make(map[uint64]holder)
		for i := range uint64(n) {
			holders[1000+i] = holder{pid: 30}
		}
		return holders
	}
	sockets := make([]event.Socket, n)
	for i := range sockets {
		sockets[i] = *known(1000 + uint64(i)).Owner.Socket
	}
	began := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := event.Event{Count: 1}
		e.Owner.Socket = &sockets[i*7919%n]
		h.fill(&e, began.Add(time.Duration(i)*every%all))
	}
}
