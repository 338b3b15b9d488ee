package probe

// A call is the beginning of a function whose return is waited for.
type call struct {
	key
	time  uint64 // of the sample
	epoch uint64 // of the pairs when it was read
	raw   []byte // the fields of its event, a copy
}

// A key is what the call and the return of a function have in common: a stack address is in use once at a time.
type key struct {
	site  int
	task  uint32 // TID, 0 of the idle tasks
	stack uint64 // when the function has returned
}

// maxCalls bounds how many calls are kept. Most are of functions whose return was of no interest.
const maxCalls = 32 << 10

// pairs finds the calls that returns are of. It forgets the oldest ones beyond maxCalls.
type pairs struct {
	young, old map[key][]call
	n          int    // in young
	epoch      uint64 // advanced when samples were lost, as the next return may be of a call that was
	forgotten  uint64 // calls whose return may still come
}

func newPairs() *pairs { return &pairs{young: make(map[key][]call), old: make(map[key][]call)} }

// lose says that samples were lost: what comes next is not paired with what came before.
func (p *pairs) lose() { p.epoch++ }

// add keeps a call.
func (p *pairs) add(c call) {
	c.epoch = p.epoch
	p.young[c.key] = append(p.young[c.key], c)
	if p.n++; p.n < maxCalls/2 {
		return
	}
	for _, calls := range p.old {
		p.forgotten += uint64(len(calls))
	}
	p.old, p.young, p.n = p.young, make(map[key][]call), 0
}

// take returns the last call before a time, and forgets it and those before it, which will not return any more.
// Ok is false if there is none, or samples were lost between.
func (p *pairs) take(k key, before, epoch uint64) (last call, ok bool) {
	for _, calls := range []map[key][]call{p.old, p.young} {
		var later []call
		for _, c := range calls[k] {
			switch {
			case c.time >= before:
				later = append(later, c)
			case !ok || c.time > last.time:
				last, ok = c, true
			}
		}
		if len(later) == 0 {
			delete(calls, k)
		} else {
			calls[k] = later
		}
	}
	if ok && last.epoch != epoch {
		p.forgotten++
		return call{}, false
	}
	return last, ok
}
