package counters_test

import (
	"os/exec"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest/drops"
)

// TestGuestBondMember: a bond counts that the link of its member failed, and says that it is down.
func TestGuestBondMember(t *testing.T) {
	ns := drops.NewNamespace(t)
	_ = exec.Command("modprobe", "bonding").Run() // unless the kernel has it, or loads it on demand
	ns.Batch("link add bond7 type bond mode active-backup miimon 50\nlink add near type veth peer name far\n" +
		"link set near master bond7\nlink set far up\nlink set bond7 up\n")
	r := counters.Reader{Host: host.New("/"), Groups: []counters.Group{counters.Interface}}
	isDown := func() (down bool) {
		ns.Do(func() error {
			for _, c := range snapshot(t, &r).Counters {
				down = down || c.IfName == "near" && c.Name == "bond_member_down"
			}
			return nil
		})
		return down
	}
	ns.Await("the bond uses its member", func() bool { return !isDown() })
	got := changes(t, ns, func() {
		ns.Run("ip", "link", "set", "far", "down")
		ns.Await("the bond finds the link down", isDown)
	}, counters.Interface)
	if c := got["near interface.bond_link_failures"]; c.Delta != 1 {
		t.Errorf("failures: %+v", c)
	}
	if c := got["near interface.bond_member_down"]; c.Value != 1 || c.Limit != 1 || c.About != "down" {
		t.Errorf("state: %+v", c)
	}
}
