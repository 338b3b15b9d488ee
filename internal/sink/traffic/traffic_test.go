package traffic_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/retrans"
	"dropwatch/internal/sink/traffic"
)

// sent returns a report of segments of 1000 bytes from so many hosts to one, each sent twice.
func sent(hosts int) *retrans.Report {
	a := retrans.New(hosts, nil)
	for i := range hosts {
		h := event.Headers{
			Src: netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), Dst: netip.MustParseAddr("192.0.2.1"), SrcPort: 1, DstPort: 2,
			TCPFlags: event.ACK, Window: 1,
		}
		for range 2 {
			a.Add(&retrans.Segment{Headers: &h, Len: 1000}, time.Unix(1, 0))
		}
	}
	return &retrans.Report{
		Packets: 3, Bytes: 1234567, Unanalyzed: 1, Span: 1500 * time.Millisecond, Traffic: a.Traffic(),
	}
}

// printed returns what a sink prints of a report.
func printed(t *testing.T, r *retrans.Report, l event.Ledger, o traffic.Options) string {
	t.Helper()
	var b bytes.Buffer
	s := traffic.New(&b, func() *retrans.Report { return r }, o)
	for _, e := range []*event.Event{{Kind: event.Retransmit}, {Kind: event.End, Ledger: &l}} {
		if err := s.Write(e); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestTable(t *testing.T) {
	l := event.Ledger{TCP: event.TCPCounts{Rejected: 2}}
	l.Lost[event.Evicted] = 7
	want := `3 packets, 1.2 MB in 1.5s: 2 segments of TCP, 1 resent (50.00 %)
  resent      %  segments  payload  reordered  resets  direction
       1  50.00         2   2.0 kB          0       0  198.51.100.0 > 192.0.2.1
types: 1 retransmission
1 segment not analyzed: fragments, or cut within the TCP header
2 events filtered
forgot 7 connections to save memory: of what followed in them, some may be missing (raise --max-flows)
`
	if got := printed(t, sent(1), l, traffic.Options{}); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestManyDirections adds up those that the table has no row for.
func TestManyDirections(t *testing.T) {
	got := printed(t, sent(30), event.Ledger{}, traffic.Options{Bold: true})
	lines := strings.Split(got, "\n")
	if len(lines) != 26 || !strings.HasPrefix(lines[0], "\x1b[1m3 packets") || !strings.HasSuffix(lines[0], "\x1b[0m") {
		t.Errorf("%d lines, head %q", len(lines), lines[0])
	}
	if want := "      10  50.00        20  20.0 kB          0       0  10 other directions"; lines[22] != want {
		t.Errorf("%q, want %q", lines[22], want)
	}
}

// TestNothingRead prints nothing: no file could be read.
func TestNothingRead(t *testing.T) {
	if got := printed(t, new(retrans.Report), event.Ledger{}, traffic.Options{}); got != "" {
		t.Errorf("%q, want nothing", got)
	}
}

func TestNoTraffic(t *testing.T) {
	for name, r := range map[string]*retrans.Report{
		"0 packets, 0 B in 0s: 0 segments of TCP, 0 resent (0.00 %)\n": {Files: 1},
		"  resent     %  segments  payload  reordered  resets  direction\n" +
			"       0  0.00         0      0 B          0       0  between further addresses\n": {
			Files: 1, Traffic: []*retrans.Traffic{{}},
		},
	} {
		if got := printed(t, r, event.Ledger{}, traffic.Options{}); !strings.HasSuffix(got, name) {
			t.Errorf("%q, want %q", got, fmt.Sprint(name))
		}
	}
}
