package app

import (
	"fmt"
	"slices"
	"testing"

	"dropwatch/internal/event"
)

// noted is a sink that notes what it gets.
type noted []string

func (n *noted) Write(e *event.Event) error {
	*n = append(*n, fmt.Sprintf("%d of kind %d at %#x, single %t", e.Count, e.Kind, e.Where.PC, e.Single))
	return nil
}

func (n *noted) Flush() error {
	*n = append(*n, "flush")
	return nil
}

func TestByPlace(t *testing.T) {
	var got noted
	s := &byPlace{Sink: &got}
	at := func(pc, count uint64) event.Event {
		return event.Event{Count: count, Single: true, Where: event.Where{Frame: event.Frame{PC: pc}, HasPC: true}}
	}
	events := []event.Event{at(2, 1), at(1, 1), at(2, 3), {Kind: event.Loss, Count: 9}}
	for range 2 { // it begins anew
		for i := range events {
			if err := s.Write(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	once := []string{
		"9 of kind 1 at 0x0, single false",
		"4 of kind 0 at 0x2, single false", "1 of kind 0 at 0x1, single false", "flush",
	}
	if want := append(once, once...); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
