package session

import (
	"time"

	"dropwatch/internal/host"
)

// A Header describes the run that was recorded, and its host. Its texts are those of the file:
// escape them before printing.
type Header struct {
	Version  int               `json:"-"`                  // of the format
	Program  string            `json:"program,omitempty"`  // with its version
	Command  string            `json:"command,omitempty"`  // command line of the run
	Source   string            `json:"source,omitempty"`   // of the events: netdm, trace, ...
	Settings map[string]string `json:"settings,omitempty"` // of source and stages, by name
	Started  time.Time         `json:"started,omitzero"`   // when the run began
	Host     string            `json:"host,omitempty"`     // name
	Kernel   string            `json:"kernel,omitempty"`   // release, as uname -r
	Machine  string            `json:"machine,omitempty"`  // as uname -m; GOARCH before Linux 6.1
	BootID   string            `json:"boot_id,omitempty"`  // of the boot, for which the addresses are valid
	Counters bool              `json:"counters,omitempty"` // it has what the host counted

	// SinceBoot is how long after the boot Started was, in nanoseconds, by a clock that nobody sets; 0: not known.
	SinceBoot time.Duration `json:"since_boot,omitzero"`

	Symbols string `json:"symbols,omitempty"` // build ID of the kernel, which identifies its symbol table
}

// HostHeader returns a header with the identity of a host.
func HostHeader(i host.Identity) Header {
	return Header{Host: i.Name, Kernel: i.Release, Machine: i.Machine, BootID: i.BootID, Symbols: i.BuildID}
}

// Identity returns the identity of the host that was recorded.
func (h *Header) Identity() host.Identity {
	return host.Identity{Name: h.Host, Release: h.Kernel, Machine: h.Machine, BootID: h.BootID, BuildID: h.Symbols}
}
