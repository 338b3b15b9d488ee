package doctor

import (
	"slices"
	"strconv"

	"dropwatch/internal/host"
)

// ServiceCapabilities returns those that suffice on this host to catch drops, or points, by sources with all of these
// needs, to name their locations, and to find their owners.
func ServiceCapabilities(h *host.Host, needs ...host.Requirements) (all []host.Capability) {
	add := func(more ...host.Capability) {
		for _, c := range more {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	for _, n := range needs {
		add(n.Capabilities...)
		has := func(c host.Capability) bool { return slices.Contains(n.Capabilities, c) }
		alerts := has(host.CapNetAdmin) // of the drop monitor, see join
		raw := has(host.CapPerfmon) && !has(host.CapBPF) && restrictsTracing(h)
		if alerts || raw {
			add(host.CapSysAdmin)
		}
	}
	add(host.CapSyslog, host.CapSysPtrace, host.CapDACReadSearch)
	return all
}

// restrictsTracing reports whether CAP_PERFMON does not permit reading a tracepoint, see tracing.
func restrictsTracing(h *host.Host) bool {
	text, err := h.Sysctl("kernel/perf_event_paranoid")
	level, bad := strconv.Atoi(text)
	return err == nil && bad == nil && level > 2
}
