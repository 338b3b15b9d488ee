package diagnose_test

import (
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestFullQueues: the discipline whose drops rose is named with its limits, and its fix is for its
// kind: no other one takes the place of a shaper.
func TestFullQueues(t *testing.T) {
	qdisc := func(object, about string, drops uint64) counters.Counter {
		c := of(counters.Qdisc, "eth0", "dropped", drops)
		c.Object, c.About, c.Part = object, about, strings.Contains(object, "parent")
		return c
	}
	const tbf, htb = "rate 1Mbit burst 3000b limit 6000b", "rate 1Mbit ceil 2Mbit"
	for _, test := range []struct {
		name, reason string
		qdiscs       []counters.Counter
		want, not    string
	}{
		{
			"a shaper", "QDISC_DROP", []counters.Counter{qdisc("tbf 8001:", tbf, 5)},
			"about     qdisc tbf 8001: root of eth0: drops +5, rate 1Mbit", "fq_codel",
		},
		{
			"its fix", "QDISC_DROP", []counters.Counter{qdisc("tbf 8001:", tbf, 5)},
			"tc qdisc change dev eth0 root handle 8001: tbf " + tbf + "\n", "fq_codel",
		},
		{
			"below one", "QDISC_DROP", []counters.Counter{qdisc("tbf 1:", tbf, 5), qdisc("pfifo 2: parent 1:1", "limit 3p", 5)},
			"tc qdisc change dev eth0 parent 1:1 handle 2: pfifo limit 3\n", "root handle",
		},
		{"beside one without drops", "QDISC_OVERLIMIT", []counters.Counter{
			qdisc("mq 1:", "", 5), qdisc("fq 2: parent 1:1", "limit 10000p flow_limit 100p", 5), qdisc("fq 3: parent 1:2", "limit 1p", 0),
		}, "eth0 parent 1:1 handle 2: fq limit 10000 flow_limit 100\n", "3: parent"},
		{
			"a class", "QDISC_DROP", []counters.Counter{
				qdisc("htb 1:", "", 5), qdisc("fq 2: parent 1:10", "limit 9p", 5), qdisc("class htb 1:10 parent 1:1", htb, 5),
			},
			"class htb 1:10 parent 1:1 of eth0: drops +5, " + htb + "\n", "tc qdisc change",
		},
		{
			"its rate", "QDISC_DROP", []counters.Counter{qdisc("htb 1:", "", 5), qdisc("class htb 1:10 parent 1:1", htb, 5)},
			"tc class change dev eth0 parent 1:1 classid 1:10 htb " + htb + "\n", "qdisc change",
		},
		{
			"a shaper whose classes are not known", "QDISC_DROP", []counters.Counter{qdisc("htb 1:", "", 5)},
			"ceiling of the class.\n", "tc class change dev",
		},
		{
			"the kernel's own", "QDISC_DROP", []counters.Counter{qdisc("pfifo_fast 0:", "", 5)},
			"ip link set dev eth0 txqueuelen N\n", "tc qdisc change",
		},
		{
			"no handle", "QDISC_DROP", []counters.Counter{qdisc("fq_codel 0:", "limit 1000p", 5)},
			"A higher limit", "tc qdisc change",
		},
		{
			"an unknown kind", "QDISC_DROP", []counters.Counter{qdisc("new 1:", "", 5)},
			"qdisc new 1: root of eth0: drops +5\n", "tc qdisc change",
		},
		{
			"another reason", "QDISC_CONGESTED", []counters.Counter{qdisc("fq_codel 1:", "limit 9p", 5)},
			"drops +5, limit 9p\n", "tc qdisc change dev eth0 root handle",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := udp(test.reason, 40001)
			e.Count, e.Segments, e.Port = 5, 5, event.Port{IfName: "eth0"}
			text := textOf(t, diagnose.New(collect(t, e), rose(test.qdiscs...), nil))
			if !strings.Contains(text, test.want) || strings.Contains(text, test.not) {
				t.Errorf("%q is missing, or %q is there, in\n%s", test.want, test.not, text)
			}
		})
	}
}
