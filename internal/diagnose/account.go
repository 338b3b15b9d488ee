package diagnose

import (
	"regexp"
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// An Account compares a counter that rose with the drops that raise it.
type Account struct {
	counters.Row
	Seen    uint64        // drops and retransmissions that raise it, in its own unit, and what other counters explain of a sum
	Rest    uint64        // what is left of its rise; see [Diagnosis.Remainder]
	InNetns event.Process // as that of a [Finding]

	RaisedBy []Raised // of a counter of a device, who raised it, those that did the most first; empty if that is not known
	watched  bool     // RaisedBy has all but its driver
}

// A Remainder says what the Rest of an Account is.
type Remainder uint8

// The remainders.
const (
	Unexplained     Remainder = iota // nothing says more of it
	OwnFinding                       // it is a finding
	Retransmissions                  // findings lead to them
	NoAttention                      // nothing that anybody needs was lost
)

// retransmissions are the counters that rise because packets were lost, here or elsewhere.
var retransmissions = []string{retransSegs, "TcpExtTCPTimeouts", synRetrans, "TcpExtTCPRetransFail"}

// Remainder is what an Account's Rest is.
func (d *Diagnosis) Remainder(a *Account) Remainder {
	switch {
	case a.isFinding():
		return OwnFinding
	case a.Meaning.Severity == knowledge.Noise:
		return NoAttention
	case (len(d.Findings) > 0 || d.traced) && slices.Contains(retransmissions, a.ID()):
		return Retransmissions
	}
	return Unexplained
}

// isFinding reports whether a rise of the counter is a finding unless drops explain it.
func (a *Account) isFinding() bool {
	return a.Meaning.Entry.Loses == knowledge.Always || a.Meaning.Entry.Fault
}

// account explains counters by findings and by what TCP was seen to send again, and gives each finding
// the counters that agree with it. A counter that does not mean a lost packet needs no explanation.
func account(rows []counters.Row, findings []Finding, c *Collector) []Account {
	var all []Account
	for _, row := range rows {
		if row.Gauge || row.Part || row.Delta == 0 || !row.Known || row.Meaning.Entry.Loses == knowledge.Never || isCopy(all, &row) {
			continue
		}
		a := Account{Row: row, Seen: min(row.Delta, max(included(&row, rows), c.resentBy(&row)))}
		for i := range findings {
			if f := &findings[i]; f.raises(&row) {
				f.Counters = append(f.Counters, row)
				a.Seen = max(a.Seen, min(row.Delta, a.Seen+f.inUnitOf(&row)))
			}
		}
		if a.Seen < row.Delta {
			a.Rest = row.Delta - a.Seen
		}
		a.findRaised(c, findings)
		all = append(all, a)
	}
	return all
}

// keepAccounts leaves the counters of which an expression selects all drops, and keeps apart those of
// which that is not known.
func (d *Diagnosis) keepAccounts(selects Selects) {
	if selects == nil {
		return
	}
	d.Accounts = slices.DeleteFunc(d.Accounts, func(a Account) bool {
		truth := selects(&a.Row)
		if truth == condition.Unknown && a.Rest > 0 && a.isFinding() && a.Meaning.Severity != knowledge.Noise {
			d.Undecided = append(d.Undecided, a)
		}
		return truth != condition.True
	})
}

// isCopy reports whether a driver's statistic says what an earlier one of its interface does:
// it means the same, and rose by as much. Many drivers show one register under several names;
// those that differ by a number only are of several queues.
func isCopy(earlier []Account, r *counters.Row) bool {
	return r.Group == counters.Driver && slices.ContainsFunc(earlier, func(a Account) bool {
		return a.Group == r.Group && a.Netns == r.Netns && a.IfName == r.IfName && a.Delta == r.Delta &&
			a.Meaning.Entry.Cause == r.Meaning.Entry.Cause && withoutDigits(a.Name) != withoutDigits(r.Name)
	})
}

// withoutDigits is a name without its digits, which is the same for all queues of a device.
func withoutDigits(name string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, name)
}

// included is what other counters of the same interface count of the rise of a sum, by their
// IDs or, as the names of drivers differ, by what they mean.
func included(sum *counters.Row, rows []counters.Row) (n uint64) {
	for i := range rows {
		r := &rows[i]
		if r.Netns == sum.Netns && r.IfName == sum.IfName && !r.Part && means(r, sum.Meaning.Entry.Includes) {
			n += r.Delta
		}
	}
	return n
}

// means reports whether a counter is among those named, by its ID or by what it means.
func means(r *counters.Row, names []string) bool {
	return slices.Contains(names, r.ID()) || r.Known && slices.Contains(names, r.Meaning.Entry.Name)
}

// isIn reports whether a row is of the network namespace of the finding, as far as both
// are known.
func (f *Finding) isIn(r *counters.Row) bool {
	return f.Netns.Inode == 0 || r.Netns.Inode == 0 || f.Netns.Inode == r.Netns.Inode
}

// raises reports whether drops of the finding raise a counter: one of the same
// namespace, and of the same interface if it belongs to one. Of the rules of a firewall
// it is those that may have dropped them.
func (f *Finding) raises(r *counters.Row) bool {
	if isDropRule(r) {
		return slices.Contains(f.rules, r.Key)
	}
	return f.raisesOfPeer(r) || f.countedBy(r) && f.inUnitOf(r) > 0 &&
		(r.IfName == "" || f.IfName == "" || r.IfName == f.IfName) && f.isIn(r)
}

