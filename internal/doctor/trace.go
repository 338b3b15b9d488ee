package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"dropwatch/internal/host"
)

// tracefs checks whether the description of the event can be read. It mounts
// nothing, and does not look below debugfs: opening its directory "tracing" would
// mount tracefs there.
func (e *exam) tracefs() Finding {
	const format = "/events/skb/kfree_skb/format"
	dir := e.MountPoint("tracefs")
	if dir == "" {
		return e.unmounted()
	}
	text, err := e.Text(strings.TrimPrefix(dir, "/") + format)
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case err == nil && strings.Contains(text, " reason;"):
		return ok("%s has the event skb:kfree_skb, with reasons", dir)
	case err == nil:
		return ok("%s has the event skb:kfree_skb, without reasons", dir)
	case e.locked && missing:
		return failed("%s has no events: the kernel was booted with lockdown=confidentiality", dir)
	case e.locked && errors.Is(err, fs.ErrPermission):
		return failed("%s is not readable: the kernel is locked down (confidentiality)", dir)
	case missing:
		return failed("%s has no event skb:kfree_skb: the kernel was built without CONFIG_EVENT_TRACING", dir)
	case errors.Is(err, fs.ErrPermission) && e.root:
		return failed("%s is not readable even by root", dir)
	case errors.Is(err, fs.ErrPermission):
		return failed("%s is not readable by this user", dir).fix(asRoot)
	}
	return failed("%s%s: %v", dir, format, err)
}

// unmounted says what to do where tracefs is not mounted. The source can mount it
// in a mount namespace of its own.
func (e *exam) unmounted() Finding {
	switch {
	case e.traceErr == nil:
		return ok("not mounted: dropwatch mounts it for itself alone")
	case !e.HasFileSystem("tracefs"):
		return failed("this kernel has none: it was built without CONFIG_TRACING")
	case e.contained:
		return failed("not mounted in this container").fix("docker run -v /sys/kernel/tracing:/sys/kernel/tracing:ro ...")
	}
	return failed("not mounted").fix("sudo mount -t tracefs tracefs /sys/kernel/tracing")
}

// perf checks whether the event can be opened, by kernel.perf_event_paranoid and
// the capabilities.
func (e *exam) perf() Finding {
	text, err := e.Sysctl("kernel/perf_event_paranoid")
	if errors.Is(err, fs.ErrNotExist) {
		return failed("this kernel has no perf events: it was built without CONFIG_PERF_EVENTS")
	}
	level, bad := strconv.Atoi(text)
	if err != nil || bad != nil {
		return unknown("cannot read kernel.perf_event_paranoid")
	}
	is := fmt.Sprintf("kernel.perf_event_paranoid is %d", level)
	need := e.tracing(level)
	switch {
	case e.traceErr == nil, level < 0, e.caps.Has(need), e.caps.Has(host.CapSysAdmin):
		return ok("%s, which permits tracing", is)
	case e.caps.Has(host.CapPerfmon):
		return failed("%s, for which CAP_PERFMON is not enough", is).fix("sudo sysctl kernel.perf_event_paranoid=2")
	}
	return failed("%s and %s: the source trace cannot open its event", is, e.missing(need)).fix(e.permit(need))
}

// tracing returns the capability that permits reading the raw data of a tracepoint
// at any level of kernel.perf_event_paranoid but -1 (include/linux/perf_event.h
// perf_allow_tracepoint). Levels above 2 are Debian's and Ubuntu's, and on some of
// their kernels only CAP_SYS_ADMIN is enough.
func (e *exam) tracing(level int) host.Capability {
	if level > 2 || e.version.Before(5, 8) {
		return host.CapSysAdmin
	}
	return host.CapPerfmon
}

