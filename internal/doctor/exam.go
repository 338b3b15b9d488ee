package doctor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dropwatch/netlink"
)

// An exam is one look at a host: its files, and what the probes answered.
type exam struct {
	tree
	release      string // as uname -r
	major, minor int    // of release; 0 if it is not known
	caps         capabilities
	root         bool // the effective user id is 0
	contained    bool // in a container, as far as can be told
	options      options
	optionsErr   error

	wasLoaded, isLoaded bool // drop_monitor, before and after it was asked for
	dialErr             error
	running             bool
	runErr              error
	peers               []netlink.Peer
	hidden              int
	peersErr            error
	joinErr             error // also where NET_DM could not be asked
	mayStart            bool
	bpfErr, traceErr    error
}

func newExam(h Host) *exam {
	e := &exam{tree: tree{h.Root}}
	e.release, _ = e.sysctl("kernel/osrelease")
	e.major, e.minor = version(e.release)
	status, _ := e.text("proc/self/status")
	e.contained = e.inContainer()
	if e.initial("user") {
		e.caps = parseCapabilities(status)
	}
	e.root = effectiveUser(status) == "0"
	e.options, e.optionsErr = e.findOptions(e.release)
	e.probe(h)
	return e
}

// probe asks the kernel itself, whose answer is worth more than what files say.
func (e *exam) probe(h Host) {
	e.bpfErr, e.traceErr = h.BPF(), h.Trace()
	e.wasLoaded = e.loaded()
	m, err := h.Monitor()
	e.isLoaded = e.loaded()
	if err != nil {
		e.dialErr, e.joinErr, e.mayStart = err, err, e.caps.has(netAdmin)
		return
	}
	defer m.Close()
	e.joinErr = m.Join()
	e.running, e.runErr = m.Running()
	e.mayStart = e.runErr == nil || errors.Is(e.runErr, netlink.ErrUnsupported)
	e.peers, e.hidden, e.peersErr = m.Peers()
}

// before tells whether the kernel is older than a version; one that is not
// known is not.
func (e *exam) before(major, minor int) bool {
	return e.major > 0 && (e.major < major || e.major == major && e.minor < minor)
}

// version reads the first two numbers of a release such as 6.12.8-amd64.
func version(release string) (major, minor int) {
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return 0, 0
	}
	return major, minor
}

// A capability is its number in include/uapi/linux/capability.h.
type capability uint

const (
	netAdmin capability = 12
	ipcLock  capability = 14
	sysAdmin capability = 21
	syslog   capability = 34
	perfmon  capability = 38 // since 5.8, before it was a part of CAP_SYS_ADMIN
	bpf      capability = 39 // since 5.8
)

// capabilityNames are without CAP_, as docker takes them.
var capabilityNames = map[capability]string{
	netAdmin: "NET_ADMIN", ipcLock: "IPC_LOCK", sysAdmin: "SYS_ADMIN",
	syslog: "SYSLOG", perfmon: "PERFMON", bpf: "BPF",
}

// capabilities are those that a process has in the initial user namespace.
type capabilities uint64

func (c capabilities) has(n capability) bool { return c&(1<<n) != 0 }

// parseCapabilities reads CapEff of /proc/PID/status (fs/proc/array.c).
func parseCapabilities(status string) capabilities {
	n, _ := strconv.ParseUint(field(status, "CapEff"), 16, 64)
	return capabilities(n)
}

// effectiveUser is the second of the four in Uid of /proc/PID/status.
func effectiveUser(status string) string {
	ids := strings.Fields(field(status, "Uid"))
	if len(ids) < 2 {
		return ""
	}
	return ids[1]
}

// permit gives the command by which to run with a capability; empty if none
// gives it.
func (e *exam) permit(c capability) string {
	switch {
	case !e.initial("user"):
		return ""
	case !e.root:
		return asRoot
	case e.contained:
		return "docker run --cap-add " + capabilityNames[c] + " ..."
	}
	return ""
}

const asRoot = "sudo dropwatch watch"

// missing says that a capability is not there, or does not count.
func (e *exam) missing(c capability) string {
	name := "CAP_" + capabilityNames[c]
	if !e.initial("user") {
		return name + " counts only in the host's user namespace, not in this one"
	}
	return name + " is missing"
}

func ok(format string, args ...any) Finding      { return found(OK, format, args) }
func warning(format string, args ...any) Finding { return found(Warning, format, args) }
func wrong(format string, args ...any) Finding   { return found(Wrong, format, args) }
func unknown(format string, args ...any) Finding { return found(Unknown, format, args) }

func found(s State, format string, args []any) Finding {
	return Finding{State: s, Says: fmt.Sprintf(format, args...)}
}

// mend adds a remedy.
func (f Finding) mend(command string) Finding {
	f.Remedy = command
	return f
}
