package capture

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
)

// noted is a sink that notes what it gets.
type noted []string

func (n *noted) Write(e *event.Event) error {
	*n = append(*n, fmt.Sprintf("%d of kind %v at %#x, single %t", e.Count, e.Kind, e.Where.PC, e.Individual))
	return nil
}

func (n *noted) Flush() error {
	*n = append(*n, "flush")
	return nil
}

func TestByAddress(t *testing.T) { synctest.Test(t, testByAddress) }

func testByAddress(t *testing.T) {
	var got noted
	summaries := false
	s := newByAddress(&got, func() bool { return summaries })
	at := func(pc, count uint64) event.Event {
		return event.Event{Count: count, Individual: true, Where: event.Where{Frame: event.Frame{PC: pc}, HasPC: true}}
	}
	write := func(events ...event.Event) {
		for i := range events {
			if err := s.Write(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	write(at(2, 1), at(1, 1), at(2, 3), event.Event{Kind: event.Loss, Count: 9})
	write(at(2, 5)) // in the same second
	time.Sleep(time.Second)
	write(at(2, 6))
	write(at(1, 7))
	write() // no more come
	write(at(1, 8))
	summaries = true // as a source gives them
	write(at(3, 2), at(3, 1))
	summaries = false // as the next one does not
	write(at(3, 4))
	write(event.Event{Kind: event.End})
	want := []string{
		"9 of kind loss at 0x0, single false", "4 of kind drop at 0x2, single false", "1 of kind drop at 0x1, single false", "flush",
		"11 of kind drop at 0x2, single false", "flush",
		"7 of kind drop at 0x1, single false", "flush",
		"2 of kind drop at 0x3, single true", "1 of kind drop at 0x3, single true",
		"8 of kind drop at 0x1, single false", "flush",
		"0 of kind end at 0x0, single false", "4 of kind drop at 0x3, single false", "flush",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
