package acceptance

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// impossible are the built-in points that a kernel cannot probe. On 5.10 modules have no types, and only the
// functions of some are declared; until 6.9 the counters of a device are raised without a function.
func impossible() (names []string) {
	if !guest.AtLeast(6, 12) {
		names = append(names, "dev_rx_dropped", "dev_tx_dropped", "dev_rx_nohandler")
	}
	if !guest.AtLeast(6, 1) {
		names = append(names, "dev_rx_otherhost_dropped", "bridge_vlan", "conntrack_helper", "nftables", "nftables_policy")
	}
	slices.Sort(names)
	return names
}

// TestGuestPoints: all that is built in can be probed, with the types of this kernel, but for what it lacks. A file
// that is generated has the same points.
func TestGuestPoints(t *testing.T) {
	for _, module := range []string{"ip_tables", "ip6_tables", "nf_tables", "nf_conntrack", "bridge", "8021q"} {
		guest.Run(t, "", "modprobe", module) // it may be built in, or not there
	}
	all := guest.Run(t, "", dropwatchPath, "points", "test")
	verdicts := regexp.MustCompile(`(?m)^(\w+): (possible|not) on this kernel`).FindAllStringSubmatch(all.Stdout, -1)
	var not []string
	for _, v := range verdicts {
		if v[2] == "not" {
			not = append(not, v[1])
		}
	}
	slices.Sort(not)
	if want := impossible(); !slices.Equal(not, want) || len(verdicts) < 30 || (all.Code == 1) != (len(want) > 0) {
		t.Errorf("%d points, exit code %d, not possible: %q, want %q\n%s%s", len(verdicts), all.Code, not, want, all.Stdout, all.Stderr)
	}
	file := t.TempDir() + "/points.toml"
	guest.Do(t, dropwatchPath, "points", "--gen", file)
	if again := guest.Run(t, "", dropwatchPath, "points", "test", file); again.Stdout != all.Stdout || again.Code != all.Code {
		t.Errorf("exit code %d, %s\nwithout the file %d, %s", again.Code, again.Stdout, all.Code, all.Stdout)
	}
	list := guest.Run(t, "", dropwatchPath, "points", "tcp").Stdout
	if !strings.Contains(list, "    point     tcp_accept_queue                       probe\n") {
		t.Errorf("the list has no tcp_accept_queue: %s", list)
	}
}
