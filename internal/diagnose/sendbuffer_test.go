package diagnose_test

import (
	"errors"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
)

// TestSendBuffer: a datagram that could not be sent found the send buffer full, unless a queue of an interface in the network
// namespace may have been.
func TestSendBuffer(t *testing.T) {
	elsewhere := of(counters.Qdisc, "eth0", "dropped", 5)
	elsewhere.Netns.Inode++
	for name, test := range map[string]struct {
		rose   []counters.Counter
		failed counters.Group
		want   string
	}{
		"alone":                    {nil, "", "the send buffer of its socket was full"},
		"a full queue elsewhere":   {[]counters.Counter{elsewhere}, "", "the send buffer of its socket was full"},
		"a full queue":             {[]counters.Counter{of(counters.Qdisc, "eth0", "dropped", 5)}, "", "or the queue of the interface"},
		"queues that are not read": {nil, counters.Qdisc, "or the queue of the interface"},
	} {
		for _, id := range []string{"UdpSndbufErrors", "Udp6SndbufErrors"} {
			report := rose(append(test.rose, of(counters.Protocol, "", id, 9))...)
			if test.failed != "" {
				report.Failures = []counters.Failure{{Netns: blue, Group: test.failed, Err: errors.New("permission denied")}}
			}
			d := diagnose.New(collect(t), report, nil)
			var got string
			for _, f := range d.Findings {
				if f.ID == id {
					got = f.Meaning.Cause
				}
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("%s, %s: %q", name, id, got)
			}
		}
	}
}
