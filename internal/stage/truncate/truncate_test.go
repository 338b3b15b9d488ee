package truncate_test

import (
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/stage/truncate"
)

func TestPackets(t *testing.T) {
	data := []byte("0123456789abcdef")
	for n, want := range map[uint32]int{0: 0, 14: 14, 16: 16, 100: 16} {
		e := event.Event{Packet: event.Packet{Data: data, HasData: true, Len: 99, HasLen: true, Flow: new(event.Flow)}}
		if !truncate.Packets(n)(&e) {
			t.Fatal("rejected")
		}
		p := &e.Packet
		if string(p.Data) != string(data[:want]) || !p.HasData || p.Len != 99 || (p.Flow != nil) != (want == len(data)) {
			t.Errorf("%d bytes: %+v", n, p)
		}
	}
	none := event.Event{Kind: event.Loss, Count: 3}
	if !truncate.Packets(1)(&none) || none.Packet.HasData {
		t.Errorf("a loss became %+v", none)
	}
}
