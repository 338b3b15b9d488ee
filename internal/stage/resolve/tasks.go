package resolve

import (
	"os"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// commAge is how long a name is believed, in the time of the events: a thread
// may take another at any moment, and its number may go to another thread.
// commMost is how many names are kept.
const (
	commAge  = 500 * time.Millisecond
	commMost = 4096
)

// idle is what the kernel calls the threads that run when a CPU has nothing to
// do, which all have the number 0.
const idle = "swapper"

// A comm is the name of a thread, and the time of the event that asked for it.
type comm struct {
	name string
	at   time.Time
}

// Tasks is the stage that names the thread that a CPU was running. A thread
// that has ended meanwhile stays without a name, or has the one that it had
// shortly before. A stage serves one pipeline.
func Tasks(name func(tid uint32) string) pipeline.Stage {
	comms := make(map[uint32]comm)
	return func(e *event.Event) bool {
		t := &e.Task
		switch {
		case !t.Known || t.Comm != "":
		case t.TID == 0:
			t.Comm = idle
		default:
			c, ok := comms[t.TID]
			if !ok || e.Time.Sub(c.at).Abs() >= commAge {
				if len(comms) >= commMost {
					clear(comms)
				}
				c = comm{name(t.TID), e.Time}
				comms[t.TID] = c
			}
			t.Comm = c.name
		}
		return true
	}
}

// HostTask gives the name of a thread of this host, of any process, empty if
// there is none of that number (/proc/TID/comm).
func HostTask(tid uint32) string {
	b, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(tid), 10) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}
