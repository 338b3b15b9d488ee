package counters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// A Snapshot is what a host counted at one time.
type Snapshot struct {
	Time     time.Time     // when reading began
	Took     time.Duration // how long reading took
	Own      uint32        // inode of the network namespace of the process that read it; 0 if not known
	Counters []Counter     // by namespace, then in the order of the groups
	Failures []Failure     // what could not be read, with which Counters are not complete
}

// Nonzero returns a copy without the counters that are 0, of which a comparison with it counts
// the same changes.
func (s *Snapshot) Nonzero() *Snapshot {
	few := *s
	few.Counters = nil
	for i := range s.Counters {
		if s.Counters[i].Value != 0 {
			few.Counters = append(few.Counters, s.Counters[i])
		}
	}
	return &few
}

// A Failure is a group that could not be read.
type Failure struct {
	Netns event.Netns
	Group Group // empty: none of that namespace could be
	Err   error // why, without what
}

// Error says what could not be read, and why.
func (f *Failure) Error() string {
	what := "the counters"
	if f.Group != "" {
		what = fmt.Sprintf("the %s counters", f.Group)
	}
	if f.Netns.Name != "" {
		what += fmt.Sprintf(" of network namespace %s", f.Netns.AppendTo(nil))
	}
	if errors.Is(f.Err, fs.ErrPermission) {
		return fmt.Sprintf("cannot read %s: permission denied (try sudo)", what)
	}
	return fmt.Sprintf("cannot read %s: %v", what, f.Err)
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// failed is what a Failure is about.
type failed struct {
	netns event.Netns
	group Group
}

// unread returns what could not be read, so that counters which are missing for that are not taken for new ones later.
func (s *Snapshot) unread() map[failed]bool {
	set := make(map[failed]bool, len(s.Failures))
	for _, f := range s.Failures {
		set[failed{f.Netns, f.Group}] = true
	}
	return set
}

// A Reader takes snapshots. It is not safe for concurrent use.
type Reader struct {
	Host   *host.Host
	Groups []Group // to be read; none: all

	// Netns selects the network namespaces to be read, by inode number; nil: that of
	// this process. Namespaces come and go, so that each Read lists them.
	Netns func(inode uint32, n host.Netns) bool

	// Nonzero leaves out counters that are 0, as most are: they are [Counter.Sparse] then.
	Nonzero bool

	// Helper is a program by its path, and then its arguments from its name on, that does [ServeConnections] in a process of
	// its own: what a connection has sent the kernel may say only when a system call ends, and a process that waits for that
	// cannot end before. Nil: this process reads connections itself.
	Helper []string

	last int // how many counters the last snapshot has
}

// Read takes a snapshot. It fails only if ctx ends: what cannot be read is in the
// snapshot as a [Failure].
func (r *Reader) Read(ctx context.Context) (*Snapshot, error) {
	s := &Snapshot{Time: time.Now(), Own: r.Host.Netns(), Counters: make([]Counter, 0, r.last+r.last/16)}
	r.groups(ctx, event.Netns{}, s, true)
	if r.Netns == nil {
		r.groups(ctx, event.Netns{Inode: s.Own}, s, false)
	} else {
		r.namespaces(ctx, s)
	}
	s.Took, r.last = time.Since(s.Time), len(s.Counters)
	return s, ctx.Err()
}

// namespaces reads the selected ones, in the order of their names.
func (r *Reader) namespaces(ctx context.Context, s *Snapshot) {
	failures := r.eachNamespace(ctx, func(n event.Netns) { r.groups(ctx, n, s, false) })
	s.Failures = append(s.Failures, failures...)
}

// eachNamespace calls read in each of the selected namespaces, on a thread that is in it, in the order
// of their names. It returns those that it could not enter.
func (r *Reader) eachNamespace(ctx context.Context, read func(event.Netns)) (failures []Failure) {
	all := r.Host.NetworkNamespaces()
	inodes := slices.SortedFunc(maps.Keys(all), func(a, b uint32) int {
		return cmp.Or(strings.Compare(all[a].Name, all[b].Name), cmp.Compare(a, b))
	})
	for _, inode := range inodes {
		n := all[inode]
		if ctx.Err() != nil || !n.Seen() || !r.Netns(inode, n) {
			continue
		}
		named := event.Netns{Inode: inode, Name: n.Name}
		if n.Initial {
			named.Name = event.InitNetns
		}
		err := r.Host.InNetns(n, func() error {
			read(named)
			return nil
		})
		if err != nil {
			failures = append(failures, Failure{Netns: named, Err: err})
		}
	}
	return failures
}

// groups reads those of the whole host, or those of the namespace of the thread.
func (r *Reader) groups(ctx context.Context, n event.Netns, s *Snapshot, hostWide bool) {
	links := sync.OnceValues(readLinks) // for several groups
	for _, g := range groupReaders {
		if g.hostWide != hostWide || ctx.Err() != nil || len(r.Groups) > 0 && !slices.Contains(r.Groups, g.group) {
			continue
		}
		err := g.read(&reading{r.Host, n, g.group, s, r.Nonzero, links})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.Failures = append(s.Failures, Failure{n, g.group, err})
		}
	}
}

