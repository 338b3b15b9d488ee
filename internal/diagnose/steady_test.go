package diagnose_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestSteady: a loss that goes on at the same rate is not repaired by more room, and that is not offered.
func TestSteady(t *testing.T) {
	const faster = "Make the program read faster (more threads"
	for name, test := range map[string]struct {
		seconds map[int]uint64 // drops in each
		reason  string
		steady  bool
	}{
		"steady":             {map[int]uint64{0: 9, 1: 10, 2: 11, 3: 10, 4: 9, 5: 10, 6: 12, 7: 10, 8: 9, 9: 10}, "SOCKET_RCVBUFF", true},
		"from its second on": {map[int]uint64{1: 10, 2: 11, 3: 10, 4: 9, 5: 10, 6: 12, 7: 10, 8: 9, 9: 10}, "SOCKET_RCVBUFF", true},
		"in half of it":      {map[int]uint64{5: 10, 6: 12, 7: 10, 8: 9, 9: 10}, "SOCKET_RCVBUFF", false},
		"a burst":            {map[int]uint64{4: 1000}, "SOCKET_RCVBUFF", false},
		"bursts in between":  {map[int]uint64{0: 1, 1: 1, 2: 90, 3: 1, 4: 1, 5: 1, 6: 80, 7: 1, 8: 1, 9: 1}, "SOCKET_RCVBUFF", false},
		"of a rule":          {map[int]uint64{0: 9, 1: 10, 2: 11, 3: 10, 4: 9, 5: 10, 6: 12, 7: 10, 8: 9, 9: 10}, "NETFILTER_DROP", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := diagnose.New(collect(t, inSeconds(test.seconds, test.reason)...), report("UdpRcvbufErrors", 0), nil)
			d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{
				"setting 7 net.core.rmem_max lo": json.RawMessage(`{"name":"net.core.rmem_max","value":"212992"}`),
			}))
			f, text := &d.Findings[0], strings.Join(strings.Fields(textOf(t, d)), " ")
			says := strings.Contains(text, "pattern steady, at most ") && strings.Contains(text, faster)
			if f.Steady != test.steady || says != test.steady {
				t.Errorf("steady: %t, said: %t, want %t:\n%s", f.Steady, says, test.steady, text)
			}
			buffer := strings.Contains(text, "rmem_max=N") || strings.Contains(text, "Raise it")
			if test.steady && (buffer || !strings.Contains(text, "rmem_max = 212992 does not help: the loss is steady")) {
				t.Errorf("a larger buffer is offered:\n%s", text)
			}
		})
	}
	short := report("UdpRcvbufErrors", 0)
	short.Interval = 4 * time.Second
	few := inSeconds(map[int]uint64{0: 9, 1: 9, 2: 9, 3: 9}, "SOCKET_RCVBUFF")
	if d := diagnose.New(collect(t, few...), short, nil); d.Findings[0].Steady {
		t.Error("four seconds say that it is steady")
	}
}

// inSeconds are drops in seconds of a run, some of them a moment out of order.
func inSeconds(seconds map[int]uint64, reason string) (all []*event.Event) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for second := range 10 {
		for i := range seconds[second] {
			e := udp(reason, 40001)
			e.Time = begin.Add(time.Duration(second)*time.Second + time.Duration(i)*time.Millisecond)
			all = append(all, e)
		}
	}
	for i := 1; i < len(all); i++ {
		if all[i].Time.Second() != all[i-1].Time.Second() {
			all[i], all[i-1] = all[i-1], all[i]
		}
	}
	return all
}

// TestSteadyShaper: of a shaper the command that may change its rate is kept, that of a queue without one is not.
func TestSteadyShaper(t *testing.T) {
	steady := map[int]uint64{0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1}
	for object, want := range map[string][]string{
		"tbf 8001:":   {"ip netns exec blue tc qdisc change dev lo root handle 8001: tbf rate 1Mbit burst 3000b limit 6000b"},
		"pfifo 8001:": {},
	} {
		q := of(counters.Qdisc, "lo", "dropped", 10)
		q.Object, q.About = object, "rate 1Mbit burst 3000b limit 6000b"
		if strings.HasPrefix(object, "pfifo") {
			q.About = "limit 10p"
		}
		f := &diagnose.New(collect(t, inSeconds(steady, "QDISC_DROP")...), rose(q), nil).Findings[0]
		if !f.Steady || !slices.Equal(f.Meaning.Apply, want) || !strings.HasPrefix(f.Meaning.Fix, "The loss is steady: a longer queue") {
			t.Errorf("%s: steady %t, %q, %s", object, f.Steady, f.Meaning.Apply, f.Meaning.Fix)
		}
	}
}
