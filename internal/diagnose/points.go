package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/tally"
)

// pointNames are the built-in points of which a diagnosis makes use. Their functions are called when packets are
// lost, or when a connection or a neighbour is made: not for each packet.
var pointNames = []string{
	"dev_rx_dropped", "dev_tx_dropped", "dev_rx_nohandler", "dev_rx_otherhost_dropped",
	"tcp_syn_queue", "tcp_accept_queue", "tcp_accept_queue_ack", "tcp_accept_queue_ack6", "tcp_out_of_order",
	"neighbour_table", "conntrack_table", "conntrack_insert",
}

// Points returns the points to be reported for a [Collector], beside drops. Who raises a counter of a device is asked
// of the function that does only that: the others are called for each packet.
func Points() (all []point.Point) {
	for _, name := range pointNames {
		p, _ := point.Lookup(name)
		if strings.HasPrefix(name, "dev_") {
			p.Or = nil
		}
		all = append(all, p)
	}
	return all
}

// A PointValues is what the kernel knew at a point when it lost packets of a finding.
type PointValues struct {
	Name  string
	Count uint64      // how often the point was reached
	Args  []event.Arg // of the last time
	Owner event.Owner // of the socket there; zero if there is none
	rule  string      // what happened, if it is known which rule of nftables did it

	// Drops is of how many of the drops that is certain, as their packets had reached the point: others may have, too. It is
	// 0 if several sockets are at the point.
	Drops uint64

	object string // see pointKey

	// Later: the point was reported only after the first drops of its kind had asked for it, see [Collector].Ask. What
	// it says is certain of those that followed, and likely of the first.
	Later bool
}

// A pointKey distinguishes what a Collector keeps of points.
type pointKey struct {
	name     string
	netns    uint32
	ifname   string
	socket   uint64    // its cookie, or else its inode number; 0: there is none
	function string    // that raised a counter of a device
	object   string    // what dropped, by its values that name it
	verdict  verdictAt // of nftables; zero: there is none, or the rule is not known
}

// pointValues are what was read at a point the last time, beside its key.
type pointValues struct {
	args  []event.Arg
	owner event.Owner
}

// addPoint counts an event of a point, with its values.
func (c *Collector) addPoint(e *event.Event) {
	if c.points == nil {
		c.points = tally.New[pointKey, pointValues](maxGroups, nil)
	}
	k := pointKey{name: e.Point, netns: e.Netns.Inode, ifname: e.Port.IfName, function: raiser(e), object: objectOf(e.Args)}
	owner := e.Owner
	if at, ok := verdictOf(e.Point, e.Args); ok {
		k.verdict = at
	}
	if k.verdict != (verdictAt{}) || e.Point == iptablesPoint { // on packets of many sockets
		owner = event.Owner{}
	}
	if s := owner.Socket; s != nil {
		k.socket, k.ifname = max(s.Cookie, s.Inode), ""
	}
	entry, _ := c.points.Add(k, e.Count)
	if entry == nil {
		return
	}
	entry.Value.args = append(entry.Value.args[:0], e.Args...)
	entry.Value.owner = owner
	if s := owner.Socket; s != nil {
		socket := *s
		entry.Value.owner.Socket = &socket
	}
}

// objectOf returns the values that name what drops: the table, the chain and the rule, the hook, the kind of queue or action.
func objectOf(args []event.Arg) (object string) {
	for _, a := range args {
		if slices.Contains([]string{"table", "chain", "rule", "hook", "kind"}, a.Name) {
			object += fmt.Sprintf("%s %d\x00", a.Text, a.Number)
		}
	}
	return object
}

// findPoints gives a finding the values of the points that its packets were lost at: a counter or what they say of drops
// shows that, in the same network namespace, on the same interface and of the same packets as far as both are known.
func (f *Finding) findPoints(c *Collector) {
	if c.points == nil {
		return
	}
	for e := range c.points.All {
		p, _ := point.Lookup(e.Key.name)
		v := PointValues{
			Name: e.Key.name, Count: e.Count, Args: e.Value.args, Owner: e.Value.owner, Later: slices.Contains(c.asked, e.Key.name),
			Drops: f.dropsThrough(&e.Key), object: e.Key.object,
		}
		switch {
		case e.Key.function != "" || !f.isAround(&e.Key):
		case e.Key.verdict != (verdictAt{}):
			f.reached = append(f.reached, v)
		case (v.Drops > 0 || f.isAt(&p)) && f.agreesWith(&v):
			f.Points = append(f.Points, v)
		}
	}
	f.clearShared()
	mostOften := func(a, b PointValues) int { return cmp.Compare(b.Count, a.Count) }
	slices.SortStableFunc(f.Points, mostOften)
	slices.SortStableFunc(f.reached, mostOften)
	if sole := f.soleSocket(); sole != nil && f.OwnerCount == 0 {
		f.Owner, f.OwnerCount = sole.Owner, min(sole.Count, f.Count)
	}
}

// A through is a point that packets of drops had reached, with the values of it that name what drops.
type through struct {
	name, object string
	drops        uint64
}