// rings checks whether the source trace may lock its rings in memory.
// kernel/events/core.c perf_mmap limits them to kernel.perf_event_mlock_kb (KiB)
// for each CPU, and beyond that to RLIMIT_MEMLOCK.
func (e *exam) rings() Finding {
	const kb = 1 << 10
	text, err := e.Sysctl("kernel/perf_event_mlock_kb")
	if err != nil {
		return unknown("cannot read kernel.perf_event_mlock_kb")
	}
	limit, err := strconv.Atoi(text)
	needed := (e.needs.trace.Locked(e.PageSize()) + kb - 1) / kb
	cpus, _ := e.OnlineCPUs()
	switch {
	case err != nil:
		return unknown("kernel.perf_event_mlock_kb is %q", text)
	case e.caps.Has(host.CapIPCLock):
		return ok("kernel.perf_event_mlock_kb is %d, which does not limit CAP_IPC_LOCK", limit)
	case e.traceErr == nil || (needed-limit)*len(cpus) <= e.LockLimit()/kb:
		return ok("enough memory can be locked: kernel.perf_event_mlock_kb is %d, and ulimit -l adds the rest", limit)
	}
	return warning("kernel.perf_event_mlock_kb is %d and %s: trace needs %d for each CPU, and the rest exceeds ulimit -l",
		limit, e.missing(host.CapIPCLock), needed).fix("sudo sysctl kernel.perf_event_mlock_kb=" + strconv.Itoa(needed))
}

// retransmissions says which source can report what TCP sends again.
func (e *exam) retransmissions() Finding {
	switch {
	case e.retransErr == nil:
		return ok("source %s can report TCP retransmissions", e.retrans)
	case e.retrans != "":
		return warning("source %s can report TCP retransmissions, without sequence numbers, lengths and owners: %v",
			e.retrans, e.retransErr)
	case e.bpfErr != nil && e.traceErr != nil: // which says why
		return failed("no source can report TCP retransmissions, as neither bpf nor trace works")
	}
	return failed("%v", e.retransErr)
}

// trace says whether the source trace could be opened.
func (e *exam) trace() Finding {
	if e.traceErr != nil {
		return failed("%v", e.traceErr)
	}
	return ok("can trace skb:kfree_skb")
}

// owners checks whether this user can look into the processes of others, whose sockets are found there
// (proc_fd_permission and ptrace_may_access in the kernel).
func (e *exam) owners() Finding {
	err := e.Sockets(1, func(uint64) {})
	const hidden = "cannot read the sockets of all processes, so owners are marked ? as likely: "
	switch missing := e.caps.Lacks(host.CapSysPtrace, host.CapDACReadSearch); {
	case err == nil:
		return ok("can read the sockets of all processes")
	case !errors.Is(err, fs.ErrPermission):
		return Finding{}
	case len(missing) > 0:
		return warning(hidden + e.missing(missing[0])).fix(e.permit(missing[0]))
	}
	const forbidden = hidden + "a security module such as AppArmor or SELinux forbids it"
	if e.contained {
		return warning(forbidden).fix("docker run --security-opt apparmor=unconfined --security-opt label=disable ...")
	}
	return warning(forbidden + ": run it outside the profile that this shows").fix("cat /proc/self/attr/current")
}

// symbols checks whether /proc/kallsyms shows addresses to this user. Without them
// packet alerts still bring names, so this is never more than a warning.
func (e *exam) symbols() Finding {
	shown, err := e.ShowsSymbolAddresses()
	if err != nil {
		return warning("cannot read /proc/kallsyms: %v: locations are addresses where the kernel does not name them", err)
	}
	if shown {
		return ok("/proc/kallsyms shows addresses")
	}
	const hidden = "/proc/kallsyms shows no addresses"
	level, _ := e.Sysctl("kernel/kptr_restrict")
	switch {
	case level == "2":
		return warning(hidden + " to anyone: kernel.kptr_restrict is 2").fix("sudo sysctl kernel.kptr_restrict=1")
	case !e.caps.Has(host.CapSyslog):
		return warning(hidden+": %s", e.missing(host.CapSyslog)).fix(e.permit(host.CapSyslog))
	}
	return warning(hidden)
}
