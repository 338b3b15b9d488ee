package trace

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
	"dropwatch/internal/perf"
	"dropwatch/internal/source/sourcetest"
)

// TestCapabilities opens as nobody, with some capabilities: what is missing is
// said, with what to do.
func TestCapabilities(t *testing.T) {
	need(t, Options{}).Close()
	const dac, admin, perfmon = unix.CAP_DAC_READ_SEARCH, unix.CAP_SYS_ADMIN, unix.CAP_PERFMON
	type test struct {
		caps []uintptr
		say  string // "" means that it opens
	}
	tests := map[string]test{
		"none":               {nil, "run as root"},
		"to trace, not read": {[]uintptr{perfmon}, "run as root"},
		"to mount, not read": {[]uintptr{admin}, "run as root or with CAP_DAC_READ_SEARCH"},
		"to read and mount":  {[]uintptr{dac, admin}, ""},
	}
	if _, err := os.Stat("/sys/kernel/tracing/events"); err == nil {
		tests["to read, not trace"] = test{[]uintptr{dac}, "run as root or with CAP_"}
		tests["to read and trace"] = test{[]uintptr{dac, perfmon}, ""}
		if text, err := host.New("/").Sysctl("kernel/perf_event_paranoid"); err == nil && text > "2" {
			tests["to read and trace"] = test{[]uintptr{dac, perfmon}, "kernel.perf_event_paranoid=2, which is "}
		}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var s *Source
			err := sourcetest.AsNobody(tt.caps, func() (err error) {
				s, err = Open(Options{})
				return err
			})
			if err == nil {
				s.Close()
			}
			refused := errors.Is(err, perf.ErrPermission) && strings.Contains(err.Error(), tt.say)
			if tt.say == "" && err != nil || tt.say != "" && !refused {
				t.Errorf("error %v, want %q", err, tt.say)
			}
		})
	}
}
