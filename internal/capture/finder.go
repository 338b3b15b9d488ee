package capture

import "dropwatch/internal/event"

// awaitFound waits for what is found at the end, which outputs still have to write, unless the user is in a hurry.
func (r *run) awaitFound() {
	if r.found == nil {
		return
	}
	select {
	case <-r.found:
	case <-r.Signals.Hurried():
	case <-r.closed:
	}
}

// find returns what Spec.Finder has found.
func (r *run) find() []event.Event {
	defer close(r.found)
	if f := r.spec.Input.Follower; f != nil {
		f.finish()
	}
	return r.spec.Finder.Found(r.outcome)
}
