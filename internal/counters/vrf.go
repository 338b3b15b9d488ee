package counters

import (
	"fmt"
	"slices"
)

// InVRF reports whether packets that arrive by an interface in the network namespace of the calling thread are of a VRF, as it
// is one or a port of one (RTM_GETLINK). They are not if there is no such interface.
func InVRF(ifname string) (bool, error) {
	all, err := readLinks()
	if err != nil {
		return false, fmt.Errorf("reading interface %s: %w", ifname, err)
	}
	return isInVRF(all, ifname), nil
}

func isInVRF(all []link, ifname string) bool {
	return slices.ContainsFunc(all, func(l link) bool { return l.name == ifname && (l.kind == "vrf" || l.port == "vrf") })
}
