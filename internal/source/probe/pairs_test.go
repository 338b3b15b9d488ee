package probe

import "testing"

// TestPairs: a return is of the last call before it at the same place of the stack, in whatever order they are read.
func TestPairs(t *testing.T) {
	p := newPairs()
	k, other := key{task: 7, stack: 0x1000}, key{task: 7, stack: 0x0f00}
	for _, at := range []uint64{30, 10} { // the earlier one never returned to us, and was read later
		p.add(k, at, nil)
	}
	p.add(other, 35, nil) // within the second
	p.add(k, 50, nil)
	for _, tt := range []struct {
		key    key
		before uint64
		want   uint64 // 0: none
	}{{other, 36, 35}, {k, 40, 30}, {k, 41, 0}, {k, 60, 50}, {k, 61, 0}, {other, 99, 0}} {
		c, ok := p.take(tt.key, tt.before, 0)
		if ok != (tt.want > 0) || c.time != tt.want {
			t.Errorf("before %d: the call of %d, want %d", tt.before, c.time, tt.want)
		}
	}
	if len(p.young)+len(p.old) != 0 {
		t.Errorf("left %v %v", p.young, p.old)
	}
}

// TestPairsAfterALoss: what was before it may be of another call.
func TestPairsAfterALoss(t *testing.T) {
	p, k := newPairs(), key{stack: 1}
	p.add(k, 1, nil)
	p.lose()
	if _, ok := p.take(k, 2, p.epoch); ok || p.forgotten != 1 {
		t.Errorf("paired: %v, %d forgotten", ok, p.forgotten)
	}
	p.add(k, 3, nil)
	if _, ok := p.take(k, 4, p.epoch); !ok {
		t.Error("not paired after a loss")
	}
}

// TestPairsAreBounded: the oldest calls are forgotten, and counted.
func TestPairsAreBounded(t *testing.T) {
	p := newPairs()
	const calls = 5 * maxCalls
	for i := range uint64(calls) {
		p.add(key{stack: i}, i, nil)
	}
	if n := len(p.young) + len(p.old); n > maxCalls || n < maxCalls/2 || p.forgotten+uint64(n) != calls {
		t.Errorf("%d calls kept, %d forgotten", n, p.forgotten)
	}
	if _, ok := p.take(key{stack: calls - 1}, calls, 0); !ok {
		t.Error("the last is forgotten")
	}
}
