package text_test

import (
	"compress/gzip"
	"io"
	"os"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/text"
	"dropwatch/internal/stage/resolve"
	"dropwatch/kallsyms"
	"dropwatch/netlink"
)

// The kernels of the alert and of the symbols had different addresses, as any
// two boots have: the difference is what __udp4_lib_rcv is moved by.
const slide = 0xffffffff87a84b72 - (0xffffffff82046a90 + 0x9a2)

// packetAlert returns the work that one packet alert makes: decode, resolve,
// format. The event is filled as the source does it.
func packetAlert(tb testing.TB) func() {
	tb.Helper()
	msg, err := os.ReadFile("../../../testdata/dwdump/packet.msg")
	if err != nil {
		tb.Fatal(err)
	}
	table := symbols(tb)
	stage := resolve.Symbols(resolve.Options{Named: true, Demangle: true, Lookup: func(pc uint64) (kallsyms.Symbol, bool) {
		return table.Lookup(pc - slide)
	}})
	sink := text.New(io.Discard)
	var d netlink.Decoder
	var a netlink.Alert
	var e event.Event
	return func() {
		if err := d.Decode(msg, &a); err != nil {
			tb.Fatal(err)
		}
		e = event.Event{
			Count: 1, Individual: true, Time: time.Unix(0, int64(a.Timestamp)), KernelTime: true,
			Where:  event.Where{Frame: event.Frame{PC: a.PC}, HasPC: true, Kernel: a.Symbol},
			Packet: event.Packet{Proto: a.Proto, HasProto: true, Data: a.Payload, HasData: true, Len: a.OrigLen, HasLen: true},
			Port:   event.Port{IfIndex: a.Port.IfIndex}, Reason: a.Reason,
		}
		if !stage(&e) || e.Where.Symbol != "__udp4_lib_rcv" || e.Where.Offset != 0x9a2 {
			tb.Fatalf("resolved to %+v", e.Where)
		}
		if err := sink.Write(&e); err != nil {
			tb.Fatal(err)
		}
	}
}

func symbols(tb testing.TB) *kallsyms.Table {
	tb.Helper()
	f, err := os.Open("../../../testdata/kallsyms/vmlinux.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	t, err := kallsyms.Parse(r)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func BenchmarkPacketAlert(b *testing.B) {
	alert := packetAlert(b)
	b.ReportAllocs()
	for b.Loop() {
		alert()
	}
}

func TestPacketAlertAllocations(t *testing.T) {
	if n := testing.AllocsPerRun(1000, packetAlert(t)); n > 2 {
		t.Errorf("%v allocations for an alert, want at most 2", n)
	}
}
