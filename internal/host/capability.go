package host

import "strconv"

// A Capability is its number in include/uapi/linux/capability.h.
type Capability uint8

// The capabilities that dropwatch uses.
const (
	CapDACOverride   Capability = 1
	CapDACReadSearch Capability = 2
	CapNetAdmin      Capability = 12
	CapIPCLock       Capability = 14
	CapSysPtrace     Capability = 19
	CapSysAdmin      Capability = 21
	CapSyslog        Capability = 34
	CapPerfmon       Capability = 38 // since 5.8, before it was a part of CAP_SYS_ADMIN
	CapBPF           Capability = 39 // since 5.8
)

// capabilityNames are the names without CAP_.
var capabilityNames = map[Capability]string{
	CapDACOverride: "DAC_OVERRIDE", CapDACReadSearch: "DAC_READ_SEARCH", CapNetAdmin: "NET_ADMIN", CapIPCLock: "IPC_LOCK",
	CapSysPtrace: "SYS_PTRACE", CapSysAdmin: "SYS_ADMIN", CapSyslog: "SYSLOG", CapPerfmon: "PERFMON", CapBPF: "BPF",
}

// Short returns the name without CAP_, as docker run --cap-add wants it: NET_ADMIN. A
// capability that is not above is a number.
func (c Capability) Short() string {
	if name := capabilityNames[c]; name != "" {
		return name
	}
	return strconv.Itoa(int(c))
}

// String returns the name: CAP_NET_ADMIN.
func (c Capability) String() string { return "CAP_" + c.Short() }

// Capabilities is a set of capabilities, as CapEff in /proc/PID/status has it.
type Capabilities uint64

// Has reports whether the set has all of these.
func (s Capabilities) Has(all ...Capability) bool { return len(s.Lacks(all...)) == 0 }

// Lacks returns which of these the set does not have.
func (s Capabilities) Lacks(all ...Capability) (missing []Capability) {
	for _, c := range all {
		if s&(1<<c) == 0 {
			missing = append(missing, c)
		}
	}
	return missing
}
