package jsonl_test

import (
	"bytes"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/retrans"
	"dropwatch/internal/sink/jsonl"
)

// trafficLines are those of a report with what 192.0.2.1 sent to 198.51.100.2: a segment of 10 bytes, twice.
var trafficLines = []string{
	at("traffic") + `"src":"192.0.2.1","dst":"198.51.100.2","flows":1,"segments":2,"bytes":20,"resent":1,"resent_bytes":10,` +
		`"resets":0,"types":{"retransmission":1,"zero_window":2}}`,
	at("traffic") + `"flows":0,"segments":0,"bytes":0,"resent":0,"resent_bytes":0,"resets":0,"types":{}}`,
}

func report() *retrans.Report {
	a := retrans.New(1, nil)
	f := of(ip(event.TCP, 6, event.FieldSrcPort|event.FieldDstPort|event.FieldSeq|event.FieldAck|event.FieldTCPFlags|event.FieldWindow))
	h := f.Packet.Flow.Headers
	for range 2 {
		a.Add(&retrans.Segment{Headers: &h, Len: 10}, f.Time)
	}
	return &retrans.Report{Traffic: append(a.Traffic(), new(retrans.Traffic))}
}

func TestTraffic(t *testing.T) {
	var b bytes.Buffer
	s := jsonl.NewTraffic(&b, report)
	one := bare(func(*event.Event) {})
	last := end(event.Ledger{})
	for _, e := range []*event.Event{&one, &last} {
		if err := s.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := trafficLines[0] + "\n" + trafficLines[1] + "\n"; b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
