package tcplog_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/tcplog"
)

var at = time.Date(2026, 11, 27, 12, 34, 56, 789e6, time.Local)

// segment returns a retransmission that this host sent.
func segment(change func(*event.Event)) *event.Event {
	f := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7"), SrcPort: 443, DstPort: 50123,
	})
	e := &event.Event{Kind: event.Retransmit, Time: at, Count: 1}
	e.Packet.Flow, e.Owner.Process = &f, event.Process{PID: 812, Comm: "nginx"}
	e.Segment = &event.Segment{Type: event.TimeoutRetrans, Direction: event.Outgoing, State: 1}
	if change != nil {
		change(e)
	}
	return e
}

// events are those of the tests, with what is written of them.
var events = []struct {
	e                    *event.Event
	tcptracer, pcapgazer string
}{
	{
		segment(nil), "192.0.2.1:443 tcp_retransmit_skb 198.51.100.7:50123 nginx ESTABLISHED",
		"retransmit 192.0.2.1:443 198.51.100.7:50123",
	},
	{
		segment(func(e *event.Event) {
			e.Packet.Flow.Src, e.Packet.Flow.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::2%eth0")
			e.Segment.Type, e.Segment.State, e.Owner = event.TailLossProbe, 4, event.Owner{}
			e.Task = event.Task{Known: true, Comm: "a b\x1b"}
		}),
		`[2001:db8::1]:443 tcp_send_loss_probe [fe80::2]:50123 a\x20b\x1b FIN_WAIT1`, "retransmit [2001:db8::1]:443 [fe80::2]:50123",
	},
	{
		segment(func(e *event.Event) { e.Segment.Direction, e.Segment.State, e.Owner = event.Incoming, 0, event.Owner{} }),
		"198.51.100.7:50123 tcp_retransmit_skb 192.0.2.1:443 - CLOSED", "retransmit 192.0.2.1:443 198.51.100.7:50123",
	},
	{segment(func(e *event.Event) { e.Kind = event.Drop }), "", ""},
	{segment(func(e *event.Event) { e.Packet.Flow = nil }), "", ""},
	{segment(func(e *event.Event) { e.Packet.Flow.Fields = event.FieldSrc }), "", ""},
	{&event.Event{Kind: event.End, Ledger: new(event.Ledger)}, "", ""},
}

func TestLines(t *testing.T) {
	for _, style := range []tcplog.Style{tcplog.Tcptracer, tcplog.Pcapgazer} {
		var got bytes.Buffer
		want := ""
		s := tcplog.New(&got, style)
		for _, tt := range events {
			if err := s.Write(tt.e); err != nil {
				t.Fatal(err)
			}
			line := map[tcplog.Style]string{tcplog.Tcptracer: tt.tcptracer, tcplog.Pcapgazer: tt.pcapgazer}[style]
			if line != "" {
				want += "2026-11-27 12:34:56 " + line + "\n"
			}
		}
		if err := s.Flush(); err != nil || got.String() != want {
			t.Errorf("error %v, got\n%swant\n%s", err, &got, want)
		}
	}
}

func TestObjects(t *testing.T) {
	utc := segment(func(e *event.Event) { e.Time = time.UnixMilli(1795782896789) })
	for style, want := range map[tcplog.Style]string{
		tcplog.Tcptracer: `{"@timestamp":1795782896789,"local_ip":"192.0.2.1","local_port":443,"peer_ip":"198.51.100.7",` +
			`"peer_port":50123,"syscall":"tcp_retransmit_skb","task":"nginx","state":"ESTABLISHED","hostname":"router"}`,
		tcplog.Pcapgazer: `{"@timestamp":1795782896000,"src_ip":"192.0.2.1","src_port":443,"dest_ip":"198.51.100.7",` +
			`"dest_port":50123,"hostname":"router"}`,
	} {
		if got := string(style.Object(utc, "router.example.org")); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := style.Object(&event.Event{Kind: event.Drop}, "router"); got != nil {
			t.Errorf("a drop is %s", got)
		}
	}
}

func TestSet(t *testing.T) {
	var s tcplog.Style
	if err := s.Set("pcapgazer"); err != nil || s != tcplog.Pcapgazer || s.Index() != "pcap" {
		t.Errorf("%v, error %v", s, err)
	}
	if err := s.Set("text"); err == nil || err.Error() != "give tcptracer or pcapgazer" {
		t.Errorf("error %v", err)
	}
}
