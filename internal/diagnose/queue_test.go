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

// TestBurst: tbf drops packets that are longer than its burst, whatever its queue holds: which of the two it was, their
// lengths show, also those of the segments of a large packet.
func TestBurst(t *testing.T) {
	const small, full, either = "however empty", "Its burst is large enough", "Or its burst is less"
	row := of(counters.Qdisc, "eth0", "dropped", 0)
	row.Object, row.About = "tbf 8001:", "rate 10Mbit burst 1500b limit 63500b"
	for name, test := range map[string]struct {
		lengths  []uint32
		payload  uint32 // of TCP
		segments uint64
		want     string
	}{
		"longer":                {[]uint32{1514, 9014}, 0, 1, small},
		"shorter":               {[]uint32{1500, 60}, 0, 1, full},
		"both":                  {[]uint32{1514, 60}, 0, 1, either},
		"not known":             {[]uint32{0}, 0, 1, either},
		"large of long ones":    {[]uint32{66 + 20*1448}, 20 * 1448, 20, small},
		"large of short ones":   {[]uint32{66 + 20*1400}, 20 * 1400, 20, full},
		"large, not known what": {[]uint32{29000}, 0, 20, either},
	} {
		var all []*event.Event
		for _, n := range test.lengths {
			e := udp("QDISC_DROP", 40001)
			e.Count, e.Segments, e.Port = 1, test.segments, event.Port{IfName: "eth0"}
			e.Packet.Len, e.Packet.HasLen = n, n > 0
			if test.payload > 0 {
				e.Packet.Flow.TCPLen = test.payload
			}
			all = append(all, e)
		}
		row.Value = uint64(len(all))
		f := diagnose.New(collect(t, all...), rose(row), nil).Findings[0]
		if !strings.Contains(f.Meaning.Cause, test.want) {
			t.Errorf("%s: %s", name, f.Meaning.Cause)
		}
		fix := strings.Join(f.Meaning.Apply, " ")
		if enough := strings.Contains(fix, "burst 18028b") || strings.Contains(fix, "burst 3028b"); enough != (test.want == small) {
			t.Errorf("%s: %s", name, fix)
		}
	}
}
