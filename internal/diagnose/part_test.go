package diagnose_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// waited is n drops of datagrams to a host, while or after its address was asked for.
func waited(n uint64, reason, function, to string) *event.Event {
	e := udp(reason, 40001)
	e.Count, e.Segments = n, n
	e.Where = event.Where{Frame: event.Frame{PC: 1, Lookup: event.Found, Symbol: function}}
	e.Packet.Flow.Dst = netip.MustParseAddr(to)
	e.Owner.Process = event.Process{PID: 9, Comm: "ping", Confidence: event.Certain}
	return e
}

// TestNeighbourIsOneFinding: packets that had no room to wait for a next hop, those that it failed for, and those
// that were left are lost for one cause. Others wait for another host, or elsewhere.
func TestNeighbourIsOneFinding(t *testing.T) {
	discards, failed := of(counters.Neighbour, "", "unresolved_discards", 90), of(counters.Neighbour, "", "res_failed", 1)
	full := waited(90, "NEIGH_QUEUEFULL", "__neigh_event_send", "10.0.0.3")
	elsewhere := waited(5, "NEIGH_QUEUEFULL", "__neigh_event_send", "10.0.0.3")
	elsewhere.Netns = event.Netns{Inode: 8, Name: "green"}
	other := waited(4, "NEIGH_QUEUEFULL", "__neigh_event_send", "10.0.0.4")
	other.Port.IfName = "eth1"
	none := waited(90, "NEIGH_QUEUEFULL", "__neigh_event_send", "10.0.0.5")
	for name, test := range map[string]struct {
		drops []*event.Event
		want  []string // findings
		says  string
	}{
		"all": {
			[]*event.Event{
				full, waited(7, "NEIGH_FAILED", "arp_error_report", "10.0.0.3"), waited(2, "QUEUE_PURGE", "neigh_invalidate", "10.0.0.3"),
				waited(1, "NEIGH_FAILED", "__neigh_event_send", "10.0.0.3"),
			},
			[]string{"NEIGH_FAILED 100"}, "NEIGH_FAILED 8, NEIGH_QUEUEFULL 90, QUEUE_PURGE 2",
		},
		"no reasons": {
			[]*event.Event{waited(90, "", "__neigh_event_send", "10.0.0.3"), waited(7, "", "neigh_invalidate", "10.0.0.3")},
			[]string{"neigh_invalidate 97"}, "neigh_invalidate 7, __neigh_event_send 90",
		},
		"still asking": {[]*event.Event{full}, []string{"NEIGH_QUEUEFULL 90"}, ""},
		"another place": {
			[]*event.Event{elsewhere, other, waited(7, "NEIGH_FAILED", "arp_error_report", "10.0.0.3")},
			[]string{"NEIGH_FAILED 7", "NEIGH_QUEUEFULL 5", "NEIGH_QUEUEFULL 4"}, "",
		},
		"another host": {
			[]*event.Event{none, waited(7, "NEIGH_FAILED", "arp_error_report", "10.0.0.3")},
			[]string{"NEIGH_QUEUEFULL 90", "NEIGH_FAILED 7"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var rows []counters.Counter
			if test.says != "" {
				rows = append(rows, discards, failed)
			}
			d := diagnose.New(collect(t, test.drops...), rose(rows...), nil)
			if got := summary(d)[:len(d.Findings)]; !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			text := textOf(t, d)
			if test.says == "" {
				if strings.Contains(text, "   drops   ") {
					t.Errorf("parts of one:\n%s", text)
				}
				return
			}
			for _, want := range []string{
				"   drops     " + test.says, "   owner     of ping/9\n", "neighbour.res_failed +1, neighbour.unresolved_discards +90\n",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			if strings.Contains(text, "=N") {
				t.Errorf("a longer queue is no fix:\n%s", text)
			}
		})
	}
}

// TestCookieAndAcceptQueue: what SYN cookies led to no socket for, and what else a full accept queue lost, is one
// finding, with or without a drop of the latter.
func TestCookieAndAcceptQueue(t *testing.T) {
	cookie := waited(2, "NO_SOCKET", "cookie_v4_check", "10.0.0.2")
	cookie.Packet.Flow.Transport, cookie.Packet.Flow.TCPFlags = event.TCP, event.ACK
	cookie.Packet.Flow.Fields |= event.FieldTCPFlags
	full := waited(3, "TCP_LISTEN_OVERFLOW", "tcp_v4_syn_recv_sock", "10.0.0.2")
	full.Packet.Flow.Transport = event.TCP
	for want, drops := range map[string][]*event.Event{
		"1. NO_SOCKET  2 drops and 7 more counted by the kernel, 0.9/s\n":           {cookie},
		"1. TCP_LISTEN_OVERFLOW  5 drops and 4 more counted by the kernel, 0.9/s\n": {cookie, full},
	} {
		d := diagnose.New(collect(t, drops...), report("TcpExtListenOverflows", 9), nil)
		text := textOf(t, d)
		if len(d.Findings) != 1 || !strings.HasPrefix(text, want) || d.Worst() != knowledge.Harm {
			t.Errorf("want %q:\n%s", want, text)
		}
		if !slices.Contains(d.Findings[0].Meaning.Settings, "net.core.somaxconn") || strings.Contains(text, "Start the service") {
			t.Errorf("it is no accept queue:\n%s", text)
		}
	}
}
