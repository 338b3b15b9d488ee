package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/point"
)

// A Raised is a function of the kernel that raised a counter of a device, and by how much.
type Raised struct {
	Function string // as the symbol table has it, without the compiler's suffix
	Count    uint64

	// Likely: no point says so, but drops in that function raise the counter.
	Likely bool
}

// counting is the function that raises the counters of a device (net/core/dev.c, since Linux 6.9). Its callers are
// inlined, or pass the counter on.
const counting = "netdev_core_stats_inc"

// raiser returns the function that raised a counter of a device; empty of other points.
func raiser(e *event.Event) string {
	if symbol, _, _, _ := e.Where.Name(); event.FunctionOf(symbol) != counting {
		return ""
	}
	for i := range e.Stack {
		name := event.FunctionOf(e.Stack[i].Symbol)
		if name != "" && name != counting && !strings.HasPrefix(name, "dev_core_stats_") {
			return name
		}
	}
	return "an unknown function"
}

// findRaised sets who raised a counter of a device: by the points, or else by the drops.
func (a *Account) findRaised(c *Collector, findings []Finding) {
	by := pointOf(&a.Row)
	switch {
	case by == "":
		return
	case slices.Contains(c.Watched, by):
		a.raisedAt(by, c)
	default:
		a.raisedByDrops(findings)
	}
	slices.SortFunc(a.RaisedBy, func(a, b Raised) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Function, b.Function))
	})
}

// pointOf returns the point that is reached when a counter of a device is raised; empty if there is none.
func pointOf(r *counters.Row) string {
	for _, p := range point.Builtin() {
		if p.Functions[0] == counting && slices.Contains(p.Counters, r.ID()) {
			return p.Name
		}
	}
	return ""
}

// raisedAt sets the functions that raised a counter of a device in its network namespace.
func (a *Account) raisedAt(name string, c *Collector) {
	a.watched = true
	if c.points == nil {
		return
	}
	for e := range c.points.All {
		k := &e.Key
		if k.name == name && k.ifname == a.IfName && k.netns == a.Netns.Inode {
			a.RaisedBy = append(a.RaisedBy, Raised{Function: k.function, Count: e.Count})
		}
	}
}

// raisedByDrops sets the functions of the drops that raise the counter.
func (a *Account) raisedByDrops(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		if f.Location == "" || f.IfName != a.IfName || !f.raises(&a.Row) {
			continue
		}
		name, n := event.FunctionOf(f.Location), min(a.Delta, f.inUnitOf(&a.Row))
		if same := slices.IndexFunc(a.RaisedBy, func(r Raised) bool { return r.Function == name }); same >= 0 {
			a.RaisedBy[same].Count += n
		} else {
			a.RaisedBy = append(a.RaisedBy, Raised{name, n, true})
		}
	}
}

// byDriver is what the functions did not raise of a counter whose point was watched: a counter of a device is the
// sum of what they and its driver count. It is 0 if that is not known.
func (d *Diagnosis) byDriver(a *Account) uint64 {
	sum := a.Delta
	for _, r := range a.RaisedBy {
		sum -= min(sum, r.Count)
	}
	if !a.watched || d.Ledger.Points != (event.PointCounts{Shown: d.Ledger.Points.Shown}) {
		return 0
	}
	return sum
}

// appendRaised says of each counter of a device who raised it: "rx_dropped on eth0 +20: 18 by __netif_receive_skb_core,
// 2 by its driver".
func (d *Diagnosis) appendRaised(b *strings.Builder) {
	for i := range d.Accounts {
		a := &d.Accounts[i]
		var by []string
		for _, r := range a.RaisedBy {
			text := fmt.Sprintf("%d by %s", r.Count, event.Escape(r.Function))
			if r.Likely {
				text = fmt.Sprintf("%d likely by %s, where as many packets were dropped", r.Count, event.Escape(r.Function))
			}
			by = append(by, text)
		}
		if n := d.byDriver(a); n > 0 {
			by = append(by, fmt.Sprintf("%d by its driver", n))
		}
		if len(by) > 0 {
			appendRemark(b, "counted", fmt.Sprintf("%s%s +%d: %s", a.Name, whereOf(&a.Row, a.InNetns), a.Delta, strings.Join(by, ", ")))
		}
	}
}

// A raisedJSON is a function that raised a counter.
type raisedJSON struct {
	Function   string `json:"function"`
	Count      uint64 `json:"count"`
	Confidence string `json:"confidence"`
}

// json says how sure it is that the function raised the counter.
func (r *Raised) json() raisedJSON {
	confidence := event.Certain
	if r.Likely {
		confidence = event.Likely
	}
	return raisedJSON{r.Function, r.Count, confidence.String()}
}
