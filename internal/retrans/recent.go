package retrans

// open makes the flow of a key that has none. If there are as many as may be, the one without a segment
// for the longest time makes room, and its memory is used again.
func (a *Analyzer) open(k key) *flow {
	var f *flow
	if len(a.flows) >= a.limit {
		f = a.oldest
		a.unlink(f)
		delete(a.flows, f.key)
		a.evicted++
	}
	if f == nil {
		f = new(flow)
	} else {
		f.halves[0].reset()
		f.halves[1].reset()
		*f = flow{halves: f.halves}
	}
	f.key = k
	a.flows[k] = f
	a.link(f)
	return f
}

// link makes a flow the newest.
func (a *Analyzer) link(f *flow) {
	f.older, f.newer = a.newest, nil
	if a.newest != nil {
		a.newest.newer = f
	} else {
		a.oldest = f
	}
	a.newest = f
}

// unlink takes a flow out of the order.
func (a *Analyzer) unlink(f *flow) {
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		a.newest = f.older
	}
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		a.oldest = f.newer
	}
}
