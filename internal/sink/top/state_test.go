package top

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

func TestHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 52)
		for _, key := range []string{"h", "?", "f1"} {
			p.keys(key)
			p.finds("help", "Keys\n  up down j k", "What is shown", "those of that moment.\n")
			p.keys("esc")
			p.finds("back", "DROPS/S▼", "!Keys")
		}
		p.keys("x")
		p.finds("a wrong key", "unknown key x: press h for help")
		p.keys("home")
		p.finds("no more", "!no such key")
		for line := range strings.SplitSeq(Help, "\n") {
			if ansi.StringWidth(line) > 80 {
				t.Errorf("more than a line: %q", line)
			}
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("f", "R", "lo", 10))
		p.wait(500 * time.Millisecond)
		p.keys("p")
		if !strings.HasPrefix(p.lines()[0], bold+reverse) {
			t.Errorf("the first line is %q, want it reverse", p.lines()[0])
		}
		p.finds("paused", "PAUSED 00:00:00, 0 drops since", "10 drops/s, 10 in all", "dropwatch missed none", "p: resume")
		p.write(drop("f", "R", "lo", 1), drop("g", "R", "lo", 20), loss(3))
		p.wait(5 * time.Second)
		p.keys("s", "1", "1")
		p.finds("stands still", "PAUSED 00:00:00, 21 drops since", "10 drops/s, 10 in all", "dropwatch missed none", "10     10")
		p.finds("no other", "! g ")
		p.keys("w")
		p.finds("what was then", "save the last 1 event to: dropwatch-20000101-000005.dw")
		p.keys("enter", "space")
		p.finds("goes on", "up 5s", "0 drops/s, 31 in all", "lost 3 drops", "g ", "p: pause")
		if want := []string{"dropwatch-20000101-000005.dw", "drop 10 R", "end 0 ", "10 shown, 0 lost"}; !slices.Equal(p.saved, want) {
			t.Errorf("saved %q, want %q", p.saved, want)
		}
	})
}

// TestStalled: nothing that is lost behind a step that takes too long looks well.
func TestStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status Status
		p := sit(t, Options{Status: func() Status { return status }}, 80, 24)
		status.Busy = time.Second
		p.wait(time.Second)
		p.finds("busy", "dropwatch missed none", "!stalled")
		status.Busy = 90 * time.Second
		p.wait(time.Second)
		p.finds("stalled", "stalled for 1m30s", "!dropwatch missed none")
		status.Busy = 0
		p.wait(time.Second)
		p.finds("goes on", "dropwatch missed none", "!stalled")
	})
}

// TestIdle: a screen without drops says that it works, and what it waits for.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.wait(42 * time.Second)
		p.finds("no drops", "OWNER\n\nNo drops in 42s. Waiting for the next one")
		e := drop("f", "R", "lo", 3)
		e.Harmless = "connection closed"
		p.write(e)
		p.wait(time.Second)
		p.finds("harmless ones", "0 in all, 3 harmless not shown", "No packet was lost in 43s.")
		p.write(drop("f", "R", "lo", 1))
		p.wait(time.Second)
		p.finds("a drop", "!Waiting")
	})
}

// TestRecorded: the time is that of the events, rows are sorted by what there was in
// all, and the end is shown until the person quits.
func TestRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)
		p := sit(t, Options{Begin: began}, 80, 24)
		p.finds("before", "reading 0s", "Reading the recording.")
		at := func(e event.Event, s int) event.Event {
			e.Time = began.Add(time.Duration(s) * time.Second)
			return e
		}
		p.write(at(drop("f", "A", "lo", 100), 1), at(drop("g", "B", "lo", 7), 90))
		p.wait(time.Hour)
		p.write(at(event.Event{Kind: event.End, Ledger: &event.Ledger{Shown: 107}}, 91))
		p.wait(time.Hour)
		p.finds("at its end", "recorded 1999-12-31 23:00:00, 1m31s", "7 drops/s, 107 in all", "TOTAL▼", "100", "f ", "7      7", "g ")
	})
}

func TestSaveFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("f", "A", "lo", 10))
		p.keys("w", "ctrl+u", "enter")
		p.finds("no name", "type the name of a file\nsave the last 1 event to:")
		p.keys("-", "enter")
		p.finds("the screen", "type the name of a file\nsave the last 1 event to: -")
		p.keys("backspace")
		p.text("x.dw")
		p.keys("enter")
		p.finds("the error", "x.dw: file exists\nsave the last 1 event to: x.dw")
		p.keys("left", "left", "left", "y", "enter")
		p.finds("another name", "saved the last 1 event to xy.dw")
	})
}

func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(
			drop("f", "A", "lo", 10),
			event.Event{Kind: event.End, Ledger: &event.Ledger{Shown: 10, Lost: event.Losses{event.FullSummary: 1}}},
		)
		p.refresh()
		p.finds("the ledger of the run", "no room in 1 summary")
		for _, keys := range [][]string{{}, {"h"}, {"/"}} {
			p.keys(keys...)
			for key, want := range map[string]action{"ctrl+c": quit, "ctrl+z": suspend, "ctrl+l": redraw} {
				if got := p.press(key); got != want {
					t.Errorf("%v, then %s: %d, want %d", keys, key, got, want)
				}
			}
		}
		p.keys("q", "esc", "esc") // typed, then back from help
		if got := p.press("q"); got != quit {
			t.Errorf("q: %d", got)
		}
	})
}

func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		for i := range live.MaxKinds + 1 {
			p.write(drop(fmt.Sprintf("f%d", i), "R", "lo", 1))
		}
		p.write(drop("late", "R", "lo", 7))
		p.refresh()
		p.finds("crowded", "dropwatch missed none\nmore than 1000 kinds of drops: the rest is in (other)\n", "8 ", "(other)", "h: help")
	})
}
