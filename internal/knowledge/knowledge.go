// Package knowledge explains drops: what happened, how to check it, and how to fix
// it. It is data, an [Entry] for each reason, function and trap, in a table for each
// layer of the network stack.
//
// The comment at an entry names the functions of Linux 6.12 that drop for this reason,
// three at most, or the file that defines the function. Other versions may differ: it
// says where to read on, and is not data.
package knowledge

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"dropwatch/internal/event"
)

// An Entry is what is known of drops with one name. Its texts may have holes, such as
// {ifname}, which [Entry.Explain] fills.
type Entry struct {
	Name     string // as the kernel has it
	Kind     Kind
	Layer    Layer  // of the network stack
	Module   string // the part of the layer, as "tcp" or "qdisc"
	Class    Class
	Severity Severity
	Cause    string   // what happened, in a sentence or two
	Short    string   // the same in about three words, of what is often noise
	Usual    []string // usual causes, each a phrase, the most likely first; only noise may have none
	Check    []string // shell commands that show it; "# note" says what to look for
	Fix      string   // what to do, or that nothing is to be done here, in a sentence or two; only noise may have none
	Apply    []string // shell commands that do what Fix says; N stands for a number, other capitals for what the host has
	Steady   string   // what to do instead if drops go on at the same rate, so that more room fills as well; empty: the same
	Counters []string // kernel counters that rise with each such drop, by the ID of package counters
	OfPeer   []string // those of another interface, to which the drop's handed the packet, maybe of another network namespace
	Settings []string // that decide whether packets are dropped, by the names of package settings
	Cases    []Case   // narrower causes, of which the first that applies is the one

	// PartOf are the names of entries: drops that one of those is about, of the same interface and destination, have
	// the same cause, and say more of it.
	PartOf []string

	Loses Loses // of a Counter: whether a packet is lost when it rises
	Fault bool  // of a Counter: it counts failures of what carries packets, or packets that are mostly lost: nothing else does
	Unit  Unit  // of a Counter: what it counts

	// Includes are the counters that are counted in a Counter as well.
	Includes []string

	// Same is the name of another Entry, which has the texts of this one.
	Same string

	// Like is the name of another Entry, the usual causes, settings and fix of which are also those of this
	// one, as far as it has none of its own. That one has no Like.
	Like string
}

// A Case is a narrower cause, which applies if the drop carries the evidence for it.
// Fields that are not set are as in the Entry.
type Case struct {
	If       Evidence // all of this
	Via      []string // and one of these functions is the nearest known caller
	Class    Class
	Severity Severity
	Cause    string
	Ruled    string   // Cause where it is known that a rule or a policy of a firewall dropped the packet; empty: Cause
	Short    string   // as that of an Entry
	Usual    []string // set together with Cause, or in place of the Entry's
	Check    []string
	Fix      string
	Apply    []string // set together with Fix
	Counters []string
	Settings []string // not nil: instead of those of the Entry
	PartOf   []string
}

// tables are all entries, by layer. A name occurs once for each Kind, which a test
// keeps.
var tables = []struct {
	layer   Layer
	entries []Entry
}{
	{AnyLayer, general},
	{Hardware, devices}, {Hardware, traps}, {Hardware, hardwareCounters}, {Hardware, driverCounters},
	{Link, link}, {Link, queues}, {Link, renamed(queues, newNames)}, {Link, wireless}, {Link, linkFunctions}, {Link, linkCounters},
	{Network, network}, {Network, firewall}, {Network, networkFunctions}, {Network, multicastRouting}, {Network, tunnelFunctions},
	{Network, networkCounters},
	{Transport, sockets}, {Transport, tcp}, {Transport, transportFunctions}, {Transport, transportCounters},
}

// general holds what says nothing about a layer.
var general = []Entry{
	{
		Name: event.NotSpecified, Module: "kernel", Class: Error, Severity: Maybe,
		Cause: "The kernel gives no reason for this drop. Its location is what is known.",
		Usual: []string{
			"a function that has no reason yet, or an older kernel",
			"a driver or a module from outside the kernel",
		},
		Check: []string{"dropwatch watch --stack reason NOT_SPECIFIED"},
		Fix:   "dropwatch explain FUNCTION explains the location, if it is a known one.",
	},
}

