package trace

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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
	if _, _, err := openMounted(); err == nil {
		tests["to read, not trace"] = test{[]uintptr{dac}, "run as root or with " + needed()}
		tests["to read and trace"] = test{[]uintptr{dac, perfmon}, ""}
		if strings.HasPrefix(needed(), "CAP_SYS_ADMIN") {
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
			if tt.say == "" && err != nil || tt.say != "" && (!errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), tt.say)) {
				t.Errorf("error %v, want %q", err, tt.say)
			}
		})
	}
}
