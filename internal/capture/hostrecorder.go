package capture

import (
	"bytes"
	"context"
	"sync"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/session"
	"dropwatch/internal/stage/owner"
)

// A hostRecorder is a sink that writes a recording with what the host counts: at the
// beginning, at intervals, and at the end. With the counters it writes what the findings of
// the drops until then ask the host for. The pipeline calls Write, and a timer reads.
type hostRecorder struct {
	reader   counters.Reader
	ask      func() *diagnose.Host // the host as it is at the time of the call
	interval time.Duration         // between readings, above 0
	failed   func()                // called when what was read at an interval could not be written

	reading sync.Mutex         // held while the host is read; it is locked before mu
	first   *counters.Snapshot // without counters that were 0, which are most
	answers map[string][]byte  // as they were written last
	last    bool               // the last snapshot was written

	mu      sync.Mutex // held while drops and counters are written
	to      *session.Writer
	drops   diagnose.Collector
	err     error // the first one, which all later calls return
	timer   *time.Timer
	stopped bool // the timer does not begin again
}

// begin writes the counters as they are now, and has them written at each interval until
// the End, which must come.
func (h *hostRecorder) begin() error {
	h.answers = make(map[string][]byte)
	h.read()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(h.interval, h.tick)
	return h.err
}

// Write counts a drop and writes it. Before the End it writes the last counters.
func (h *hostRecorder) Write(e *event.Event) error {
	if e.Kind == event.End {
		h.readLast()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		_ = h.drops.Write(e) // which cannot fail
		h.err = h.to.Write(e)
	}
	return h.err
}

// Flush flushes the recording.
func (h *hostRecorder) Flush() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = h.to.Flush()
	}
	return h.err
}

// tick is what the timer calls.
func (h *hostRecorder) tick() {
	h.reading.Lock()
	defer h.reading.Unlock()
	if h.last {
		return
	}
	h.read()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.err != nil:
		h.failed()
	case !h.stopped:
		h.timer.Reset(h.interval)
	}
}

// readLast writes the counters once more, unless that was done.
func (h *hostRecorder) readLast() {
	h.mu.Lock()
	h.stopped = true
	h.timer.Stop()
	h.mu.Unlock()
	h.reading.Lock()
	defer h.reading.Unlock()
	if !h.last {
		h.last = true
		h.read()
	}
}

// read reads the counters and what the findings need to know, and writes and flushes it.
func (h *hostRecorder) read() {
	snapshot, err := h.reader.Read(context.Background())
	if err != nil {
		return // it is that of the context, which does not end
	}
	if h.first == nil {
		h.first = snapshot.Nonzero()
	}
	h.mu.Lock()
	if h.err == nil {
		h.err = h.to.WriteCounters(snapshot)
	}
	findings := diagnose.Separate(&h.drops, counters.Rises(h.first, snapshot))
	h.mu.Unlock()
	changed := h.askFor(findings)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, question := range changed {
		if h.err == nil {
			h.err = h.to.WriteAnswer(question, h.answers[question])
		}
	}
	if h.err == nil {
		h.err = h.to.Flush()
	}
}

// askFor asks the host for what findings need to know. It returns the questions whose
// answers were not written yet.
func (h *hostRecorder) askFor(findings *diagnose.Diagnosis) (changed []string) {
	asked := h.ask()
	asked.Keep(func(question string, answer []byte) {
		if before, known := h.answers[question]; !known || !bytes.Equal(before, answer) {
			h.answers[question] = answer
			changed = append(changed, question)
		}
	})
	findings.Ask(asked)
	return changed
}

// AllCounters returns a reader of the counters of all network namespaces.
func AllCounters(h *host.Host) counters.Reader {
	return counters.Reader{Host: h, Netns: func(uint32, host.Netns) bool { return true }}
}

// DiagnosedHost returns what gives a running host, as it is at the time of the call, to the
// findings of a diagnosis.
func DiagnosedHost(h *host.Host) func() *diagnose.Host {
	owners := sync.OnceValue(func() func(uint64) event.Owner { return socketOwners(h) })
	return func() *diagnose.Host {
		return diagnose.NewHost(h, func(inode uint64) event.Owner { return owners()(inode) })
	}
}

// socketOwners returns what finds the owner of a socket by its inode. The first call
// waits for the host to be read.
func socketOwners(h *host.Host) func(inode uint64) event.Owner {
	const afInet, tries, pause = 2, 20, 50 * time.Millisecond
	find := owner.Stage(h)
	return func(inode uint64) event.Owner {
		var e event.Event
		for range tries {
			e = event.Event{Kind: event.Drop, Owner: event.Owner{Socket: &event.Socket{
				Inode: inode, Family: afInet, Receiver: true, Confidence: event.Certain,
			}}}
			if find(&e); !e.Owner.Pending {
				break
			}
			time.Sleep(pause)
		}
		return e.Owner
	}
}
