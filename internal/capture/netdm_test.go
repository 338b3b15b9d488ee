package capture

import (
	"testing"

	"dropwatch/internal/source/netdm"
	"dropwatch/internal/stage/filter"
	"dropwatch/netlink"
)

// A monitor only has a configuration.
type monitor struct {
	netdm.Monitor
	config netlink.Config
}

func (m *monitor) Config() (netlink.Config, error)  { return m.config, nil }
func (m *monitor) SetConfig(c netlink.Config) error { m.config = c; return nil }
func (m *monitor) Running() (bool, error)           { return false, nil }
func (m *monitor) Group() uint32                    { return 1 }
func (m *monitor) Close() error                     { return nil }

// TestTruncationLeavesHeadersToTheFilter: packets are cut after a filter has read them.
func TestTruncationLeavesHeadersToTheFilter(t *testing.T) {
	port, err := filter.Parse("dst port 53")
	if err != nil {
		t.Fatal(err)
	}
	reason, err := filter.Parse("reason == NO_SOCKET")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		found       netlink.Config
		input       Input
		filter      *filter.Filter
		kernel, cut uint32
	}{
		"a filter on ports":        {input: Input{Trunc: 14}, filter: port, kernel: headerBytes, cut: 14},
		"enough for headers":       {input: Input{Trunc: 300}, filter: port, kernel: 300},
		"no limit":                 {input: Input{}, filter: port, kernel: headerBytes},
		"no filter":                {input: Input{Trunc: 14}, kernel: 14},
		"a filter without headers": {input: Input{Trunc: 14}, filter: reason, kernel: 14},
		"set in a session": {
			found: netlink.Config{Mode: netlink.ModePacket, TruncLen: 34}, input: Input{Mode: AsConfigured}, filter: port,
			kernel: headerBytes, cut: 34,
		},
		"not set in a session": {found: netlink.Config{Mode: netlink.ModePacket}, input: Input{Mode: AsConfigured}, filter: port},
		"a session without filter": {
			found: netlink.Config{Mode: netlink.ModePacket, TruncLen: 34}, input: Input{Mode: AsConfigured}, kernel: 34,
		},
		"a session with summaries": {found: netlink.Config{TruncLen: 34}, input: Input{Mode: AsConfigured}, filter: port, kernel: 34},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &monitor{config: tt.found}
			s := netdm.New(m, nil)
			restore, cut, err := configureNetdm(t.Context(), s, &Spec{Input: tt.input, Filter: tt.filter})
			if err != nil || m.config.TruncLen != tt.kernel || cut != tt.cut {
				t.Errorf("the kernel has %+v, %d are left, %v; want %d and %d", m.config, cut, err, tt.kernel, tt.cut)
			}
			restore()
			if m.config != tt.found {
				t.Errorf("left at %+v, want %+v", m.config, tt.found)
			}
		})
	}
}

func TestTruncationOfBPF(t *testing.T) {
	port, err := filter.Parse("dst port 53")
	if err != nil {
		t.Fatal(err)
	}
	for trunc, want := range map[uint32][2]uint32{0: {headerBytes, 0}, 20: {headerBytes, 20}, 300: {300, 0}} {
		read, cut := (&Spec{Input: Input{Trunc: trunc}, Filter: port}).bpfBytes()
		if uint32(read) != want[0] || cut != want[1] {
			t.Errorf("--trunc %d: reads %d, leaves %d, want %d", trunc, read, cut, want)
		}
	}
}
