package counters_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
)

func total(name string, value uint64, bits uint8) counters.Counter {
	return counters.Counter{Key: counters.Key{Group: counters.Interface, IfName: "eth0", Name: name}, Value: value, Bits: bits}
}

// sparse is a counter that is left out while it is 0.
func sparse(value uint64) counters.Counter {
	c := total("drops", value, 32)
	if c.Sparse = true; value == 0 {
		c.Name = "something else"
	}
	return c
}

func gauge(name string, value uint64) counters.Counter {
	c := total(name, value, 64)
	c.Gauge = true
	return c
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after counters.Counter
		want          counters.Change
	}{
		{"rises", total("rx_dropped", 5, 64), total("rx_dropped", 12, 64), counters.Change{Delta: 7}},
		{"rests", total("rx_dropped", 5, 64), total("rx_dropped", 5, 64), counters.Change{}},
		{"wraps", total("dropped", 1<<32-2, 32), total("dropped", 3, 32), counters.Change{Delta: 5}},
		{"32 bits are reset in the middle", total("dropped", 1<<31, 32), total("dropped", 3, 32), counters.Change{Delta: 3, Reset: true}},
		{"64 bits are reset", total("dropped", 1<<32-2, 64), total("dropped", 3, 64), counters.Change{Delta: 3, Reset: true}},
		{"a level rises", gauge("entries", 3), gauge("entries", 10), counters.Change{Delta: 7}},
		{"a level falls", gauge("entries", 10), gauge("entries", 3), counters.Change{Delta: 7, Fell: true}},
		{"is not 0 any more", sparse(0), sparse(5), counters.Change{Delta: 5}},
		{"is made", total("other", 1, 64), total("rx_dropped", 3, 64), counters.Change{Delta: 3, New: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := &counters.Snapshot{Counters: []counters.Counter{test.before}}
			after := &counters.Snapshot{Counters: []counters.Counter{test.after}}
			test.want.Counter = test.after
			if got := counters.Compare(before, after); len(got) != 1 || got[0] != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestCompareUnread: what could not be read before is not all new now.
func TestCompareUnread(t *testing.T) {
	here := event.Netns{Inode: 7}
	for _, group := range []counters.Group{counters.Interface, ""} {
		before := &counters.Snapshot{Failures: []counters.Failure{{Netns: here, Group: group, Err: errors.New("no")}}}
		c := total("rx_dropped", 3, 64)
		c.Netns = here
		after := &counters.Snapshot{Counters: []counters.Counter{c}}
		if got := counters.Compare(before, after)[0]; got.Delta != 0 || got.New {
			t.Errorf("%q failed before: got %+v, want no change", group, got)
		}
	}
}

// TestCompareNamed: a network namespace that was named in between has the same counters.
func TestCompareNamed(t *testing.T) {
	before, after := total("rx_dropped", 3, 64), total("rx_dropped", 5, 64)
	before.Netns, after.Netns = event.Netns{Inode: 7}, event.Netns{Inode: 7, Name: "blue"}
	got := counters.Compare(
		&counters.Snapshot{Counters: []counters.Counter{before}}, &counters.Snapshot{Counters: []counters.Counter{after}},
	)
	if got[0].Delta != 2 || got[0].New {
		t.Errorf("got %+v, want a change by 2", got[0])
	}
}

// TestCompareMoved: counters that are gone, are new, or stand elsewhere do not hide the others.
func TestCompareMoved(t *testing.T) {
	snapshot := func(names string, value uint64) *counters.Snapshot {
		s := new(counters.Snapshot)
		for _, name := range strings.Fields(names) {
			s.Counters = append(s.Counters, total(name, value, 64))
		}
		return s
	}
	for _, after := range []string{"a b c d e", "b c e", "e d c b a", "a x b c y d e", "x", "c a e b d"} {
		before, rose := snapshot("a b c d e", 5), snapshot(after, 7)
		got := counters.Compare(before, rose)
		for i, name := range strings.Fields(after) {
			isNew := strings.Contains("xy", name)
			if want := map[bool]uint64{false: 2, true: 7}[isNew]; got[i].Name != name || got[i].Delta != want || got[i].New != isNew {
				t.Errorf("%s: got %+v", after, got[i])
			}
		}
	}
}

func TestRate(t *testing.T) {
	c := counters.Change{Delta: 30}
	if got := c.Rate(2 * time.Second); got != 15 {
		t.Errorf("got %v a second, want 15", got)
	}
	if got := c.Rate(0); got != 0 {
		t.Errorf("got %v in no time, want 0", got)
	}
}
