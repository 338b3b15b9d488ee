package counters

import "testing"

func TestInVRF(t *testing.T) {
	all := []link{{name: "blue", kind: "vrf"}, {name: "eth0", port: "vrf"}, {name: "eth1", kind: "veth", port: "bridge"}, {name: "lo"}}
	for name, want := range map[string]bool{"blue": true, "eth0": true, "eth1": false, "lo": false, "gone": false} {
		if got := isInVRF(all, name); got != want {
			t.Errorf("%s is in a VRF: %t, want %t", name, got, want)
		}
	}
}
