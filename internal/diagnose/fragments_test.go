package diagnose_test

import (
	"errors"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestFragments: fragments that were not stored overlap others if the counter of that rose by as many, and of IPv6 if the
// memory for them was not full all the time; they found no memory if it is full. Otherwise both remain possible.
func TestFragments(t *testing.T) {
	const overlap, noRoom, either = "overlaps another one of its packet, so", "memory for reassembly is full: ", ", or the memory"
	const contradicts = "contradicts another one"
	memory := func(family string, used uint64) counters.Counter {
		c := of(counters.Fragment, "", "memory", used)
		c.Object, c.Gauge, c.Limit = family, true, 1000
		return c
	}
	for name, test := range map[string]struct {
		function string
		rose     map[string]uint64
		memory   counters.Counter
		failed   bool // to read the memory
		want     string
	}{
		"overlap":                  {"ip_defrag", map[string]uint64{"IpExtReasmOverlaps": 5}, memory("ipv4", 0), false, overlap},
		"overlap, and memory full": {"ip_defrag", map[string]uint64{"IpExtReasmOverlaps": 5}, memory("ipv4", 2000), false, overlap},
		"memory full":              {"ip_defrag", nil, memory("ipv4", 2000), false, noRoom},
		"memory of IPv6 full":      {"ip_defrag", nil, memory("ipv6", 2000), false, either},
		"some overlap":             {"ip_defrag", map[string]uint64{"IpExtReasmOverlaps": 3}, memory("ipv4", 900), false, either},
		"of IPv6":                  {"ipv6_frag_rcv", map[string]uint64{"Ip6ReasmFails": 5}, memory("ipv6", 900), false, contradicts},
		"of IPv6, memory full":     {"ipv6_frag_rcv", map[string]uint64{"Ip6ReasmFails": 5}, memory("ipv6", 1001), false, noRoom},
		"of IPv6, freed": {
			"ipv6_frag_rcv", map[string]uint64{"Ip6ReasmFails": 5, "Ip6ReasmOKs": 1}, memory("ipv6", 900), false, either,
		},
		"of IPv6, not read": {"ipv6_frag_rcv", map[string]uint64{"Ip6ReasmFails": 5}, memory("ipv6", 900), true, either},
		"without counters":  {"ipv6_frag_rcv", nil, memory("ipv6", 0), false, either},
	} {
		drop := at(test.function, "lo", 5)
		if test.function == "ipv6_frag_rcv" {
			drop.Packet = event.Packet{Proto: event.EtherIPv6, HasProto: true}
		}
		rows := []counters.Counter{test.memory}
		for id, n := range test.rose {
			rows = append(rows, of(counters.Protocol, "", id, n))
		}
		report := rose(rows...)
		if test.failed {
			report.Failures = []counters.Failure{{Netns: blue, Group: counters.Fragment, Err: errors.New("permission denied")}}
		}
		if got := diagnose.New(collect(t, drop), report, nil).Findings[0].Meaning.Cause; !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
