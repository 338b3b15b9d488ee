package probe

import "testing"

// TestPairs: a return is of the last call before it at the same place of the stack, in whatever order they are read.
func TestPairs(t *testing.T) {
	p := newPairs()
	k, other := key{task: 7, stack: 0x1000}, key{task: 7, stack: 0x0f00}
	for _, at := range []uint64{10, 30} { // the first never returned to us
		p.add(call{key: k, time: at})
	}
	p.add(call{key: other, time: 35}) // within the second
	p.add(call{key: k, time: 50})
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
	p.add(call{key: k, time: 1})
	p.lose()
	if _, ok := p.take(k, 2, p.epoch); ok || p.forgotten != 1 {
		t.Errorf("paired: %v, %d forgotten", ok, p.forgotten)
	}
	p.add(call{key: k, time: 3})
	if _, ok := p.take(k, 4, p.epoch); !ok {
		t.Error("not paired after a loss")
	}
}

// TestPairsAreBounded: the oldest calls are forgotten, and counted.
func TestPairsAreBounded(t *testing.T) {
	p := newPairs()
	const calls = 5 * maxCalls
	for i := range uint64(calls) {
		p.add(call{key: key{stack: i}, time: i})
	}
	if n := len(p.young) + len(p.old); n > maxCalls || n < maxCalls/2 || p.forgotten+uint64(n) != calls {
		t.Errorf("%d calls kept, %d forgotten", n, p.forgotten)
	}
	if _, ok := p.take(key{stack: calls - 1}, calls, 0); !ok {
		t.Error("the last is forgotten")
	}
}
