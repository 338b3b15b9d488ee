package diagnose_test

import (
	"fmt"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestNoiseByKind: noise of several places is one, and the place is said of what has only one.
func TestNoiseByKind(t *testing.T) {
	lldp := func(ifname string, netns uint32, count uint64) *event.Event {
		return &event.Event{
			Kind: event.Drop, Count: count, Reason: "UNHANDLED_PROTO", Netns: event.Netns{Inode: netns, Name: fmt.Sprint("n", netns)},
			Port: event.Port{IfName: ifname}, Packet: event.Packet{Proto: 0x88cc, HasProto: true},
		}
	}
	const what = "protocol nobody reads, ethertype 0x88cc"
	for want, drops := range map[string][]*event.Event{
		"noise: UNHANDLED_PROTO 3 (" + what + ", interface eth0, network namespace n1)\n": {lldp("eth0", 1, 3)},
		"noise: UNHANDLED_PROTO 6 (" + what + ", 2 interfaces)\n":                         {lldp("eth0", 1, 3), lldp("eth0", 2, 3)},
		"noise: UNHANDLED_PROTO 4 (" + what + ", 2 network namespaces)\n":                 {lldp("eth0", 1, 3), lldp("", 2, 1)},
		"noise: UNHANDLED_PROTO 5 (" + what + ", 5 network namespaces)\n": {
			lldp("", 1, 1), lldp("", 2, 1), lldp("", 3, 1), lldp("", 4, 1), lldp("", 5, 1),
		},
	} {
		text := textOf(t, diagnose.New(collect(t, drops...), new(counters.Report), nil))
		noise, _, _ := strings.Cut(text, "verdict: ")
		if got := strings.ReplaceAll(noise, "\n   ", " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
