package resolve

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// commTTL is how long a name is used before it is looked up again, by the time of the events:
// a thread may be renamed at any moment, and its number may be given to another thread.
// maxComms is how many names are kept.
const (
	commTTL  = 500 * time.Millisecond
	maxComms = 4096
)

// A comm is the name of a thread, and the time of the event it was looked up for.
type comm struct {
	name string
	at   time.Time
}

// Tasks returns the stage that sets the name of the thread that a CPU was running; name looks
// it up. A thread that has ended has no name, or the one from shortly before. A stage serves
// one pipeline.
func Tasks(name func(tid uint32) string) pipeline.Stage {
	comms := make(map[uint32]comm)
	return func(e *event.Event) bool {
		t := &e.Task
		if !t.Known || t.Comm != "" {
			return true
		}
		c, ok := comms[t.TID]
		if !ok || e.Time.Sub(c.at).Abs() >= commTTL {
			if len(comms) >= maxComms {
				clear(comms)
			}
			c = comm{name(t.TID), e.Time}
			comms[t.TID] = c
		}
		t.Comm = c.name
		return true
	}
}
