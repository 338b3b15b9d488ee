package doctor_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"dropwatch/internal/doctor"
	"dropwatch/internal/host"
)

// TestServiceCapabilities: CAP_SYS_ADMIN is only given where nothing less is enough.
func TestServiceCapabilities(t *testing.T) {
	for _, tt := range []struct {
		needs    [][]host.Capability
		paranoid string
		want     string
	}{
		{[][]host.Capability{{host.CapBPF, host.CapPerfmon}}, "4", "[CAP_BPF CAP_PERFMON CAP_SYSLOG CAP_SYS_PTRACE CAP_DAC_READ_SEARCH]"},
		{[][]host.Capability{{host.CapPerfmon}}, "2", "[CAP_PERFMON CAP_SYSLOG CAP_SYS_PTRACE CAP_DAC_READ_SEARCH]"},
		{[][]host.Capability{{host.CapPerfmon}}, "3", "[CAP_PERFMON CAP_SYS_ADMIN CAP_SYSLOG CAP_SYS_PTRACE CAP_DAC_READ_SEARCH]"},
		{[][]host.Capability{{host.CapNetAdmin}}, "2", "[CAP_NET_ADMIN CAP_SYS_ADMIN CAP_SYSLOG CAP_SYS_PTRACE CAP_DAC_READ_SEARCH]"},
		{
			[][]host.Capability{{host.CapBPF, host.CapPerfmon}, {host.CapPerfmon, host.CapDACOverride}}, "2",
			"[CAP_BPF CAP_PERFMON CAP_DAC_OVERRIDE CAP_SYSLOG CAP_SYS_PTRACE CAP_DAC_READ_SEARCH]",
		},
		{
			[][]host.Capability{{host.CapBPF, host.CapPerfmon}, {host.CapPerfmon, host.CapDACOverride}}, "3",
			"[CAP_BPF CAP_PERFMON CAP_DAC_OVERRIDE CAP_SYS_ADMIN CAP_SYSLOG CAP_SYS_PTRACE CAP_DAC_READ_SEARCH]",
		},
	} {
		h := host.FS(fstest.MapFS{"proc/sys/kernel/perf_event_paranoid": {Data: []byte(tt.paranoid + "\n")}})
		var needs []host.Requirements
		for _, capabilities := range tt.needs {
			needs = append(needs, host.Requirements{Capabilities: capabilities})
		}
		got := fmt.Sprint(doctor.ServiceCapabilities(h, needs...))
		if got != tt.want {
			t.Errorf("%v at %s: %s, want %s", tt.needs, tt.paranoid, got, tt.want)
		}
	}
}
