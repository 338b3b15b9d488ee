package top

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		p.write(drop("f", "A", "lo", 10), drop("f", "B", "lo", 30))
		p.wait(500 * time.Millisecond)
		p.keys("/")
		p.text("bad")
		p.keys("enter")
		p.finds("an error in place", "column 1: unknown field bad\n  bad\n  ^^^\nshow only: bad")
		p.keys("x")
		p.finds("until it is edited", "!column 1", "show only: badx")
		p.keys("esc")
		p.finds("nothing", "!show only", "40 in all", "h: help")
		p.keys("w", "alt+esc")
		p.finds("escape twice in one read", "!save the last", "h: help")
		p.keys("f", "A", "enter")
		p.finds("with the counts until now", "up 0s", "10 drops/s, 10 in all", "dropwatch missed none\nfilter A",
			"hides 30 drops\n", "10     10", "!B ")
		p.write(drop("f", "A", "lo", 1), drop("f", "B", "lo", 7), packet("f", "B", "lo", 1), packet("f", "A", "lo", 2), loss(2))
		p.wait(time.Second)
		p.finds("and those to come", "2 drops/s, 12 in all", "lost 2 drops", "filter A", "hides 38 drops\n", "2     12", "!B ")
		p.keys("w", "enter")
		p.finds("saved", "saved the last 4 events to dropwatch-20000101-000001.dw")
		want := []string{"drop 10 A", "drop 1 A", "drop 1 A", "loss 2 ", "end 0 ", "12 shown, 2 lost"}
		if !slices.Equal(p.saved[1:], want) {
			t.Errorf("saved %q, want %q", p.saved, want)
		}
		p.keys("p")
		p.write(drop("f", "A", "lo", 1))
		p.keys("/")
		p.finds("the last is there", "show only: A")
		p.keys("backspace", "B", "enter")
		p.finds("another while paused", "PAUSED", "1 drop since", "38 in all", "filter B", "hides 12 drops", "!A ")
		p.keys("/", "ctrl+u", "enter")
		p.finds("all again", "PAUSED", "50 in all", "!filter B")
		p.keys("p", "/", "Z", "enter")
		p.finds("nothing matches", "filter Z", "hides 51 drops",
			"The filter hides all of 51 drops. Press /, ctrl-u and enter to show all.", "there is no Z now")
		p.keys("/", "ctrl+u", "enter")
		p.finds("as it says", "51 in all", "!hides")
	})
}

// TestFilterOfPackets: an expression on packets counts those that are kept, each in
// its second, and says of how many drops it cannot decide.
func TestFilterOfPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{}, 80, 24)
		for range 3 {
			e := packet("f", "R", "lo", 7)
			e.Time = time.Now()
			p.write(e, packet("f", "R", "lo", 8), drop("f", "R", "lo", 100))
			p.wait(time.Second)
		}
		p.keys("/")
		p.text("port 7")
		p.keys("enter")
		p.finds("of those kept", "3 in all", "filter port 7", "hides 3 drops, and 300 undecided\n", "1      3")
		p.write(packet("f", "R", "lo", 7), drop("f", "R", "lo", 50))
		p.wait(time.Second)
		p.finds("and to come", "4 in all", "hides 3 drops, and 350 undecided\n")
	})
}

// TestCommandLineFilter: the screen says what it hides, by the pipeline's numbers.
func TestCommandLineFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := Status{Rejected: 41, Undecided: 7}
		p := sit(t, Options{Expression: "port 53", Status: func() Status { return status }}, 80, 24)
		p.wait(12 * time.Second)
		p.finds("before a match", "only port 53", "hides 41 drops, and 7 undecided\n",
			"No drop has matched the filter in 12s. Waiting for the next one.")
		p.keys("/")
		p.finds("to be narrowed", "show only: port 53")
		p.keys("enter")
		p.finds("no second filter", "only port 53", "!filter port 53")

		p = sit(t, Options{Expression: "iface eth9", Warning: "there is no interface eth9"}, 80, 24)
		p.finds("a name that does not exist", "only iface eth9", "there is no interface eth9")
		p.keys("down")
		p.finds("after a key", "!there is no interface")
	})
}

// TestHarmless: on request drops that lost nothing have rows, too.
func TestHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{Harmless: true}, 80, 24)
		e := drop("f", "R", "lo", 3)
		e.Harmless = "connection closed"
		p.write(e)
		p.wait(time.Second)
		p.finds("a row", "3 in all", "f         R", "!not shown")
	})
}
