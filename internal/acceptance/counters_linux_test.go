package acceptance

import (
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// A deviceCount is a line of counters --json about a device.
type deviceCount struct {
	ID, IfName, Object, About, Lost, Entry, Class, Meaning string
	Value, Limit, Change                                   int
}

// TestGuestCountersOfDevices: what a simulated switch drops by a trap whose action is drop is shown by the
// counters alone, and what it passes on is not taken for lost. Since 5.14 devices count the former.
func TestGuestCountersOfDevices(t *testing.T) {
	guest.ResetMonitor(t)
	guest.HardwareDrops(t)
	r := guest.Run(t, "", dropwatchPath, "counters", "--json", "--all", "--interval", "1s")
	all := jsonLines[deviceCount](t, r.Stdout)
	if r.Code != 0 || r.Stderr != "" {
		t.Errorf("%+v", r)
	}
	const device = "netdevsim/netdevsim10"
	passed := countOf(all, "devlink.fid_miss.rx_packets")
	if passed.Change == 0 || passed.Object != device || passed.Lost != "no" || !strings.Contains(passed.About, "action trap") {
		t.Errorf("packets that were passed on: %+v", passed)
	}
	dropped := countOf(all, "devlink.source_mac_is_multicast.rx_dropped")
	if !guest.AtLeast(5, 14) {
		if dropped.ID != "" {
			t.Errorf("drops that this kernel cannot count: %+v", dropped)
		}
		return
	}
	if dropped.Change == 0 || dropped.Object != device || dropped.Lost != "yes" || dropped.Entry != "source_mac_is_multicast" ||
		dropped.Class != "error" || !strings.Contains(dropped.About, "action drop") || !strings.Contains(dropped.Meaning, "multicast") {
		t.Errorf("packets that the device dropped: %+v", dropped)
	}
	if pause := countOf(all, "driver.pause_rx"); pause.IfName == "" || pause.Lost != "no" {
		t.Errorf("whether the port obeys pause frames: %+v", pause)
	}
	r = guest.Run(t, "", dropwatchPath, "counters", "--json", "--interval", "1s")
	all = jsonLines[deviceCount](t, r.Stdout)
	if countOf(all, dropped.ID).Change == 0 || countOf(all, passed.ID).ID != "" || countOf(all, "driver.pause_rx").ID != "" {
		t.Errorf("shown without --all:\n%s", r.Stdout)
	}
}

// countOf returns the first counter with an ID, an empty one if there is none.
func countOf(all []deviceCount, id string) deviceCount {
	if i := slices.IndexFunc(all, func(c deviceCount) bool { return c.ID == id }); i >= 0 {
		return all[i]
	}
	return deviceCount{}
}
