package diagnose_test

import (
	"fmt"
	"slices"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestFlowsOfOneClient: flows that differ in one port only are one if they are many, whatever that port is.
func TestFlowsOfOneClient(t *testing.T) {
	segment := func(src, dst uint16, flags event.TCPFlags) *event.Event {
		e := udp("NO_SOCKET", src)
		h := &e.Packet.Flow.Headers
		h.Transport, h.DstPort, h.TCPFlags, h.Fields = event.TCP, dst, flags, h.Fields|event.FieldTCPFlags
		return e
	}
	const push = event.FIN | event.PSH | event.ACK
	var clients, servers, few, ephemeral []*event.Event
	for i := range uint16(100) {
		clients = append(clients, segment(20000+i, 5432, push))
		servers = append(servers, segment(5432, 20000+i, event.SYN|event.ACK))
		ephemeral = append(ephemeral, segment(40000-i*200, 5432, event.SYN))
	}
	for i := range uint16(3) {
		few = append(few, segment(20000+i, 5432, 0))
	}
	other := append(slices.Clone(clients), segment(20000, 5432, event.FIN|event.ACK))
	for name, test := range map[string]struct {
		drops []*event.Event
		want  []string
	}{
		"clients":                      {clients, []string{"tcp 10.0.0.1 > 10.0.0.2:5432 [FP.] 100"}},
		"servers":                      {servers, []string{"tcp 10.0.0.1:5432 > 10.0.0.2 [S.] 100"}},
		"ports of clients, and others": {ephemeral, []string{"tcp 10.0.0.1 > 10.0.0.2:5432 [S] 100"}},
		"flags that differ":            {other, []string{"tcp 10.0.0.1 > 10.0.0.2:5432  101"}},
		"few": {few, []string{
			"tcp 10.0.0.1:20000 > 10.0.0.2:5432 [none] 1", "tcp 10.0.0.1:20001 > 10.0.0.2:5432 [none] 1",
			"tcp 10.0.0.1:20002 > 10.0.0.2:5432 [none] 1",
		}},
	} {
		var got []string
		for _, f := range diagnose.New(collect(t, test.drops...), new(counters.Report), nil).Findings[0].Flows {
			got = append(got, fmt.Sprintf("%s %s %d", f.Flow, f.Flags, f.Count))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
