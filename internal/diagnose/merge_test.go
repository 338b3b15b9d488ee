package diagnose_test

import (
	"fmt"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestManyNamespaces: the same cause in more than three network namespaces is one finding.
func TestManyNamespaces(t *testing.T) {
	for n, want := range map[int]string{
		3: "",
		7: "in 7 network namespaces: t7 14, t6 12, t5 10, t4 8, t3 6, ...",
	} {
		var events []*event.Event
		var rows []counters.Counter
		for i := 1; i <= n; i++ {
			for _, ifname := range []string{"lo", "eth0"} {
				e := udp("NO_SOCKET", 40001)
				e.Count, e.Segments, e.Port.IfName = uint64(i), uint64(i), ifname
				e.Netns = event.Netns{Inode: uint32(i), Name: fmt.Sprintf("t%d", i)}
				events = append(events, e)
			}
			key := counters.Key{Netns: events[len(events)-1].Netns, Group: counters.Protocol, Name: "UdpNoPorts"}
			rows = append(rows, counters.Counter{Key: key, Value: uint64(2 * i), Bits: 64})
		}
		report := counters.NewReport(new(counters.Snapshot), &counters.Snapshot{Counters: rows})
		d := diagnose.New(collect(t, events...), report, nil)
		text := strings.Join(strings.Fields(textOf(t, d)), " ")
		if want == "" {
			if len(d.Findings) != 2*n {
				t.Errorf("%d namespaces: %d findings", n, len(d.Findings))
			}
			continue
		}
		if len(d.Findings) != 1 {
			t.Fatalf("%d namespaces: %d findings, want 1:\n%s", n, len(d.Findings), textOf(t, d))
		}
		f := &d.Findings[0]
		if f.Count != 56 || f.Netns.Name != "t7" || f.IfName != "" || len(f.Counters) != 1 || f.Share < 0.99 {
			t.Errorf("%d namespaces: got %+v", n, f)
		}
		for _, part := range []string{want, "counters UdpNoPorts +56 ", "10.0.0.2:53 56 "} {
			if !strings.Contains(text, part) {
				t.Errorf("%q is missing in %s", part, text)
			}
		}
		var b strings.Builder
		if err := d.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if part := `"namespaces":[{"netns":"t7","netns_inode":7,"count":14},`; !strings.Contains(b.String(), part) {
			t.Errorf("%s is missing in %s", part, &b)
		}
	}
}

// TestBriefFindings: after five findings, those that may matter and have few drops are a
// line each.
func TestBriefFindings(t *testing.T) {
	var events []*event.Event
	for i := range 8 {
		e := udp("NO_SOCKET", 40001)
		e.Port.IfName = fmt.Sprintf("eth%d", i)
		if i < 6 {
			e.Count, e.Segments = 1000, 1000
		}
		events = append(events, e)
	}
	d := diagnose.New(collect(t, events...), new(counters.Report), nil)
	text := textOf(t, d)
	for _, want := range []string{
		"7. NO_SOCKET  1 drop, interface eth6, network namespace blue\n8. NO_SOCKET  1 drop, interface eth7, network namespace blue\n",
		"   less than 1 % of the drops each: --json shows them in full\n\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "   why "); n != 6 {
		t.Errorf("%d findings in full, want 6:\n%s", n, text)
	}
}