// raisesOfPeer reports whether drops of the finding raise a counter of the interface at the
// other end, which no drop names: of any but its own that rose by no more than these drops.
func (f *Finding) raisesOfPeer(r *counters.Row) bool {
	return f.Meaning.Entry != nil && slices.Contains(f.Meaning.Entry.OfPeer, r.ID()) && r.Delta <= f.inUnitOf(r) &&
		(r.IfName != f.IfName || r.Netns.Inode != f.Netns.Inode)
}

// countedBy reports whether a counter counts drops of the kind of the finding: by its ID,
// or as a driver's, by what that means.
func (f *Finding) countedBy(r *counters.Row) bool {
	return means(r, f.Meaning.Counters)
}

// inUnitOf is the number of drops as a counter counts them.
func (f *Finding) inUnitOf(r *counters.Row) uint64 {
	n := amount{f.Count, f.Segments}
	switch {
	case countsIPv6.MatchString(r.ID()):
		n = f.ipv6
	case countsIPv4.MatchString(r.ID()):
		n = amount{f.Count - f.ipv6.drops, f.Segments - f.ipv6.segments}
	}
	if r.ID() == invalid && f.is(knowledge.Untracked) { // the reset that answers each is INVALID as well
		n.drops *= 2
	}
	if r.Meaning.Entry.Unit == knowledge.Segments {
		return n.segments
	}
	return n.drops
}

// Counters of IP, ICMP and UDP are of one family; those of TCP are of both.
var (
	countsIPv4 = regexp.MustCompile(`^(Ip|IpExt|Icmp|IcmpMsg|Udp|UdpLite)[A-Z]`)
	countsIPv6 = regexp.MustCompile(`^(Ip|Icmp|Udp|UdpLite)6[A-Z]`)
)

// unseen makes a finding of each counter that always means a lost packet, or a fault, and
// rose by more than the drops that were seen. What the accept queue of a socket lost without a drop
// is of the finding of those with one, if there is any.
func (d *Diagnosis) unseen(seen []Finding) []Finding {
	var all []Finding
	for _, a := range d.Accounts {
		if a.Rest == 0 || !a.isFinding() {
			continue
		}
		if f := acceptsToo(seen, &a.Row); f != nil {
			f.Unseen += a.Rest
			f.Rate = d.rate(f.Count + f.Unseen)
			continue
		}
		f := Finding{
			ID: a.ID(), Meaning: a.Meaning, Count: a.Rest, Segments: a.Rest, Rate: d.rate(a.Rest),
			IfName: a.IfName, Netns: a.Netns, Counters: []counters.Row{a.Row},
		}
		switch {
		case isDropRule(&a.Row):
			f.setRule(&a.Row)
		case a.Object != "":
			f.Objects = []counters.Row{a.Row}
		}
		all = append(all, f)
	}
	return all
}

// findOwners sets the owner of each finding that has none, or only a likely one, but is
// about one socket, and that of which only the socket was known; and of each state of a socket.
func (d *Diagnosis) findOwners(h *Host) {
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		for i := range findings {
			findings[i].findOwner(h)
		}
	}
	for i := range d.States {
		if s := &d.States[i]; s.Inode != 0 {
			s.Owner = h.ownerOf(s.Inode)
		}
	}
}

// findOwner does so for one finding.
func (f *Finding) findOwner(h *Host) {
	inode, count := f.socket()
	if inode == 0 {
		return
	}
	if o := h.ownerOf(inode); o.Process.PID > 0 || f.OwnerCount == 0 {
		f.Owner, f.OwnerCount = o, count
	}
}

// socket returns the inode number of the socket whose owner is to be found, and how many
// of the drops are of that: the only one that the finding is about, unless that is the
// owner's, or one whose process is not known. The number is 0 if there is none.
func (f *Finding) socket() (inode, count uint64) {
	known := uint64(0)
	if f.Owner.Socket != nil {
		known = f.Owner.Socket.Inode
	}
	only := f.onlySocket()
	switch {
	case only != 0 && (f.OwnerCount == 0 || f.Owner.Guessed() && only != known):
		return only, f.Count
	case f.OwnerCount > 0 && f.Owner.Process.PID == 0:
		return known, f.OwnerCount
	}
	return 0, 0
}

// onlySocket returns the inode number of the only socket that the finding is about, 0 if
// there are none or several.
func (f *Finding) onlySocket() (inode uint64) {
	for i := range f.Objects {
		switch o := &f.Objects[i]; {
		case inode == 0:
			inode = o.Inode
		case o.Inode != inode:
			return 0
		}
	}
	return inode
}

// acceptsToo returns the finding of drops for a full accept queue, if a counter is that of such queues:
// the kernel frees most of the packets that it counts there without saying that it drops them
// (net/ipv4/tcp_input.c tcp_conn_request). It returns nil if there is none.
func acceptsToo(seen []Finding, r *counters.Row) *Finding {
	like := r.Meaning.Entry.Like
	i := slices.IndexFunc(seen, func(f Finding) bool {
		return (f.ID == like || slices.Contains(f.Meaning.PartOf, like)) && f.isIn(r)
	})
	if i < 0 || r.ID() != listenOverflows {
		return nil
	}
	return &seen[i]
}
