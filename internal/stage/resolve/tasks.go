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
// do, which all have the number 0. Seen from a PID namespace, so does every
// thread outside it (__task_pid_nr_ns, kernel/pid.c).
const idle = "swapper"

// initialPIDs is the PID namespace that all threads are in (PROC_PID_INIT_INO,
// include/linux/proc_ns.h).
const initialPIDs = "pid:[4026531836]"

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
		if !t.Known || t.Comm != "" {
			return true
		}
		c, ok := comms[t.TID]
		if !ok || e.Time.Sub(c.at).Abs() >= commAge {
			if len(comms) >= commMost {
				clear(comms)
			}
			c = comm{name(t.TID), e.Time}
			comms[t.TID] = c
		}
		t.Comm = c.name
		return true
	}
}

// HostTask gives the name of a thread of this host, of any process, empty if
// there is none of that number (/proc/TID/comm), or if 0 may be any thread
// outside our PID namespace.
func HostTask(tid uint32) string {
	if tid == 0 {
		return hostIdle()
	}
	b, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(tid), 10) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// hostIdle names the threads 0 if all of them are idle.
func hostIdle() string {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initialPIDs {
		return ""
	}
	return idle
}
