package capture

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/suggest"
)

// CheckReasons warns about reasons that this kernel does not have, if the kernel
// lists its reasons (5.17 and later). The error is a *[SpecError] if the expression
// can only match such a reason.
func (r *Runner) CheckReasons(f *filter.Filter) error {
	wanted := f.Reasons()
	if len(wanted) == 0 {
		return nil
	}
	known, err := trace.ReasonNames()
	if err != nil {
		return nil // the kernel does not list them
	}
	unknown := unknownReasons(wanted, known)
	if len(unknown) > 0 && neverMatches(f, known) {
		return &SpecError{Err: errors.Join(unknown...)}
	}
	for _, err := range unknown {
		r.Notices.Warn(err)
	}
	return nil
}

// checkRecorded returns an error for the reasons in an expression that no kernel is known to have.
func checkRecorded(f *filter.Filter) error { return errors.Join(recordedReasons(f)...) }

// recordedReasons returns an error for each reason in an expression that no kernel is known to have:
// this one need not be that of the recording.
func recordedReasons(f *filter.Filter) (errs []error) {
	known := knownReasons()
	for _, name := range f.Reasons() {
		if slices.Contains(known, name) || ofSubsystem(name) {
			continue
		}
		errs = append(errs, fmt.Errorf("unknown reason %s: %s", event.Escape(name),
			cmp.Or(suggest.Question(name, known), "dropwatch help reasons lists them")))
	}
	return errs
}

// knownReasons are those of this kernel and those that dropwatch explains, of any kernel.
func knownReasons() []string {
	names := reasonNames()
	for _, e := range knowledge.All() {
		if e.Kind == knowledge.Reason {
			names = append(names, e.Name)
		}
	}
	return names
}

// neverMatches reports whether an expression is false for every drop whose reason
// is known, or is one of a subsystem, whatever else the drop is like.
func neverMatches(f *filter.Filter, known []string) bool {
	lookup := func(name string) (numbers []condition.Span, ok bool) {
		if i := slices.Index(known, name); i >= 0 {
			return []condition.Span{{Lo: uint64(i), Hi: uint64(i)}}, true
		}
		return nil, !ofSubsystem(name)
	}
	return f.Kernel(filter.Resolver{Reason: lookup}) == condition.False
}

// unknownReasons returns an error for each wanted name that is not known. An empty
// known means that nothing is known, so nothing is wrong.
func unknownReasons(wanted, known []string) (errs []error) {
	if len(known) == 0 {
		return nil
	}
	for _, name := range wanted {
		if slices.Contains(known, name) || ofSubsystem(name) {
			continue
		}
		advice := suggest.Question(name, known)
		if advice == "" {
			advice = "tracefs lists them in events/skb/kfree_skb/format"
		}
		errs = append(errs, fmt.Errorf("this kernel has no reason %s: %s", event.Escape(name), advice))
	}
	return errs
}

// ofSubsystem reports whether a reason may be one that the event's format does not list: of
// mac80211 or Open vSwitch, whose numbers are registered when the modules load (enum
// skb_drop_reason_subsys), or one of another tracepoint.
func ofSubsystem(name string) bool { return subsystemModule(name) != "" || OfTracepoint(name) }

// OfTracepoint reports whether a reason is one of queueing disciplines or of XDP, which the sources bpf
// and trace read at other tracepoints than skb:kfree_skb.
func OfTracepoint(name string) bool {
	if !strings.HasPrefix(name, "QDISC_DROP_") && !strings.HasPrefix(name, "XDP_") {
		return false
	}
	return slices.ContainsFunc(knowledge.Lookup(name), func(e *knowledge.Entry) bool { return e.Name == name })
}

// subsystemModule returns the module that a reason of a subsystem belongs to; empty for others.
func subsystemModule(name string) string {
	switch {
	case strings.HasPrefix(name, "RX_DROP"):
		return "mac80211"
	case strings.HasPrefix(name, "OVS_DROP"):
		return "openvswitch"
	}
	return ""
}

// reasonNames returns the reasons of this kernel; none if it does not list them.
func reasonNames() []string {
	names, err := trace.ReasonNames()
	if err != nil {
		return nil
	}
	return names
}
