package perf

import (
	"strconv"
	"strings"
)

// A Probe is an event that the kernel makes of one of its functions (Documentation/trace/kprobetrace.rst).
type Probe struct {
	Name     string  // the beginning of its name: letters, digits and underscores
	Function string  // as in /proc/kallsyms; of a module MODULE:FUNCTION
	Return   bool    // when the function returns, instead of when it is called
	Fetch    []Fetch // what samples have of arguments, registers and memory
}

// A Fetch is a value that the kernel stores in a field of the event.
type Fetch struct {
	Name string // of the field
	Expr string // as in "+12($arg1):u32"
}

// MaxFetch is how many values an event can have (MAX_TRACE_ARGS, kernel/trace/trace_probe.h).
const MaxFetch = 128

// maxProbeName is the longest name of an event or a group (MAX_EVENT_NAME_LEN, the same file).
const maxProbeName = 63

// definition returns what defines the probe under the full name of its event, group/name.
func (p *Probe) definition(event string) string {
	var b strings.Builder
	b.WriteByte('p')
	if p.Return {
		b.Reset()
		b.WriteByte('r')
	}
	b.WriteString(":" + event + " " + p.Function)
	for _, f := range p.Fetch {
		b.WriteString(" " + f.Name + "=" + f.Expr)
	}
	return b.String()
}

// A maker is a process that makes probes, as the names of its events have it.
type maker struct {
	namespace uint64 // inode number of its PID namespace
	pid       uint32 // in that namespace
	start     uint64 // when it began after the boot, in nanoseconds
}

// groupPrefix begins the groups of the events of every dropwatch.
const groupPrefix = "dropwatch_"

// group returns the group of the nth set of events that the process makes: no other has that.
func (m maker) group(n uint64) string {
	parts := []string{format36(m.namespace), format36(uint64(m.pid)), format36(m.start), format36(n)}
	return groupPrefix + strings.Join(parts, "_")
}

// event returns the name of an event of the nth set. It has the process, too, as the statistics of the kernel
// (kprobe_profile) leave out the group.
func (m maker) event(n uint64, name string) string {
	tail := "_" + format36(uint64(m.pid)) + "_" + format36(m.start) + "_" + format36(n)
	return name[:min(len(name), maxProbeName-len(tail))] + tail
}

// parseGroup returns the process of a group. Ok is false for a group of other programs.
func parseGroup(group string) (m maker, ok bool) {
	rest, ok := strings.CutPrefix(group, groupPrefix)
	parts := strings.Split(rest, "_")
	if !ok || len(parts) != 4 {
		return m, false
	}
	var numbers [3]uint64
	for i := range numbers {
		n, err := strconv.ParseUint(parts[i], 36, 64)
		if err != nil {
			return m, false
		}
		numbers[i] = n
	}
	return maker{namespace: numbers[0], pid: uint32(numbers[1]), start: numbers[2]}, true
}

func format36(n uint64) string { return strconv.FormatUint(n, 36) }

// listedEvents returns the events, group/name, in a list as kprobe_events has it: "p:kprobes/name function arg1=..."
// each line.
func listedEvents(list string) (events []string) {
	for line := range strings.Lines(list) {
		head, _, _ := strings.Cut(line, " ")
		if _, event, ok := strings.Cut(head, ":"); ok && strings.Contains(event, "/") {
			events = append(events, strings.TrimSpace(event))
		}
	}
	return events
}

// misses returns how many hits of an event the kernel could not report, by the text of kprobe_profile:
// "  name  hits  misses" each line.
func misses(profile, name string) uint64 {
	for line := range strings.Lines(profile) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			n, _ := strconv.ParseUint(f[2], 10, 64)
			return n
		}
	}
	return 0
}

// logged returns what the kernel says is wrong with a definition, by the text of error_log; empty if nothing.
func logged(log, definition string) (hint string) {
	var last string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if _, text, ok := strings.Cut(line, ": error: "); ok {
			last = text
		}
		if command, ok := strings.CutPrefix(line, "Command: "); ok && command == definition {
			hint = last
		}
	}
	return hint
}