// An id is what an Entry is found by.
type id struct {
	kind Kind
	name string
}

// index returns all entries, complete, by kind and name. It is built at the first
// use, so that a run that explains nothing pays nothing.
var index = sync.OnceValue(func() map[id]*Entry {
	all := make(map[id]*Entry)
	for _, t := range tables {
		for i := range t.entries {
			e := t.entries[i]
			e.Layer = t.layer
			all[id{e.Kind, e.Name}] = &e
		}
	}
	for _, e := range all {
		if e.Like != "" {
			e.addLike(all)
		}
	}
	for _, e := range all {
		if e.Same != "" {
			e.copyTexts(all)
		}
	}
	return all
})

// copyTexts sets the texts of an Entry that are the same as those of another. Of a counter, the command that reads the
// other reads this one.
func (en *Entry) copyTexts(all map[id]*Entry) {
	if other := find(all, en.Same); other != nil {
		kind, name, layer := en.Kind, en.Name, en.Layer
		*en = *other
		en.Kind, en.Name, en.Layer = kind, name, layer
		if i := slices.Index(en.Check, "nstat -az "+other.Name); i >= 0 {
			en.Check = slices.Clone(en.Check)
			en.Check[i] = "nstat -az " + name
		}
	}
}

// addLike sets what an Entry has from one that is like it.
func (en *Entry) addLike(all map[id]*Entry) {
	other := find(all, en.Like)
	if other == nil {
		return
	}
	if en.Fix == "" {
		en.Fix, en.Apply = other.Fix, other.Apply
	}
	if len(en.Usual) == 0 {
		en.Usual = other.Usual
	}
	if len(en.Settings) == 0 {
		en.Settings = other.Settings
	}
}

// find returns the Entry of a name of any Kind, nil if there is none.
func find(all map[id]*Entry, name string) *Entry {
	for _, kind := range []Kind{Reason, Function, Trap, Counter} {
		if en := all[id{kind, name}]; en != nil {
			return en
		}
	}
	return nil
}

// All returns every Entry, sorted by layer, kind, module and name.
func All() []*Entry {
	all := make([]*Entry, 0, len(index()))
	for _, e := range index() {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entry) int {
		return cmp.Or(
			cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Module, b.Module), cmp.Compare(a.Name, b.Name),
		)
	})
	return all
}

// Lookup returns the entries with a name: of a reason, a function, a trap or a counter.
// The name may be as people and tools write it: in any case, a reason with the kernel's
// prefix, a function with offset and module.
func Lookup(name string) []*Entry {
	small := strings.ToLower(strings.TrimSpace(name))
	if counter := byName()[small]; counter != nil { // whose name may have a dot
		return counter
	}
	if counter := ofCounter(small); counter != nil {
		return []*Entry{counter}
	}
	return byName()[plain(name)]
}

// byName returns all entries by their names in small letters, each name's sorted by kind.
var byName = sync.OnceValue(func() map[string][]*Entry {
	all := make(map[string][]*Entry)
	for _, e := range index() {
		name := strings.ToLower(e.Name)
		all[name] = append(all[name], e)
	}
	for _, same := range all {
		slices.SortFunc(same, func(a, b *Entry) int { return cmp.Compare(a.Kind, b.Kind) })
	}
	return all
})

// plain returns the key of byName for a name as people and tools write it.
func plain(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	return event.FunctionOf(strings.TrimPrefix(name, "skb_drop_reason_"))
}

// Find returns the Entry of a drop: that of its reason, or if the kernel gave none of
// its trap or function. It returns nil if there is none.
func Find(e *event.Event) *Entry {
	switch {
	case e.HasReason():
		return index()[id{Reason, e.Reason}]
	case e.Where.Trap != "":
		return index()[id{Trap, e.Where.Trap}]
	}
	symbol, _, _, _ := e.Where.Name()
	return index()[id{Function, event.FunctionOf(symbol)}]
}
