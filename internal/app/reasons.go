package app

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
)

// checkReasons warns of names in f that no drop on this kernel has as its
// reason, if the kernel lets us know which it has.
func (a *App) checkReasons(f *filter.Filter) {
	wanted := f.Reasons()
	if len(wanted) == 0 {
		return
	}
	if known, err := trace.ReasonNames(); err == nil {
		for _, err := range unknownReasons(wanted, known) {
			a.warn(err)
		}
	}
}

// unknownReasons complains of what is not known. There are none to tell from
// where none is known, before Linux 5.17.
func unknownReasons(wanted, known []string) (complaints []error) {
	if len(known) == 0 {
		return nil
	}
	for _, name := range wanted {
		if slices.Contains(known, name) || ofSubsystem(name) {
			continue
		}
		advice := filter.Meant(name, known)
		if advice == "" {
			advice = "tracefs lists them in events/skb/kfree_skb/format"
		}
		complaints = append(complaints, fmt.Errorf("this kernel has no reason %s: %s", event.Escape(name), advice))
	}
	return complaints
}

// ofSubsystem tells whether a reason may be one of mac80211 or Open vSwitch,
// which the event's format does not list (enum skb_drop_reason_subsys).
func ofSubsystem(name string) bool {
	return strings.HasPrefix(name, "RX_DROP") || strings.HasPrefix(name, "OVS_DROP")
}
