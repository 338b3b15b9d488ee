package event_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/event"
)

// TestLedgerAccountsForEverything enters drops and losses in any order: the sum
// closes, and the words of the report add up to what they say in front.
func TestLedgerAccountsForEverything(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var l event.Ledger
		var drops, lost uint64
		for range rnd.IntN(12) {
			n := rnd.Uint64N(1000)
			if rnd.IntN(2) == 0 {
				l.Add(&event.Event{Count: n})
				drops += n
				continue
			}
			place := event.Place(rnd.IntN(int(event.InSink) + 1))
			l.Add(loss(place, n))
			lost += n
		}
		if l.Shown != drops || l.TotalLost() != lost {
			t.Fatalf("%d shown and %d lost, want %d and %d", l.Shown, l.TotalLost(), drops, lost)
		}
		if err := addsUp(l.Report(), lost); err != nil {
			t.Fatal(err)
		}
	}
}

// addsUp reads a report back: "lost 12 drops: 9 at dropwatch's socket, 3 in ...".
func addsUp(report string, lost uint64) error {
	if lost == 0 {
		if report != "" {
			return fmt.Errorf("report %q of nothing", report)
		}
		return nil
	}
	line, rest, ok := strings.Cut(report, "\n")
	head, places, _ := strings.Cut(line, ": ")
	if !ok || rest != "" || head != "lost "+map[bool]string{true: "1 drop", false: fmt.Sprintf("%d drops", lost)}[lost == 1] {
		return fmt.Errorf("report %q of %d", report, lost)
	}
	var sum uint64
	for place := range strings.SplitSeq(places, ", ") {
		number, _, _ := strings.Cut(place, " ")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return err
		}
		sum += n
	}
	if sum != lost {
		return fmt.Errorf("report %q adds up to %d", report, sum)
	}
	return nil
}
