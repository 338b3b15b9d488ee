package doctor

import (
	"slices"
	"strconv"

	"dropwatch/internal/host"
)

// ServiceCapabilities returns those that suffice to catch drops on this host by a source with these
// needs, to name their locations, and to find their owners.
func ServiceCapabilities(h *host.Host, needs host.Requirements) []host.Capability {
	all := slices.Clone(needs.Capabilities)
	alerts := slices.Contains(all, host.CapNetAdmin) // of the drop monitor, see join
	raw := slices.Equal(all, []host.Capability{host.CapPerfmon}) && restrictsTracing(h)
	if alerts || raw {
		all = append(all, host.CapSysAdmin)
	}
	return append(all, host.CapSyslog, host.CapSysPtrace, host.CapDACReadSearch)
}

// restrictsTracing reports whether CAP_PERFMON does not permit reading a tracepoint, see tracing.
func restrictsTracing(h *host.Host) bool {
	text, err := h.Sysctl("kernel/perf_event_paranoid")
	level, bad := strconv.Atoi(text)
	return err == nil && bad == nil && level > 2
}
