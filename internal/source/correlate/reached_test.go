package correlate

import (
	"context"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/pipeline"
)

// datagram returns a UDP packet of IPv4 from 192.0.2.1:40000 to a port of 198.51.100.7, behind an Ethernet header if it
// is framed.
func datagram(port uint16, payload string, framed bool) []byte {
	ip := []byte{0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7}
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	udp := binary.BigEndian.AppendUint16([]byte{0x9c, 0x40}, port)
	udp = append(binary.BigEndian.AppendUint16(udp, uint16(8+len(payload))), 0, 0)
	var ether []byte
	if framed {
		ether = []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}
	}
	return append(append(append(ether, ip...), udp...), payload...)
}

// dropAt is a drop of a packet at an address on CPU 1.
func dropAt(after time.Duration, buffer uint64, data []byte) event.Event {
	e := event.Event{Time: began.Add(after), Count: 1, Individual: true, Reason: "SOCKET_RCVBUFF", Task: event.Task{Known: true, CPU: 1}}
	e.Packet = event.Packet{Proto: event.EtherIPv4, HasProto: true, Data: data, HasData: data != nil, Buffer: buffer}
	return e
}

// pointAt is a point of a packet at an address on CPU 1.
func pointAt(after time.Duration, buffer uint64, data []byte) event.Event {
	e := dropAt(after, buffer, data)
	e.Kind, e.Reason, e.Point, e.Args = event.Point, "", "udp_queue", []event.Arg{{Name: "rmem", Number: 212992}}
	e.Packet.Link = event.LinkRaw
	return e
}

// decoded is a stage that decodes packets.
func decoded() pipeline.Stage {
	flow := new(event.Flow)
	return func(e *event.Event) bool {
		if p := &e.Packet; p.HasData {
			p.Link, p.Flow = packet.Decode(p.Data, p.Link, p.Proto, flow), flow
		}
		return true
	}
}

// TestReached: a drop gets the point of its own packet, and of no other.
func TestReached(t *testing.T) {
	const us = time.Microsecond
	raw, framed := datagram(9, "abc", false), datagram(9, "abc", true)
	atPoint := pointAt(0, 7, raw)
	with := func(e event.Event, change func(*event.Event)) event.Event {
		change(&e)
		return e
	}
	tests := map[string]struct {
		events []event.Event
		want   []string // of each drop, the point that it reached
	}{
		"its own":             {[]event.Event{atPoint, dropAt(us, 7, framed)}, []string{"udp_queue"}},
		"read after the drop": {[]event.Event{dropAt(us, 7, framed), atPoint}, []string{"udp_queue"}},
		"clocks that differ":  {[]event.Event{atPoint, dropAt(-us, 7, framed)}, []string{"udp_queue"}},
		"the last of two": {
			[]event.Event{with(atPoint, func(e *event.Event) { e.Point = "mine" }), pointAt(us, 7, raw), dropAt(2*us, 7, framed)},
			[]string{"udp_queue"},
		},
		"a point of any drop": {
			[]event.Event{with(atPoint, func(e *event.Event) { e.Point = "mine" }), with(dropAt(us, 7, framed), func(e *event.Event) {
				e.Reason = "NETFILTER_DROP"
			})}, []string{"mine"},
		},
		"another address": {[]event.Event{atPoint, dropAt(us, 8, framed)}, []string{""}},
		"another CPU": {
			[]event.Event{atPoint, with(dropAt(us, 7, framed), func(e *event.Event) { e.Task.CPU = 2 })}, []string{""},
		},
		"a second packet at the address": {
			[]event.Event{atPoint, dropAt(us, 7, framed), dropAt(2*us, 7, framed)}, []string{"udp_queue", ""},
		},
		"a second packet, the first was another": {
			[]event.Event{atPoint, dropAt(us, 7, datagram(10, "abc", true)), dropAt(2*us, 7, framed)}, []string{"", ""},
		},
		"before the point": {[]event.Event{pointAt(20*us, 7, raw), dropAt(0, 7, framed)}, []string{""}},
		"long after it":    {[]event.Event{atPoint, dropAt(time.Second, 7, framed)}, []string{""}},
		"another port":     {[]event.Event{atPoint, dropAt(us, 7, datagram(10, "abc", true))}, []string{""}},
		"another length":   {[]event.Event{atPoint, dropAt(us, 7, datagram(9, "abcd", true))}, []string{""}},
		"another payload":  {[]event.Event{atPoint, dropAt(us, 7, datagram(9, "abd", true))}, []string{""}},
		"a point without":  {[]event.Event{pointAt(0, 7, nil), dropAt(us, 7, framed)}, []string{""}},
		"a drop without":   {[]event.Event{atPoint, dropAt(us, 7, nil)}, []string{""}},
		"a cut payload":    {[]event.Event{atPoint, dropAt(us, 7, framed[:len(framed)-1])}, []string{"udp_queue"}},
		"another reason": {
			[]event.Event{atPoint, with(dropAt(us, 7, framed), func(e *event.Event) { e.Reason = "NETFILTER_DROP" })}, []string{""},
		},
		"an address of 0": {[]event.Event{pointAt(0, 0, raw), dropAt(us, 0, framed)}, []string{""}},
		"of another drop": {[]event.Event{atPoint, dropAt(us, 8, framed), dropAt(2*us, 7, framed)}, []string{"", "udp_queue"}},
		"a TTL that is less": {
			[]event.Event{atPoint, with(dropAt(us, 7, datagram(9, "abc", true)), func(e *event.Event) { e.Packet.Data[22]-- })},
			[]string{"udp_queue"},
		},
	}
	for name, tt := range tests {
		var got list
		s := &Reached{out: &got, ticking: true, Stages: []pipeline.Stage{decoded()}}
		for i := range tt.events {
			(*reachedOutput)(s).Emit(&tt.events[i])
		}
		s.release(func(*event.Event) bool { return true })
		var drops []event.Event
		for _, e := range got {
			if e.Kind == event.Drop {
				drops = append(drops, e)
			}
		}
		if len(got) != len(tt.events) || len(drops) != len(tt.want) {
			t.Fatalf("%s: %d events, want %d", name, len(got), len(tt.events))
		}
		for i, want := range tt.want {
			r := drops[i].Reached
			if want == "" != (r == nil) || r != nil && (r.Point != want || len(r.Args) != 1 || r.Args[0].Number != 212992) {
				t.Errorf("%s: drop %d reached %+v, want %q", name, i, r, want)
			}
			if drops[i].Packet.Flow != nil {
				t.Errorf("%s: the stages of the join were seen", name)
			}
		}
	}
}

