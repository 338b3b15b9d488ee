package host

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxWait is how long a read outside of proc and sys may take: a disk can be slow.
// foreignWait is how long it may take if others can have created the file: they must not be
// able to stop the pipeline. maxGuards is how many directories may fail to answer at the
// same time, as each keeps a goroutine.
const (
	maxWait     = 2 * time.Second
	foreignWait = 200 * time.Millisecond
	maxGuards   = 64
)

// guards are the reads in progress, by directory.
type guards struct {
	mu   sync.Mutex
	busy map[string]*visit
}

// A visit is a read in progress.
type visit struct {
	deadline time.Time     // until when others wait for it
	ended    chan struct{} // closed at its end
}

// directory returns the part of a name, three elements, for which one read at a time is made:
// of home/ann/.local/share/x it is home/ann/.local.
func directory(name string) string {
	const parts = 3
	end := 0
	for range parts {
		i := strings.IndexByte(name[end:], '/')
		if i < 0 {
			return name
		}
		end += i + 1
	}
	return name[:end-1]
}

// begin returns the visit in progress in a directory or, with mine, a new one, which the
// caller must end. It returns nil if too many directories do not answer.
func (g *guards) begin(dir string, wait time.Duration) (v *visit, mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v = g.busy[dir]
	if v != nil || len(g.busy) >= maxGuards {
		return v, false
	}
	if g.busy == nil {
		g.busy = make(map[string]*visit)
	}
	v = &visit{time.Now().Add(wait), make(chan struct{})}
	g.busy[dir] = v
	return v, true
}

// end ends a visit and wakes up all that wait for it.
func (g *guards) end(dir string, v *visit) {
	g.mu.Lock()
	delete(g.busy, dir)
	g.mu.Unlock()
	close(v.ended)
}

// wait reports whether the visit ends before its deadline.
func (v *visit) wait() bool {
	timeout := time.NewTimer(time.Until(v.deadline))
	defer timeout.Stop()
	select {
	case <-v.ended:
		return true
	case <-timeout.C:
		return false
	}
}

// guarded calls read in a goroutine and waits for it for at most wait, after at most that
// for each read of the same directory before it. If it does not return in time the error is
// [ErrNoAnswer], and until it does return further reads of that directory fail, too.
func guarded[T any](h *Host, name string, wait time.Duration, read func() (T, error)) (T, error) {
	dir := directory(name)
	noAnswer := func() (none T, err error) { return none, fmt.Errorf("read %s: %w", name, ErrNoAnswer) }
	v, mine := h.guards.begin(dir, wait)
	for ; !mine; v, mine = h.guards.begin(dir, wait) {
		if v == nil || !v.wait() {
			return noAnswer()
		}
	}
	var result T
	var failure error
	go func() {
		defer h.guards.end(dir, v)
		result, failure = read()
	}()
	if !v.wait() {
		return noAnswer()
	}
	return result, failure
}
