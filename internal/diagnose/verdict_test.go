package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestTooShort: of less than a second there are no rates, and nothing seen says nothing.
func TestTooShort(t *testing.T) {
	for interval, want := range map[time.Duration]struct{ nothing, rate string }{
		10 * time.Millisecond: {"no drop that matters was seen, but 10ms is too short to say more", ""},
		time.Second:           {"this host drops nothing that matters", ", 1.0/s,"},
	} {
		r := report("UdpNoPorts", 0)
		r.Interval = interval
		if got := diagnose.New(collect(t), r, nil).Verdict(); got != want.nothing {
			t.Errorf("nothing in %v: %s", interval, got)
		}
		text := textOf(t, diagnose.New(collect(t, udp("SOCKET_RCVBUFF", 40001)), r, nil))
		if !strings.Contains(text, "1. SOCKET_RCVBUFF  1 drop"+want.rate) || strings.Contains(text, "/s") != (want.rate != "") {
			t.Errorf("a drop in %v: %s", interval, text)
		}
	}
	lldp := &event.Event{Kind: event.Drop, Count: 3, Reason: "UNHANDLED_PROTO", Packet: event.Packet{Proto: 0x88cc, HasProto: true}}
	if got := diagnose.New(collect(t, lldp), new(counters.Report), nil).Verdict(); got != "this host drops nothing that matters" {
		t.Errorf("a recording without counters, in which the drops are at one time: %s", got)
	}
}

// TestVerdictNamesTheWorst: the last line of a report has the first finding, as far as that fits.
func TestVerdictNamesTheWorst(t *testing.T) {
	other := udp("NO_SOCKET", 40001)
	long := udp("SOCKET_RCVBUFF", 40001)
	long.Netns.Name = "cni-4b1d5a3c-7e2f-4d0b-9f6a-0c8e1d2b3a4f"
	for want, drops := range map[string][]*event.Event{
		"verdict: this host loses packets: see 1 (SOCKET_RCVBUFF, interface lo, blue)":    {udp("SOCKET_RCVBUFF", 40001)},
		"verdict: packets are dropped that may matter: see 1 (NO_SOCKET, blue)":           {other},
		"verdict: this host loses packets: see 1 (SOCKET_RCVBUFF)":                        {long},
		"verdict: this host loses packets: see 1 (SKB_UCOPY_FAULT, blue); perhaps also 2": {other, udp("SKB_UCOPY_FAULT", 40001)},
		"verdict: this host drops nothing that matters":                                   nil,
	} {
		text := textOf(t, diagnose.New(collect(t, drops...), report("UdpNoPorts", 0), nil))
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if got := lines[len(lines)-1]; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
