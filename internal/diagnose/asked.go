package diagnose

import (
	"net/netip"
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/point"
)

// MaxAsked is how many points a Collector asks for at most.
const MaxAsked = 8

// askFor asks for the points that say more of drops of a new cause, unless those are noise. It asks for each once.
func (c *Collector) askFor(x *knowledge.Explanation) {
	if c.Ask == nil || x.Entry == nil || x.Severity == knowledge.Noise {
		return
	}
	var all []point.Point
	for _, p := range point.Explaining(x.Entry.Name) {
		begun := slices.ContainsFunc(c.Begun, func(b point.Point) bool { return b.Name == p.Name })
		if !begun && len(c.asked) < MaxAsked && !slices.Contains(c.asked, p.Name) {
			c.asked = append(c.asked, p.Name)
			all = append(all, p)
		}
	}
	if all != nil {
		c.Ask(all)
	}
}

// isExplainedBy reports whether a point says more of the drops of a finding, or of a part of them.
func (f *Finding) isExplainedBy(p *point.Point) bool {
	says := func(entry string) bool { return slices.Contains(p.Drops, entry) }
	return f.Meaning.Entry != nil && says(f.Meaning.Entry.Name) ||
		slices.ContainsFunc(f.Parts, func(p Part) bool { return says(p.ID) })
}

// agreesWith reports whether a point was reached by packets as those of a finding, as far as both say: at the same
// netfilter hook, and of the same port and address.
func (f *Finding) agreesWith(v *PointValues) bool {
	return f.hasHookOf(v) && f.hasPortOf(v) && f.hasAddressOf(v)
}

// hooks are those of IP by the names that findings have for them (enum nf_inet_hooks).
var hooks = map[string]string{
	"PREROUTING": "NF_INET_PRE_ROUTING", "INPUT": "NF_INET_LOCAL_IN", "FORWARD": "NF_INET_FORWARD",
	"OUTPUT": "NF_INET_LOCAL_OUT", "POSTROUTING": "NF_INET_POST_ROUTING",
}

// hasHookOf reports whether a point was at the netfilter hook of the drops, if both have one of IP.
func (f *Finding) hasHookOf(v *PointValues) bool {
	hook, known := v.arg("hook")
	return !known || hooks[f.hook] == "" || hook.Text == hooks[f.hook]
}

// hasPortOf reports whether a point was at a port of the flows, if both have any.
func (f *Finding) hasPortOf(v *PointValues) bool {
	port, known := v.arg("port")
	return !known || len(f.Flows) == 0 || slices.ContainsFunc(f.Flows, func(c FlowCount) bool {
		return uint64(c.Flow.Src.Port()) == port.Number || uint64(c.Flow.Dst.Port()) == port.Number
	})
}

// hasAddressOf reports whether a point was at the source address of one of the flows, if both have any.
func (f *Finding) hasAddressOf(v *PointValues) bool {
	src, known := v.arg("src")
	addr, err := netip.ParseAddr(src.Text)
	return !known || err != nil || len(f.Flows) == 0 || slices.ContainsFunc(f.Flows, func(c FlowCount) bool {
		return !c.Flow.Src.IsValid() || c.Flow.Src.Addr().Unmap() == addr
	})
}

// arg returns a value of a point.
func (v *PointValues) arg(name string) (a event.Arg, known bool) {
	i := slices.IndexFunc(v.Args, func(a event.Arg) bool { return a.Name == name })
	if i < 0 {
		return event.Arg{}, false
	}
	return v.Args[i], true
}
