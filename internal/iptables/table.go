// Package iptables reads the rules of iptables and ip6tables, as the kernel has them: those of iptables-nft are
// rules of nftables.
package iptables

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"dropwatch/internal/nftables"
)

// A Family is how one of iptables and ip6tables lays out its rules (struct ipt_entry,
// include/uapi/linux/netfilter_ipv4/ip_tables.h; struct ip6t_entry).
type Family struct {
	Name  string // as nft has it: ip, ip6
	Names string // the file below /proc/net with the tables that there are
	Level int    // of the socket's options

	Head    int // bytes of an entry before its matches
	Offsets int // where it has the offset of its target, and its size behind that

	address int // bytes of an address
	flags   int // offset of the inverted flags
}

// The families that there are.
var (
	IPv4 = Family{Name: "ip", Names: "ip_tables_names", Level: 0, address: 4, flags: 83, Offsets: 88, Head: 112}
	IPv6 = Family{Name: "ip6", Names: "ip6_tables_names", Level: 41, address: 16, flags: 132, Offsets: 140, Head: 168}
)

// Sizes of include/uapi/linux/netfilter/x_tables.h.
const (
	sizeofHeader   = 32 // of a match or a target
	sizeofCounters = 16 // struct xt_counters

	errorTarget = "ERROR" // of what begins a chain of a user
)

// The chains of hooks, by the numbers of these (enum nf_inet_hooks).
var hooks = [...]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// HookChain returns the name of the chain that a hook calls, which netfilter and knowledge.Hook have, too; empty if there is
// no such hook.
func HookChain(hook uint32) string {
	if hook >= uint32(len(hooks)) {
		return ""
	}
	return hooks[hook]
}

// A Table is a table as the kernel gives it: where the chains of hooks begin, where their policies are, and all entries.
type Table struct {
	Hooks                   uint32 // set of those that call it
	HookEntries, Underflows [len(hooks)]uint32
	Entries                 []byte
}

// A Rule is a rule of a table, or the policy of a chain.
type Rule struct {
	Chain   string
	Hook    string // that calls the chain, by its name; empty: other chains do
	Number  int    // in its chain, from 1 on, as iptables -L --line-numbers counts; 0: the policy
	Matches string // its conditions as iptables -S writes them; those with values that are not known end in "..."
	Verdict string // its target, which may be a chain, with the options of NFQUEUE; empty: the next rule
	Packets uint64 // that it was for
}

// Drops reports whether each packet that a rule is for is dropped.
func (r *Rule) Drops() bool { return r.Verdict == "DROP" || r.Verdict == "REJECT" }

// Text is the rule as iptables -S writes it behind the name of its chain.
func (r *Rule) Text() string {
	switch {
	case r.Verdict == "":
		return r.Matches
	case r.Matches == "":
		return "-j " + r.Verdict
	}
	return r.Matches + " -j " + r.Verdict
}

// An entry is a rule, a policy, or what begins or ends a chain.
type entry struct {
	matches, target []byte // the target has its header
	rule            []byte
	packets         uint64
	next            int // offset of the next entry
}

// entry reads the one at an offset.
func (f *Family) entry(entries []byte, at int) (e entry, err error) {
	if at+f.Head > len(entries) {
		return e, fmt.Errorf("its rules end within one, at byte %d", at)
	}
	e.rule = entries[at : at+f.Head]
	target, next := int(binary.NativeEndian.Uint16(e.rule[f.Offsets:])), int(binary.NativeEndian.Uint16(e.rule[f.Offsets+2:]))
	if target < f.Head || next < target+sizeofHeader || at+next > len(entries) {
		return e, fmt.Errorf("the rule at byte %d has a wrong size", at)
	}
	e.packets = binary.NativeEndian.Uint64(e.rule[f.Head-sizeofCounters : f.Head-8])
	e.matches, e.target, e.next = entries[at+f.Head:at+target], entries[at+target:at+next], at+next
	return e, nil
}

// A chain is the one that entries belong to while they are read.
type chain struct {
	name, hook string
	policy     int // offset; -1: it has none
	rules      int
}

// EachRule calls use with each rule and policy of a table, in their order; use must not keep it. It fails if the table is
// damaged.
func (f *Family) EachRule(t *Table, use func(*Rule)) error {
	chains, err := f.chains(t)
	if err != nil {
		return err
	}
	var c chain
	for at := 0; at < len(t.Entries); {
		e, err := f.entry(t.Entries, at)
		if err != nil {
			return err
		}
		if begins, ok := chains[at]; ok {
			c = begins
		}
		switch target, _ := extension(e.target); {
		case target == errorTarget: // the head of a chain
		case at == c.policy:
			use(&Rule{Chain: c.name, Hook: c.hook, Verdict: e.verdict(nil), Packets: e.packets})
		case c.policy < 0 && f.last(t, e.next): // the end of a chain of a user, which returns
		default:
			c.rules++
			use(&Rule{c.name, c.hook, c.rules, f.matches(&e, extension), e.verdict(chains), e.packets})
		}
		at = e.next
	}
	return nil
}

// last reports whether a chain ends before an offset: another begins there.
func (f *Family) last(t *Table, at int) bool {
	e, err := f.entry(t.Entries, at)
	if err != nil {
		return true
	}
	name, _ := extension(e.target)
	return name == errorTarget
}

// chains returns the chains by the offset of their first rule.
func (f *Family) chains(t *Table) (map[int]chain, error) {
	found := make(map[int]chain)
	for i, name := range hooks {
		if t.Hooks&(1<<i) != 0 {
			found[int(t.HookEntries[i])] = chain{name: name, hook: name, policy: int(t.Underflows[i])}
		}
	}
	for at := 0; at < len(t.Entries); {
		e, err := f.entry(t.Entries, at)
		if err != nil {
			return nil, err
		}
		if name, data := extension(e.target); name == errorTarget {
			found[e.next] = chain{name: text(data[:min(30, len(data))]), policy: -1}
		}
		at = e.next
	}
	return found, nil
}

// verdict is the target by its name: of the standard one the verdict, or the chain that it leads to; empty if that is
// the next rule.
func (e *entry) verdict(chains map[int]chain) string {
	name, data := extension(e.target)
	if name == "NFQUEUE" {
		if q := nftables.TargetQueues(data); q != nil {
			return name + " " + q.Options()
		}
	}
	if name != "" || len(data) < 4 {
		return name
	}
	code := int32(binary.NativeEndian.Uint32(data[:4]))
	if code >= 0 {
		return chains[int(code)].name
	}
	names := map[int32]string{-1: "DROP", -2: "ACCEPT", -4: "QUEUE", -5: "RETURN"} // minus the verdict, minus 1
	if names[code] == "" {
		return fmt.Sprint(code)
	}
	return names[code]
}

// text is what is before a NUL.
func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}