// A reading is under way in one network namespace, on a thread that is in it.
type reading struct {
	host  *host.Host // whose files are read
	netns event.Netns
	group Group
	into  *Snapshot // which gets the counters

	nonzero bool // see [Reader.Nonzero]

	links func() ([]link, error) // the interfaces of the namespace
}

// linkNames are the names of the interfaces of the namespace, by their indexes.
func (r *reading) linkNames() (map[uint32]string, error) {
	all, err := r.links()
	return namesOf(all), err
}

// add keeps a counter, and fills in what all of a group have in common.
func (r *reading) add(c Counter) {
	c.Netns, c.Group = r.netns, r.group
	c.Bits = cmp.Or(c.Bits, 64)
	if c.Sparse = c.Sparse || r.nonzero; c.Sparse && c.Value == 0 {
		return
	}
	r.into.Counters = append(r.into.Counters, c)
}

// A groupReader reads one group in the network namespace of the calling thread. An
// error that is [fs.ErrNotExist] says that the kernel has no such counters.
type groupReader struct {
	group    Group
	read     func(*reading) error
	hostWide bool // every namespace shows the same
}

// groupReaders are all, in the order in which they are shown: from the wire up.
var groupReaders = []groupReader{
	{Devlink, (*reading).devlink, false},
	{Driver, (*reading).driver, false},
	{Queue, (*reading).queues, false},
	{Softnet, (*reading).softnet, true},
	{Interface, (*reading).interfaces, false},
	{Qdisc, (*reading).qdiscs, false},
	{Filter, (*reading).filters, false},
	{Neighbour, (*reading).neighbours, true},
	{NFTables, (*reading).nftables, false},
	{IPTables, (*reading).iptables, false},
	{Conntrack, (*reading).conntrack, false},
	{NFQueue, (*reading).nfqueues, false},
	{Fragment, (*reading).fragments, false},
	{XFRM, (*reading).xfrm, false},
	{Protocol, (*reading).protocols, false},
	{Socket, (*reading).sockets, false},
}

// Sort puts counters in the order of a [Snapshot]. Those of a group of a network namespace
// stay in theirs.
func Sort(all []Counter) {
	order := make(map[Group]int, len(groupReaders))
	for i, g := range groupReaders {
		order[g.group] = i + 1
	}
	slices.SortStableFunc(all, func(a, b Counter) int {
		return cmp.Or(
			strings.Compare(a.Netns.Name, b.Netns.Name), cmp.Compare(a.Netns.Inode, b.Netns.Inode),
			cmp.Compare(order[a.Group], order[b.Group]))
	})
}