// throughOf returns the point that the packet of a drop had reached; zero if there is none.
func throughOf(r *event.Reached) through {
	if r == nil {
		return through{}
	}
	return through{r.Point, objectOf(r.Args), 1}
}

// addThrough adds drops to those of the same point, unless there are too many points.
func addThrough(all []through, t through) []through {
	i := slices.IndexFunc(all, func(o through) bool { return o.name == t.name && o.object == t.object })
	switch {
	case i >= 0:
		all[i].drops += t.drops
	case t.drops > 0 && len(all) < maxArgs:
		all = append(all, t)
	}
	return all
}

// dropsThrough is how many of the drops were of packets that had reached a point, as it is distinguished.
func (f *Finding) dropsThrough(k *pointKey) uint64 {
	i := slices.IndexFunc(f.through, func(t through) bool { return t.name == k.name && t.object == k.object })
	if i < 0 {
		return 0
	}
	return f.through[i].drops
}

// clearShared clears the drops of points at which several sockets were: it is not known which were of which.
func (f *Finding) clearShared() {
	for i := range f.Points {
		v := &f.Points[i]
		for j := range f.Points[:i] {
			if o := &f.Points[j]; o.Name == v.Name && o.object == v.object {
				o.Drops, v.Drops = 0, 0
			}
		}
	}
}

// isAround reports whether packets of a finding may have been lost where a point was reached: in the same network
// namespace and, if both are known, on the same interface.
func (f *Finding) isAround(k *pointKey) bool {
	return f.Netns.Inode != 0 && f.Netns.Inode == k.netns && (f.IfName == "" || k.ifname == "" || f.IfName == k.ifname)
}

// isAt reports whether packets of a finding were lost at a point: the finding is of a counter that the point raises, or
// such a counter agrees with it, or it is of drops of which the point says more.
func (f *Finding) isAt(p *point.Point) bool {
	agrees := func(r counters.Row) bool { return slices.Contains(p.Counters, r.ID()) }
	return slices.Contains(p.Counters, f.ID) || slices.ContainsFunc(f.Counters, agrees) || f.isExplainedBy(p)
}

// soleSocket returns the only values that are of a socket, nil if there are none, or several.
func (f *Finding) soleSocket() *PointValues {
	if len(f.Points) != 1 || f.Points[0].Owner.Socket == nil {
		return nil
	}
	return &f.Points[0]
}

// maxPoints is how many sockets, devices or neighbours a finding has values of.
const maxPoints = 5

// appendPoints appends what happened at the points, with the values of the last time.
func (f *Finding) appendPoints(p *paragraph) {
	for i := range f.Points[:min(len(f.Points), maxPoints)] {
		p.prose("values", f.Points[i].text())
	}
	if rest := len(f.Points) - maxPoints; rest > 0 {
		p.field("", fmt.Sprintf("and %d more", rest))
	}
}

// text is what happened, where and how often: "SYN refused on port 8080: accept queue 129 of 128 (0.0.0.0:8080,
// nginx/812), 12 times".
func (v *PointValues) text() string {
	p, _ := point.Lookup(v.Name)
	text := cmp.Or(v.rule, p.Text(v.value))
	var of []string
	if s := v.Owner.Socket; s != nil && s.Local.IsValid() {
		of = append(of, s.Local.String())
	}
	if owner := v.Owner.AppendName(nil); len(owner) > 0 {
		of = append(of, string(owner))
	}
	if len(of) > 0 {
		text += " (" + strings.Join(of, ", ") + ")"
	}
	if v.Count > 1 {
		text += fmt.Sprintf(", %d times", v.Count)
	}
	if v.Drops > 0 {
		text += "; certain of " + event.Plural(v.Drops, "drop")
	}
	if v.Later {
		text += " (read after the first drops; likely the same for those)"
	}
	return text
}

// value returns an argument, escaped.
func (v *PointValues) value(name string) (text string, ok bool) {
	a, known := v.arg(name)
	switch {
	case !known:
		return "", false
	case a.Text != "":
		return event.Escape(a.Text), true
	}
	return fmt.Sprint(a.Number), true
}

// A pointJSON is what the kernel knew at a point.
type pointJSON struct {
	Name  string         `json:"name"`
	Count uint64         `json:"count"`
	Args  map[string]any `json:"args"`            // of the last time
	Drops uint64         `json:"drops,omitempty"` // that were of packets there, for certain
	Local string         `json:"local,omitempty"`
	Owner *processJSON   `json:"owner,omitempty"`
	Later bool           `json:"later,omitempty"` // certain of the later drops, likely of the first
}

// json has the socket's address and process if the point has a socket.
func (v *PointValues) json() pointJSON {
	j := pointJSON{
		Name: v.Name, Count: v.Count, Args: argsJSON(v.Args), Drops: v.Drops, Owner: inNetnsJSON(v.Owner.Process), Later: v.Later,
	}
	if s := v.Owner.Socket; s != nil && s.Local.IsValid() {
		j.Local = s.Local.String()
	}
	return j
}
