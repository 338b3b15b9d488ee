package probe

import "slices"

// A call is the beginning of a function whose return is waited for.
type call struct {
	time  uint64 // of the sample
	epoch uint64 // of the pairs when it was read
	raw   []byte // the fields of its event, a copy
}

// A key is what the call and the return of a function have in common: a stack address is in use once at a time.
type key struct {
	site  int    // index of the site
	task  uint32 // TID, 0 of the idle tasks
	stack uint64 // when the function has returned
}

// calls are those of a key, in the order of their times.
type calls []call

// add adds a call, which is mostly the last.
func (c calls) add(one call) calls {
	i := len(c)
	for i > 0 && c[i-1].time > one.time {
		i--
	}
	return slices.Insert(c, i, one)
}

// take returns the last call before a time, and those after it. Ok is false if there is none.
func (c calls) take(before uint64) (last call, later calls, ok bool) {
	i, _ := slices.BinarySearchFunc(c, before, func(one call, t uint64) int {
		if one.time < t {
			return -1
		}
		return 1
	})
	if i == 0 {
		return last, c, false
	}
	return c[i-1], c[i:], true
}

// maxCalls bounds how many calls are kept. Most are of functions whose return was of no interest.
const maxCalls = 32 << 10

// pairs finds the calls that returns are of. It forgets the oldest ones beyond maxCalls.
type pairs struct {
	young, old map[key]calls
	n          int    // that were added to young
	room       []byte // for copies
	epoch      uint64 // advanced when samples were lost, as the next return may be of a call that was
	forgotten  uint64 // calls whose return may still come
}

func newPairs() *pairs { return &pairs{young: make(map[key]calls), old: make(map[key]calls)} }

// lose says that samples were lost: what comes next is not paired with what came before.
func (p *pairs) lose() { p.epoch++ }

// add keeps a call, with a copy of its fields.
func (p *pairs) add(k key, time uint64, raw []byte) {
	p.young[k] = p.young[k].add(call{time, p.epoch, p.copied(raw)})
	if p.n++; p.n < maxCalls/2 {
		return
	}
	for _, c := range p.old {
		p.forgotten += uint64(len(c))
	}
	p.old, p.young, p.n = p.young, make(map[key]calls), 0
}

// copied returns a copy, with many others in one allocation.
func (p *pairs) copied(raw []byte) []byte {
	const chunk = 64 << 10
	if cap(p.room)-len(p.room) < len(raw) {
		p.room = make([]byte, 0, max(chunk, len(raw)))
	}
	n := len(p.room)
	p.room = append(p.room, raw...)
	return p.room[n:]
}

// take returns the last call before a time, and forgets it and those before it, which will not return any more.
// Ok is false if there is none, or samples were lost between.
func (p *pairs) take(k key, before, epoch uint64) (last call, ok bool) {
	for _, of := range []map[key]calls{p.old, p.young} {
		c, later, found := of[k].take(before)
		if found && (!ok || c.time > last.time) {
			last, ok = c, true
		}
		if len(later) > 0 {
			of[k] = later
		} else {
			delete(of, k)
		}
	}
	if ok && last.epoch != epoch {
		p.forgotten++
		return call{}, false
	}
	return last, ok
}
