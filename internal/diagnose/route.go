package diagnose

import (
	"fmt"
	"net/netip"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/routing"
)

// readRoutes finds the routes, or rules of policy routing, that dropped packets because they
// lead nowhere, and the interfaces that routed packets were too big for. It asks the kernel for
// the flow with the most drops, now, in the network namespace of the finding; what it does not
// say, or of a namespace that is gone, is left out.
func (d *Diagnosis) readRoutes(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if len(f.Flows) == 0 || len(f.Namespaces) > 0 || !f.Flows[0].Flow.Dst.IsValid() {
			continue
		}
		from, to := f.Flows[0].Flow.Src.Addr(), f.Flows[0].Flow.Dst.Addr()
		if route, ok := f.arg("route"); ok {
			f.readRoute(h, route.Text, from, to)
		}
		if f.ttlExpired() {
			f.Hop = h.hop(f.Netns.Inode, from, to, f.IfName)
		}
		if _, ok := f.arg("mtu"); ok && f.Meaning.Entry != nil && f.Meaning.Entry.Layer == knowledge.Network {
			f.readEgress(h, from, to)
		}
	}
}

// readRoute finds what dropped. If that is a rule, whatever routes there are, it has another
// cause and another fix.
func (f *Finding) readRoute(h *Host, kind string, from, to netip.Addr) {
	t := &f.Flows[0].first
	p := routing.Packet{From: from, To: to, Protocol: t.Protocol, SrcPort: t.Src.Port(), DstPort: t.Dst.Port(), Iif: f.IfName}
	f.Routes = ask(h, fmt.Sprintf("routes %d %s %v", f.Netns.Inode, kind, p), func() (routes []routing.DeadEnd) {
		names := h.tableNames()
		_ = h.within(f.Netns.Inode, func() (err error) {
			routes, err = routing.DeadEnds(kind, &p, names)
			return err
		})
		return routes
	})
	if len(f.Routes) != 1 || !f.Routes[0].ByRule() {
		return
	}
	f.Meaning = f.Meaning.With(knowledge.ByRule, f.event())
	if f.is(knowledge.ByRule) {
		program := "ip"
		if to.Is6() {
			program = "ip -6"
		}
		m := &f.Meaning
		*m = m.WithFix(f.event(), program+" rule", m.Fix, fmt.Sprintf("%s rule del pref %d", program, f.Routes[0].Pref))
	}
}

// tableNames are those of routing tables on a running host.
func (h *Host) tableNames() map[uint32]string {
	if h.tables == nil {
		h.tables = routing.TableNames(h.live)
	}
	return h.tables
}

// ttlExpired reports whether the TTL of the packets was too small for them to be forwarded.
func (f *Finding) ttlExpired() bool { return f.is(knowledge.Expired) || f.ID == "IP_TTL_EXCEEDED" }

// hop is the route of a flow, zero if there is none or it is not known.
func (h *Host) hop(netns uint32, from, to netip.Addr, ifname string) routing.Hop {
	return ask(h, fmt.Sprintf("hop %d %v %v %s", netns, from, to, ifname), func() (hop routing.Hop) {
		names := h.tableNames()
		_ = h.within(netns, func() (err error) {
			hop, err = routing.NextHop(to, from, ifname, names)
			return err
		})
		return hop
	})
}

// nextHop says which route the packets take, and that it sends them back, as in a loop between two routers.
func (f *Finding) nextHop() string {
	if !f.Hop.Prefix.IsValid() {
		return ""
	}
	text := event.Escape(f.Hop.String())
	if f.Hop.IfName != "" && f.Hop.IfName == f.IfName {
		text += ": back by the interface where they arrived"
	}
	return text
}

// readEgress asks the routing of the namespace where packets leave; Egress is empty if it does not say.
func (f *Finding) readEgress(h *Host, from, to netip.Addr) {
	f.Egress = ask(h, fmt.Sprintf("egress %d %v %v %s", f.Netns.Inode, from, to, f.IfName), func() (ifname string) {
		_ = h.within(f.Netns.Inode, func() (err error) {
			ifname, err = routing.Egress(to, from, f.IfName)
			return err
		})
		return ifname
	})
}

// arg returns what the source read at all drops by a name.
func (f *Finding) arg(name string) (event.Arg, bool) {
	for _, a := range f.Args {
		if a.Name == name {
			return a, true
		}
	}
	return event.Arg{}, false
}
