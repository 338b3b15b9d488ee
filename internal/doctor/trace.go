package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// tracefs tells whether the event's description can be read, without mounting
// anything, not even by a look at debugfs's tracing, which mounts itself.
func (e *exam) tracefs() Finding {
	const format = "/events/skb/kfree_skb/format"
	dir := e.tracefsMount()
	if dir == "" {
		return e.unmounted()
	}
	text, err := e.text(strings.TrimPrefix(dir, "/") + format)
	switch {
	case err == nil && strings.Contains(text, " reason;"):
		return ok("%s has the event skb:kfree_skb, with reasons", dir)
	case err == nil:
		return ok("%s has the event skb:kfree_skb, without reasons", dir)
	case errors.Is(err, fs.ErrNotExist):
		return wrong("%s has no event skb:kfree_skb: the kernel was built without CONFIG_EVENT_TRACING", dir)
	case errors.Is(err, fs.ErrPermission) && e.root:
		return wrong("%s is not readable even by root", dir)
	case errors.Is(err, fs.ErrPermission):
		return wrong("%s is not readable by this user", dir).mend(asRoot)
	}
	return wrong("%s%s: %v", dir, format, err)
}

// tracefsMount is where tracefs is mounted first; empty if nowhere.
func (e *exam) tracefsMount() string {
	text, _ := e.text("proc/self/mounts")
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "tracefs" {
			return f[1]
		}
	}
	return ""
}

func (e *exam) unmounted() Finding {
	known := e.lineWith("proc/filesystems", func(l string) bool { return strings.HasSuffix(l, "\ttracefs") })
	switch {
	case e.traceErr == nil:
		return ok("not mounted, which dropwatch does for itself alone")
	case !known:
		return wrong("this kernel has none: it was built without CONFIG_TRACING")
	case e.contained:
		return wrong("not mounted in this container").mend("docker run -v /sys/kernel/tracing:/sys/kernel/tracing:ro ...")
	}
	return wrong("not mounted").mend("sudo mount -t tracefs tracefs /sys/kernel/tracing")
}

// perf tells whether the event can be opened.
func (e *exam) perf() Finding {
	text, err := e.sysctl("kernel/perf_event_paranoid")
	if errors.Is(err, fs.ErrNotExist) {
		return wrong("this kernel has no perf events: it was built without CONFIG_PERF_EVENTS")
	}
	level, bad := strconv.Atoi(text)
	if err != nil || bad != nil {
		return unknown("kernel.perf_event_paranoid cannot be read")
	}
	is := fmt.Sprintf("kernel.perf_event_paranoid is %d", level)
	need := e.tracing(level)
	switch {
	case e.traceErr == nil, level < 0, e.caps.has(need), e.caps.has(sysAdmin):
		return ok("%s, which lets us trace", is)
	case e.caps.has(perfmon):
		return wrong("%s, for which CAP_PERFMON is not enough", is).mend("sudo sysctl kernel.perf_event_paranoid=2")
	}
	return wrong("%s and %s: the source trace cannot open its event", is, e.missing(need)).mend(e.permit(need))
}

// tracing is the capability that gives the raw data of a tracepoint at any
// level of kernel.perf_event_paranoid but -1 (include/linux/perf_event.h
// perf_allow_tracepoint). Levels above 2 are Debian's and Ubuntu's, some of
// whose kernels have CAP_SYS_ADMIN alone for them.
func (e *exam) tracing(level int) capability {
	if level > 2 || e.before(5, 8) {
		return sysAdmin
	}
	return perfmon
}

// ringSize is what trace locks on each CPU by default, KiB: 512 and a page for
// the drops, two pages for its bell.
const ringSize = 512 + 3*4

// rings tells whether what the kernel keeps for us may be locked in memory.
// kernel/events/core.c perf_mmap bounds it by kernel.perf_event_mlock_kb for a
// CPU, and beyond that by RLIMIT_MEMLOCK.
func (e *exam) rings() Finding {
	limit, err := e.sysctl("kernel/perf_event_mlock_kb")
	if err != nil {
		return unknown("kernel.perf_event_mlock_kb cannot be read")
	}
	n, err := strconv.Atoi(limit)
	switch {
	case err != nil:
		return unknown("kernel.perf_event_mlock_kb is %q", limit)
	case e.caps.has(ipcLock):
		return ok("kernel.perf_event_mlock_kb is %d, which does not bind CAP_IPC_LOCK", n)
	case e.traceErr == nil || (ringSize-n)*e.cpus() <= e.lockable():
		return ok("kernel.perf_event_mlock_kb is %d, with ulimit -l enough", n)
	}
	return warning("kernel.perf_event_mlock_kb is %d and %s: trace wants %d on each CPU, and the rest is beyond ulimit -l", n, e.missing(ipcLock), ringSize).
		mend("sudo sysctl kernel.perf_event_mlock_kb=" + strconv.Itoa(ringSize))
}

func (e *exam) trace() Finding {
	if e.traceErr != nil {
		return wrong("%v", e.traceErr)
	}
	return ok("skb:kfree_skb can be traced")
}

// symbols tells whether /proc/kallsyms shows addresses to us
// (kernel/kallsyms.c kallsyms_show_value).
func (e *exam) symbols() Finding {
	shown, err := e.addressesShown()
	if err != nil {
		return warning("/proc/kallsyms cannot be read: %v: places are addresses where the kernel does not name them", err)
	}
	if shown {
		return ok("/proc/kallsyms shows addresses")
	}
	const hidden = "/proc/kallsyms shows no addresses"
	level, _ := e.sysctl("kernel/kptr_restrict")
	switch {
	case level == "2":
		return warning(hidden + " to anybody: kernel.kptr_restrict is 2").mend("sudo sysctl kernel.kptr_restrict=1")
	case !e.caps.has(syslog):
		return warning(hidden+": %s", e.missing(syslog)).mend(e.permit(syslog))
	}
	return warning(hidden)
}

// addressesShown looks for one that is not zero, as the first ones may be.
func (e *exam) addressesShown() (bool, error) {
	f, err := e.Open("proc/kallsyms")
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		address, _, _ := strings.Cut(lines.Text(), " ")
		if strings.Trim(address, "0") != "" {
			return true, nil
		}
	}
	return false, lines.Err()
}
