package diagnose_test

import (
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestNamespacesDiffer: what differs in the network namespace alone shows which it is.
func TestNamespacesDiffer(t *testing.T) {
	one, two := udp("NO_SOCKET", 40001), udp("NO_SOCKET", 40001)
	one.Netns, two.Netns = event.Netns{Inode: 8}, event.Netns{Inode: 9}
	text := textOf(t, diagnose.New(collect(t, one, two), new(counters.Report), nil))
	for _, want := range []string{"network namespace 8\n", "network namespace 9\n", "# PID: of a process"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// TestUnexplained: a counter that no drop explains says whose it is.
func TestUnexplained(t *testing.T) {
	c := counters.Counter{Key: counters.Key{Netns: blue, Group: counters.Interface, IfName: "eth0", Name: "tx_dropped"}, Value: 4, Bits: 64}
	before := c
	before.Value = 0
	r := counters.NewReport(
		&counters.Snapshot{Counters: []counters.Counter{before}}, &counters.Snapshot{Counters: []counters.Counter{c}})
	const want = "unexplained: interface.tx_dropped on eth0 in network namespace blue rose by 4,\n   which no drop shows: "
	if text := textOf(t, diagnose.New(collect(t), r, nil)); !strings.Contains(text, want) {
		t.Errorf("%q is missing in\n%s", want, text)
	}
}