// A reading is a source of points that is read until a time, and counts how often it was woken.
type reading struct {
	until time.Time
	wakes int
}

func (r *reading) ReadUntil() time.Time { return r.until }
func (r *reading) Wake()                { r.wakes++ }

// TestReachedWaits: a drop waits until the points before it were read, but not for ever, and all keep their order.
func TestReachedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := datagram(9, "abc", true)
		at := func(after time.Duration, buffer uint64) event.Event {
			e := dropAt(0, buffer, data)
			e.Time = time.Now().Add(after)
			return e
		}
		points, got := &reading{}, new(list)
		counted := at(0, 0)
		counted.Count, counted.Individual = 3, false
		s := &Reached{
			Source: &script{events: []event.Event{counted, at(0, 7), counted, at(time.Second, 8)}},
			Points: []Reading{points, &reading{until: time.Now().Add(time.Hour)}},
		}
		shown := func() (n int) {
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(*got)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx, got) }()
		if n := shown(); n != 1 { // before which none waits
			t.Errorf("%d events are shown at once", n)
		}
		time.Sleep(time.Second)
		if n := shown(); n != 1 || points.wakes < 5 {
			t.Errorf("%d events after a second, woken %d times", n, points.wakes)
		}
		s.mu.Lock()
		points.until = time.Now()
		s.mu.Unlock()
		time.Sleep(2 * tick)
		if n := shown(); n != 3 {
			t.Errorf("%d events after the points were read", n)
		}
		time.Sleep(maxWait + 2*tick)
		if n := shown(); n != 4 {
			t.Errorf("%d events when the points were not read for long", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for i, want := range []uint64{0, 7, 0, 8} {
			if (*got)[i].Packet.Buffer != want {
				t.Errorf("event %d is of %d", i, (*got)[i].Packet.Buffer)
			}
		}
		woken := points.wakes
		time.Sleep(time.Second)
		if points.wakes != woken {
			t.Error("woken without a drop")
		}
	})
}

// TestReachedBounds: memory is bounded, whatever comes.
func TestReachedBounds(t *testing.T) {
	s := &Reached{out: new(discard), ticking: true, Stages: []pipeline.Stage{decoded()}}
	raw, framed := datagram(9, "abc", false), datagram(9, "abc", true)
	for i := range uint64(2 * maxWaiting) {
		p, d := pointAt(time.Duration(i), 1+i, raw), dropAt(time.Duration(i), 1+i, framed)
		(*reachedOutput)(s).Emit(&p)
		(*reachedOutput)(s).Emit(&d)
	}
	if s.waiting.n > maxWaiting || s.points.size > maxPoints || len(s.points.histories) < 10_000 {
		t.Errorf("%d drops wait; %d bytes of %d points", s.waiting.n, s.points.size, len(s.points.histories))
	}
}
