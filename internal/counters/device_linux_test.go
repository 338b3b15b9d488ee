package counters_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestReadDevices: of real devices, one that carries others is named by them, and the other
// end of a veth pair is not taken for what carries it.
func TestReadDevices(t *testing.T) {
	vmtest.RequireRoot(t)
	var all []counters.Device
	drops.NewNamespace(t).Do(func() (err error) {
		for line := range strings.Lines(`link add near mtu 1400 type veth peer name other
link add br0 type bridge
link set near master br0
link set other mtu 9000 up
link add link other name over mtu 1300 type macvlan
link set over txqueuelen 7`) {
			if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
				return fmt.Errorf("ip %s: %w: %s", line, err, out)
			}
		}
		all, err = counters.ReadDevices()
		return err
	})
	found := make(map[string]counters.Device)
	for _, d := range all {
		found[d.IfName] = d
	}
	if d := found["near"]; d.Kind != "veth" || d.MTU != 1400 || d.Master != "br0" || d.Lower != "" || d.Receive.Now != 1 {
		t.Errorf("near: %+v", d)
	}
	if d := found["over"]; d.Kind != "macvlan" || d.MTU != 1300 || d.Queue != 7 || d.Lower != "other" || d.Inside != 0 {
		t.Errorf("over: %+v", d)
	}
	if d := found["lo"]; !d.Loopback || d.LRO {
		t.Errorf("lo: %+v", d)
	}
}
