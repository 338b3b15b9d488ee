package doctor

import (
	"errors"

	"dropwatch/internal/host"
	"dropwatch/netlink"
)

// An exam is one examination of a host: what its files say and what the probes
// returned. Checks only read it.
type exam struct {
	*host.Host
	needs struct{ bpf, netdm, trace host.Requirements }

	release    string            // as from uname -r
	version    host.Version      // of the kernel; 0.0 if release is none
	caps       host.Capabilities // effective in the initial user namespace; none in another
	root       bool              // the effective user ID is 0
	contained  bool              // known to be in a container
	options    host.KernelOptions
	optionsErr error // why options are not known
	locked     bool  // lockdown=confidentiality

	wasLoaded, isLoaded bool  // drop_monitor, before and after NET_DM was looked for
	dialErr             error // why NET_DM cannot be used; nil: it can
	running             bool
	runErr              error // why running is not known
	listeners           []host.Listener
	hidden              int    // listeners of other users, whose processes cannot be read
	listenersErr        error  // why listeners are not known
	joinErr             error  // the dialErr where there is no NET_DM
	mayStart            bool   // this user has the capability for it
	bpfErr, traceErr    error  // why the sources do not open; nil: they do
	retrans             string // the source of what TCP sends again; empty: none
	retransErr          error  // why it is not the first
}

// newExam collects everything that the checks look at. It tries the sources, which
// takes about 0.1 s.
func newExam(s Subject) *exam {
	e := &exam{Host: s.Host}
	e.needs.bpf, e.needs.netdm, e.needs.trace = s.BPF.Needs, s.Netdm, s.Trace.Needs
	e.release = e.Release()
	e.version = host.ParseVersion(e.release)
	e.contained = e.Contained()
	self, err := e.Self()
	if e.root = err == nil && self.EUID == 0; e.InInitialUserNamespace() {
		e.caps = self.Capabilities
	}
	e.options, e.optionsErr = e.KernelOptions(e.release)
	e.locked = e.Locked(host.LockdownConfidentiality)
	e.bpfErr, e.traceErr = s.BPF.Try(), s.Trace.Try()
	e.retrans, e.retransErr = s.Retrans()
	e.probe(s.Monitor)
	return e
}

// probe tries NET_DM itself, which is worth more than what files say. Looking for
// the family makes the kernel load the module.
func (e *exam) probe(monitor func() (Monitor, error)) {
	e.wasLoaded = e.ModuleLoaded("drop_monitor")
	m, err := monitor()
	e.isLoaded = e.ModuleLoaded("drop_monitor")
	if err != nil {
		e.dialErr, e.joinErr, e.mayStart = err, err, e.caps.Has(e.needs.netdm.Capabilities...)
		return
	}
	defer m.Close()
	e.joinErr = m.Join()
	e.running, e.runErr = m.Running()
	e.mayStart = e.runErr == nil || errors.Is(e.runErr, netlink.ErrUnsupported)
	e.listeners, e.hidden, e.listenersErr = e.GenericListeners(m.Group())
}

// permit returns the command by which to run with a capability; empty if no command
// does.
func (e *exam) permit(c host.Capability) string {
	switch {
	case !e.InInitialUserNamespace():
		return ""
	case !e.root:
		return asRoot
	case e.contained:
		return "docker run --cap-add " + c.Short() + " ..."
	}
	return ""
}

// asRoot is the fix where root is enough.
const asRoot = "sudo dropwatch watch"

// missing describes that a capability is missing, or is there and does not count.
func (e *exam) missing(c host.Capability) string {
	if !e.InInitialUserNamespace() {
		return c.String() + " counts only in the host's user namespace, not in this one"
	}
	return c.String() + " is missing"
}
