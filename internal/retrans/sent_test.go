package retrans_test

import (
	"maps"
	"slices"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/retrans"
)

// fours are four segments whose IPv4 identifications are these.
func fours(ids ...int) (packets []packet) {
	for i, id := range ids {
		packets = append(packets, packet{at: 300, from: 'c', flags: ".", seq: 101 + 50*i, ack: 101, len: 50, id: id})
	}
	return packets
}

// counted shows that the client counts its packets; the next one is 0xffff, and then the number wraps.
var counted = fours(0xfffa, 0xfffc, 0xfffd, 0xfffe)

// evidence are cases in which what fills a gap says itself when it was sent, or something else does.
var evidence = map[string][]packet{
	"a higher number was sent again": slices.Concat(counted, []packet{
		{at: 301, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10000, want: "lost_segment"},
		{at: 302, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0x10001, want: "retransmission"},
	}),
	"a lower number came late": slices.Concat(counted, []packet{
		{at: 301, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10000, want: "lost_segment"},
		{at: 302, from: 's', flags: ".", seq: 101, ack: 301},
		{at: 303, from: 's', flags: ".", seq: 101, ack: 301, want: "duplicate_ack"},
		{at: 304, from: 's', flags: ".", seq: 101, ack: 301, want: "duplicate_ack"},
		{at: 305, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0xffff, want: "out_of_order"},
	}),
	"timestamps come before numbers": slices.Concat(counted, []packet{
		{at: 301, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10000, clock: 5, want: "lost_segment"},
		{at: 302, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0xffff, clock: 6, want: "retransmission"},
	}),
	"numbers come after equal timestamps": slices.Concat(counted, []packet{
		{at: 301, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10000, clock: 5, want: "lost_segment"},
		{at: 400, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0xffff, clock: 5, want: "out_of_order"},
	}),
	"the same number is a copy": slices.Concat(counted, []packet{
		{at: 301, from: 'c', flags: ".", seq: 251, ack: 101, len: 50, id: 0xfffe, want: "out_of_order"},
		{at: 302, from: 's', flags: ".", seq: 101, ack: 301},
		{at: 303, from: 'c', flags: ".", seq: 201, ack: 101, len: 50, id: 0xfffd, want: "out_of_order"},
		{at: 304, from: 'c', flags: ".", seq: 201, ack: 101, len: 50, id: 0xffff, want: "spurious"},
	}),
	"the first one comes after the second": slices.Concat(counted, []packet{
		{at: 301, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10000, want: "lost_segment"},
		{at: 320, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0x10001, want: "retransmission"},
		{at: 321, from: 's', flags: ".", seq: 101, ack: 401},
		{at: 322, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0xffff, want: "out_of_order"},
	}),
	"what is sent again may overtake what else is": slices.Concat(counted, []packet{
		{at: 301, from: 'c', flags: ".", seq: 401, ack: 101, len: 50, id: 0x10001, want: "lost_segment"},
		{at: 320, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10003, want: "retransmission"},
		{at: 321, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0x10002, want: "retransmission"},
		{at: 340, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10005, want: "retransmission"},
		{at: 341, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0x10004, want: "retransmission"},
	}),
	"with the same timestamp, but many ticks later, it came late": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, clock: 300},
		{at: 320, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, clock: 320},
		{at: 321, from: 'c', flags: ".", seq: 251, ack: 101, len: 50, clock: 321, want: "lost_segment"},
		{at: 328, from: 'c', flags: ".", seq: 201, ack: 101, len: 50, clock: 321, want: "out_of_order"},
	},
	"with the same timestamp of a slow clock it may be sent again": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, clock: 300},
		{at: 380, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, clock: 308},
		{at: 381, from: 'c', flags: ".", seq: 251, ack: 101, len: 50, clock: 308, want: "lost_segment"},
		{at: 388, from: 'c', flags: ".", seq: 201, ack: 101, len: 50, clock: 308, want: "retransmission"},
	},
	"random numbers say nothing": slices.Concat(fours(900, 901, 17, 40000), []packet{
		{at: 301, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 10, want: "lost_segment"},
		{at: 302, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 11, want: "out_of_order"},
	}),
	"equal numbers say nothing": slices.Concat(fours(7, 7, 7, 7), []packet{
		{at: 400, from: 'c', flags: ".", seq: 251, ack: 101, len: 50, id: 7, want: "retransmission"},
	}),
	"too few numbers say nothing": slices.Concat(fours(7, 90, 91), []packet{
		{at: 301, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 200, want: "lost_segment"}, // no small step
		{at: 302, from: 'c', flags: ".", seq: 251, ack: 101, len: 50, id: 201, want: "out_of_order"},
	}),
	"an acknowledgment alone overtook data": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, want: "lost_segment"},
		{at: 301, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, want: "out_of_order"},
	},
	"a part was seen before": {
		{at: 300, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, want: "lost_segment"},
		{at: 301, from: 'c', flags: ".", seq: 101, ack: 101, len: 60, want: "retransmission"},
	},
	"one byte that is not acknowledged": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 1},
		{at: 600, from: 'c', flags: ".", seq: 101, ack: 101, len: 1, want: "retransmission"},
	},
	"the round trip was shorter than at first": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50},
		{at: 302, from: 's', flags: ".", seq: 101, ack: 151},
		{at: 310, from: 'c', flags: ".", seq: 201, ack: 101, len: 50, want: "lost_segment"},
		{at: 312, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, want: "retransmission"},
	},
	"no round trip is measured by what was sent again": {
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50},
		{at: 300, from: 'c', flags: ".", seq: 101, ack: 101, len: 50, want: "retransmission"},
		{at: 301, from: 's', flags: ".", seq: 101, ack: 151},
		{at: 310, from: 'c', flags: ".", seq: 201, ack: 101, len: 50, want: "lost_segment"},
		{at: 314, from: 'c', flags: ".", seq: 151, ack: 101, len: 50, want: "out_of_order"},
	},
}

func init() { maps.Copy(cases, evidence) }

// TestNumbersOfIPv6: the identification of a fragment header counts something else.
func TestNumbersOfIPv6(t *testing.T) {
	a := retrans.New(1, nil)
	check(t, a, 1, slices.Concat(opened, counted))
	for i, p := range []packet{
		{at: 301, from: 'c', flags: ".", seq: 351, ack: 101, len: 50, id: 0x10000, want: "lost_segment"},
		{at: 302, from: 'c', flags: ".", seq: 301, ack: 101, len: 50, id: 0x10001, want: "out_of_order"},
	} {
		s := p.segment(1)
		s.Network = event.IPv6
		if got := names(a.Add(s, began)); got != p.want {
			t.Errorf("packet %d: %q, want %q", i, got, p.want)
		}
	}
}
