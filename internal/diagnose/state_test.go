package diagnose_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// bad makes a level of an interface of the namespace blue that is at its limit.
func bad(ifname, name, about string) counters.Counter {
	c := of(counters.Interface, ifname, name, 1)
	c.Gauge, c.Limit, c.About = true, 1, about
	return c
}

// stateIDs are those of a diagnosis.
func stateIDs(d *diagnose.Diagnosis) (ids []string) {
	for i := range d.States {
		ids = append(ids, d.States[i].ID())
	}
	return ids
}

// TestStates: a fault that lasts is said, with check and fix, and is no finding. A state in
// which a healthy host may be is not.
func TestStates(t *testing.T) {
	r := rose(
		bad("eth3", "no_carrier", "down"), bad("eth2", "bond_member_inactive", "backup"), bad("p0", "bridge_port_blocked", "blocking"),
		bad("eth0", "bond_member_down", "down"), bad("eth1", "carrier_lost", "down"), bad("eth4", "bond_member_down", "going up"),
	)
	d := diagnose.New(collect(t), r, nil)
	if got := stateIDs(d); !slices.Equal(got, []string{
		"interface.bond_member_down", "interface.bond_member_down", "interface.carrier_lost",
	}) || len(d.Findings) != 0 || d.Worst() != 0 {
		t.Fatalf("states %q, findings %+v", got, d.Findings)
	}
	text := textOf(t, d)
	for _, want := range []string{
		"state: interface.bond_member_down on eth0 in network namespace blue: down,\n   interface.bond_member_down on eth4 in",
		"blue: going up. The\n   bond found the link of this member down",
		"\n   check     ip netns exec blue grep -r . /proc/net/bonding", "\n   fix       Bring the link up",
		"verdict: this host drops nothing that matters, but not all is well: see state\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("too wide: %s", line)
		}
	}
}

// TestFailuresCounted: a device, a link or a bond that failed meanwhile is a finding, once, with
// the state that it is in now.
func TestFailuresCounted(t *testing.T) {
	health := of(counters.Devlink, "", "fw.health_errors", 2)
	health.Object = "pci/0000:01:00.0"
	other := bad("eth1", "bond_member_down", "down")
	for _, test := range []struct {
		rows []counters.Counter
		want string // in the text
	}{
		{[]counters.Counter{health}, "1. devlink.fw.health_errors  2 failures counted, 0.2/s"},
		{[]counters.Counter{health}, "about     pci/0000:01:00.0: fw.health_errors +2\n"},
		{
			[]counters.Counter{of(counters.Interface, "eth0", "bond_link_failures", 1), bad("eth0", "bond_member_down", "down"), other},
			"about     eth0: bond_member_down down\n",
		},
		{
			[]counters.Counter{
				of(counters.Interface, "eth0", "bond_link_failures", 1), of(counters.Interface, "eth0", "carrier_down_count", 1),
			},
			"1. interface.carrier_down_count  1 failure counted, 0.1/s",
		},
	} {
		d := diagnose.New(collect(t), rose(test.rows...), nil)
		text := textOf(t, d)
		if len(d.Findings) != 1 || !strings.Contains(text, test.want) || strings.Contains(text, "unexplained") {
			t.Errorf("%d findings, %q is missing in\n%s", len(d.Findings), test.want, text)
		}
		if d.States = slices.DeleteFunc(d.States, func(s diagnose.State) bool { return s.IfName == "eth1" }); len(d.States) != 0 {
			t.Errorf("states that the finding has: %q", stateIDs(d))
		}
	}
}

// TestStateOfASocket: the process whose full queue it is, and a namespace's, are named.
func TestStateOfASocket(t *testing.T) {
	queue := socket("tcp *:80", 5, 1)
	queue.Name, queue.Part, queue.Gauge, queue.Value, queue.Limit = "accept_queue", false, true, 3, 3
	d := diagnose.New(collect(t), rose(queue), nil)
	d.Ask(ownersOnly(func(uint64) event.Owner { return event.Owner{Process: event.Process{PID: 42, Comm: "web"}} }))
	text := strings.Join(strings.Fields(textOf(t, d)), " ")
	const want = "state: socket.accept_queue of tcp *:80 inode 5 in network namespace blue: 3, more than backlog 2 (of web/42?)"
	if !strings.Contains(text, want) {
		t.Errorf("%q is missing in\n%s", want, text)
	}
	var b strings.Builder
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var state struct {
		Kind, ID, Object, Severity string
		Value, Limit               uint64
		Culprit                    struct{ PID uint32 }
		Check, Fix                 []string
	}
	line, _, _ := strings.Cut(b.String(), "\n")
	if err := json.Unmarshal([]byte(line), &state); err != nil {
		t.Fatal(err)
	}
	if state.Kind != "state" || state.ID != "socket.accept_queue" || state.Value != 3 || state.Limit != 3 || state.Culprit.PID != 42 ||
		state.Severity != "harm" || len(state.Check) == 0 || len(state.Fix) == 0 {
		t.Errorf("got %s", line)
	}
}

// TestLocalPortsInUse: connections that use nearly all local ports are a state, with the ports and what to do; no packet is lost.
func TestLocalPortsInUse(t *testing.T) {
	for value, want := range map[uint64]string{
		47: "state: socket.local_ports of tcp 10.0.0.1 to 10.0.0.2:80 in network namespace blue: 47 ports; 95 % of all are 47. The TCP",
		46: "",
	} {
		after := &counters.Snapshot{Counters: []counters.Counter{
			level(counters.Socket, "tcp 10.0.0.1 to 10.0.0.2:80", "local_ports", value, 47, 0),
		}}
		d := diagnose.New(collect(t), counters.NewReport(new(counters.Snapshot), after), nil)
		text := strings.Join(strings.Fields(textOf(t, d)), " ")
		if !strings.Contains(text, want) || strings.Contains(text, "local_ports") != (want != "") || len(d.Findings) > 0 {
			t.Errorf("%d ports: %s", value, text)
		}
	}
}
