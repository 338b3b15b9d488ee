package diagnose

import (
	"fmt"
	"net/netip"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// readRoutes finds the routes that dropped packets because they lead nowhere, and the
// interfaces that routed packets were too big for. It asks the kernel for the flow with
// the most drops, now, in the network namespace of the finding; what it does not say, or
// of a namespace that is gone, is left out.
func (d *Diagnosis) readRoutes(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if len(f.Flows) == 0 || len(f.Namespaces) > 0 || !f.Flows[0].Flow.Dst.IsValid() {
			continue
		}
		from, to := f.Flows[0].Flow.Src.Addr(), f.Flows[0].Flow.Dst.Addr()
		if route, ok := f.arg("route"); ok {
			f.readRoute(h, route.Text, to)
		}
		if _, ok := f.arg("mtu"); ok && f.Meaning.Entry != nil && f.Meaning.Entry.Layer == knowledge.Network {
			f.readEgress(h, from, to)
		}
	}
}

func (f *Finding) readRoute(h *Host, kind string, to netip.Addr) {
	f.Routes = ask(h, fmt.Sprintf("routes %d %s %v", f.Netns.Inode, kind, to), func() (routes []counters.Route) {
		_ = h.within(f.Netns.Inode, func() (err error) {
			routes, err = counters.DeadRoutes(kind, to)
			return err
		})
		return routes
	})
}

func (f *Finding) readEgress(h *Host, from, to netip.Addr) {
	f.Egress = ask(h, fmt.Sprintf("egress %d %v %v %s", f.Netns.Inode, from, to, f.IfName), func() (ifname string) {
		_ = h.within(f.Netns.Inode, func() (err error) {
			ifname, err = counters.Egress(to, from, f.IfName)
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
