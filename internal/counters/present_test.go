package counters_test

import (
	"slices"
	"testing"

	"dropwatch/internal/counters"
)

// TestPresent: sums leave out what is counted twice, levels are not added.
func TestPresent(t *testing.T) {
	counter := func(group counters.Group, ifname, object, name string, value uint64) counters.Counter {
		return counters.Counter{Key: counters.Key{Group: group, IfName: ifname, Object: object, Name: name}, Value: value}
	}
	root := counter(counters.Qdisc, "eth0", "mq 1:", "drops", 5)
	child := counter(counters.Qdisc, "eth0", "fq_codel 0:", "drops", 5)
	child.Part = true
	socket := counter(counters.Socket, "", "udp *:53", "drops", 7)
	socket.Part = true
	full := counter(counters.Socket, "", "udp *:53", "receive_buffer", 90)
	empty := counter(counters.Socket, "", "udp *:9", "receive_buffer", 2)
	full.Gauge, full.Limit, empty.Gauge, empty.Limit = true, 100, true, 100
	s := counters.Snapshot{Counters: []counters.Counter{
		counter(counters.Protocol, "", "", "UdpNoPorts", 12), counter(counters.Protocol, "", "", "UdpInErrors", 0),
		counter(counters.Interface, "lo", "", "rx_dropped", 0), counter(counters.Interface, "eth1", "", "rx_dropped", 1),
		counter(counters.Interface, "e\x1b", "", "rx_dropped", 4), root, child, socket, empty, full,
		counter(counters.Softnet, "", "cpu 0", "dropped", 1), counter(counters.Softnet, "", "cpu 1", "dropped", 2),
		counter(counters.Softnet, "", "cpu 2", "dropped", 3), counter(counters.Softnet, "", "cpu 3", "dropped", 4),
		counter(counters.Softnet, "", "cpu 4", "dropped", 5),
	}}
	ids := []string{
		"softnet.dropped", "UdpNoPorts", "UdpInErrors", "no.such", "interface.rx_dropped", "qdisc.drops",
		"socket.drops", "socket.receive_buffer",
	}
	var got []string
	for _, p := range s.Present(ids) {
		got = append(got, p.String())
	}
	want := []string{
		"softnet.dropped 15 (cpu 4 5, cpu 3 4, cpu 2 3, 2 more)", "UdpNoPorts 12", "UdpInErrors 0",
		`interface.rx_dropped 5 (e\x1b 4, eth1 1)`, "qdisc.drops 5 (eth0 mq 1: 5, eth0 fq_codel 0: 5)", "socket.drops 7 (udp *:53 7)",
		"socket.receive_buffer 90 (udp *:53 90 of 100, udp *:9 2 of 100)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	groups := []counters.Group{counters.Softnet, counters.Protocol, "no", counters.Interface, counters.Qdisc, counters.Socket}
	if got := counters.GroupsOf(ids); !slices.Equal(got, groups) {
		t.Errorf("groups %q, want %q", got, groups)
	}
}
