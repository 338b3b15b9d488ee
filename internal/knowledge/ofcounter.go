package knowledge

import (
	"strings"

	"dropwatch/internal/event"
)

// OfCounter explains a counter by its ID in package counters, with commands for its interface (empty if it
// has none) and its network namespace. It returns false if nothing is known of it. Of a driver's own name
// the Entry is that of what it means: driver.rx0_drops is driver.rx_dropped. Of
// what a device drops by a devlink trap it is that of the trap.
func OfCounter(name, ifname string, ns event.Netns) (Explanation, bool) {
	en := ofCounter(name)
	if en == nil {
		return Explanation{}, false
	}
	return en.Explain(&event.Event{Port: event.Port{IfName: ifname}, Netns: ns}), true
}

// ofCounter returns the Entry of a counter, nil if there is none.
func ofCounter(name string) *Entry {
	if en := index()[id{Counter, name}]; en != nil {
		return en
	}
	if own, ok := strings.CutPrefix(name, driverPrefix); ok {
		return index()[id{Counter, driverMeaning(own)}]
	}
	if trap, ok := strings.CutPrefix(name, "devlink."); ok {
		return ofTrap(trap)
	}
	return nil
}

// ofTrap returns the Entry of what a devlink trap counts, as "tail_drop.rx_dropped": for
// packets that the device dropped, that of the trap, if it is known.
func ofTrap(name string) *Entry {
	trap, count, _ := strings.Cut(name, ".")
	en := index()[id{Counter, "devlink." + count}]
	known := index()[id{Trap, trap}]
	if count != "rx_dropped" || known == nil {
		return en
	}
	of := *known
	of.Kind, of.Loses, of.Unit = Counter, en.Loses, en.Unit
	return &of
}
