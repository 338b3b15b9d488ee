package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"

	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/nftables"
)

// An xtFamily is how one of iptables and ip6tables lays out its rules (struct
// ipt_entry, include/uapi/linux/netfilter_ipv4/ip_tables.h; struct ip6t_entry).
type xtFamily struct {
	name  string // as nft has it
	file  string // below /proc/net: the tables that there are
	level int    // of the socket's options

	address            int // bytes of an address
	flags, target, end int // offsets of the inverted flags, of the target's offset, and size of the entry
}

var xtFamilies = []xtFamily{
	{name: "ip", file: "ip_tables_names", level: 0, address: 4, flags: 83, target: 88, end: 112},
	{name: "ip6", file: "ip6_tables_names", level: 41, address: 16, flags: 132, target: 140, end: 168},
}

// Sizes of include/uapi/linux/netfilter/x_tables.h.
const (
	sizeofXtHeader   = 32 // of a match or a target
	sizeofXtCounters = 16

	xtErrorTarget = "ERROR"
)

// xtHooks are the chains that netfilter calls, by number.
var xtHooks = [5]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// An xtTable is a table as the kernel gives it: where the chains of hooks begin, where
// their policies are, and all entries.
type xtTable struct {
	hooks                   uint32 // set of those that call it
	hookEntries, underflows [5]uint32
	entries                 []byte
}

// iptables reads the rules and policies of iptables and ip6tables, of which a kernel
// may have one only. Those of iptables-nft are rules of nftables.
func (r *reading) iptables() error {
	return errors.Join(ifThere(r.xtFamily(&xtFamilies[0])), ifThere(r.xtFamily(&xtFamilies[1])))
}

func (r *reading) xtFamily(f *xtFamily) error {
	names, err := r.host.ReadFile(netFile(f.file))
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(names)) {
		table, err := xtables(f, name)
		if err == nil {
			err = r.xtTable(f, name, table)
		}
		if err != nil {
			return fmt.Errorf("table %s of %stables: %w", name, f.name, err)
		}
	}
	return nil
}

// An xtEntry is a rule, a policy, or what begins a chain.
type xtEntry struct {
	matches, target []byte // the target has its header
	rule            []byte
	packets         uint64
	next            int // offset of the next entry
}

// entry reads the one at an offset.
func (f *xtFamily) entry(entries []byte, at int) (e xtEntry, err error) {
	if at+f.end > len(entries) {
		return e, fmt.Errorf("its rules end within one, at byte %d", at)
	}
	e.rule = entries[at : at+f.end]
	target, next := int(binary.NativeEndian.Uint16(e.rule[f.target:])), int(binary.NativeEndian.Uint16(e.rule[f.target+2:]))
	if target < f.end || next < target+sizeofXtHeader || at+next > len(entries) {
		return e, fmt.Errorf("the rule at byte %d has a wrong size", at)
	}
	e.packets = binary.NativeEndian.Uint64(e.rule[f.end-sizeofXtCounters : f.end-8])
	e.matches, e.target, e.next = entries[at+f.end:at+target], entries[at+target:at+next], at+next
	return e, nil
}

// extension gives the name and the data of a match or a target.
func extension(b []byte) (name string, data []byte) { return nlenc.String(b[2:31]), b[sizeofXtHeader:] }

// An xtChain is the one that entries belong to while they are read.
type xtChain struct {
	name, hook string
	policy     int // offset; -1: it has none
	rules      int
}

// xtTable adds the counters of a table.
func (r *reading) xtTable(f *xtFamily, table string, t *xtTable) error {
	chains, err := f.chains(t)
	if err != nil {
		return err
	}
	var chain xtChain
	same := make(map[string]int)
	for at := 0; at < len(t.entries); {
		e, err := f.entry(t.entries, at)
		if err != nil {
			return err
		}
		if c, begins := chains[at]; begins {
			chain = c
		}
		switch target, _ := extension(e.target); {
		case target == xtErrorTarget: // the head of a chain
		case at == chain.policy:
			r.xtPolicy(f, table, &chain, &e)
		case chain.policy < 0 && f.last(t, e.next): // the end of a chain of a user, which returns
		default:
			chain.rules++
			r.xtRule(f, table, &chain, &e, chains, same)
		}
		at = e.next
	}
	return nil
}

// last reports whether a chain ends before an offset: another begins there.
func (f *xtFamily) last(t *xtTable, at int) bool {
	e, err := f.entry(t.entries, at)
	if err != nil {
		return true
	}
	name, _ := extension(e.target)
	return name == xtErrorTarget
}

// chains gives the chains by the offset of their first rule.
func (f *xtFamily) chains(t *xtTable) (map[int]xtChain, error) {
	found := make(map[int]xtChain)
	for i, name := range xtHooks {
		if t.hooks&(1<<i) != 0 {
			found[int(t.hookEntries[i])] = xtChain{name: name, hook: name, policy: int(t.underflows[i])}
		}
	}
	for at := 0; at < len(t.entries); {
		e, err := f.entry(t.entries, at)
		if err != nil {
			return nil, err
		}
		if name, data := extension(e.target); name == xtErrorTarget {
			found[e.next] = xtChain{name: nlenc.String(data[:min(30, len(data))]), policy: -1}
		}
		at = e.next
	}
	return found, nil
}

// xtPolicy adds the counter of a chain's policy.
func (r *reading) xtPolicy(f *xtFamily, table string, c *xtChain, e *xtEntry) {
	verdict := e.verdict(nil)
	r.add(Counter{
		Key:   Key{Object: fmt.Sprintf("%s %s %s policy", f.name, table, c.name), Name: packetsOf(verdict == "DROP")},
		Value: e.packets, About: "policy " + verdict, Hook: c.hook,
	})
}

// xtRule adds the counter of a rule, which is known by its text: its number changes
// with those before it. Rules with the same text are numbered in their order.
func (r *reading) xtRule(f *xtFamily, table string, c *xtChain, e *xtEntry, chains map[int]xtChain, same map[string]int) {
	verdict := e.verdict(chains)
	words := append([]string{f.name, table, c.name}, f.matches(e)...)
	if verdict != "" {
		words = append(words, "-j "+verdict)
	}
	object := strings.Join(words, " ")
	same[object]++
	if n := same[object]; n > 1 {
		object += fmt.Sprintf(" (%d)", n)
	}
	r.add(Counter{
		Key:   Key{Object: object, Name: packetsOf(verdict == "DROP" || verdict == "REJECT")},
		Value: e.packets, About: fmt.Sprintf("rule %d", c.rules), Hook: c.hook,
	})
}

// verdict is the target by its name: of the standard one the verdict, or the chain that
// it leads to; empty if that is the next rule.
func (e *xtEntry) verdict(chains map[int]xtChain) string {
	name, data := extension(e.target)
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

// matches are the conditions of a rule as iptables -S writes them.
func (f *xtFamily) matches(e *xtEntry) (words []string) {
	inverted := e.rule[f.flags]
	add := func(flag byte, name, value string) {
		switch {
		case value == "":
		case inverted&flag != 0:
			words = append(words, "! "+name+" "+value)
		default:
			words = append(words, name+" "+value)
		}
	}
	a := f.address
	add(0x08, "-s", network(e.rule[:a], e.rule[2*a:3*a]))
	add(0x10, "-d", network(e.rule[a:2*a], e.rule[3*a:4*a]))
	names := e.rule[4*a:]
	add(0x01, "-i", nlenc.String(names[:16])) // with + for any ending
	add(0x02, "-o", nlenc.String(names[16:32]))
	if protocol := byte(binary.NativeEndian.Uint16(names[64:66])); protocol != 0 {
		name := nftables.ProtocolName(protocol)
		if name == "" {
			name = fmt.Sprint(protocol)
		}
		add(0x40, "-p", name)
	}
	for rest := e.matches; len(rest) >= sizeofXtHeader; {
		size := int(binary.NativeEndian.Uint16(rest[:2]))
		if size < sizeofXtHeader || size > len(rest) {
			break
		}
		words = append(words, extensionText(extension(rest[:size])))
		rest = rest[size:]
	}
	return words
}

// network is an address with its mask, empty for any.
func network(addr, mask []byte) string {
	a, _ := netip.AddrFromSlice(addr)
	ones := 0
	for _, b := range mask {
		ones += bits.OnesCount8(b)
	}
	switch prefix := netip.PrefixFrom(a, ones); {
	case ones == 0:
		return ""
	case prefix.Masked().Addr() == a || ones == 8*len(mask):
		return prefix.String()
	}
	m, _ := netip.AddrFromSlice(mask)
	return fmt.Sprintf("%v/%v", a, m)
}

// extensionText is a match as iptables -S writes it, with its values if it is a simple
// one (include/uapi/linux/netfilter/xt_tcpudp.h).
func extensionText(name string, data []byte) string {
	text := "-m " + name
	switch {
	case name == "comment":
		return text + fmt.Sprintf(" --comment %q", nlenc.String(data))
	case name == "tcp" && len(data) >= 12:
		return text + ports(data, data[11])
	case name == "udp" && len(data) >= 9:
		return text + ports(data, data[8])
	}
	return text + " ..."
}

// ports are the ranges of source and destination ports of the match tcp or udp.
func ports(data []byte, inverted byte) (text string) {
	for i, name := range []string{" --sport ", " --dport "} {
		from, to := binary.NativeEndian.Uint16(data[4*i:4*i+2]), binary.NativeEndian.Uint16(data[4*i+2:4*i+4])
		if from == 0 && to == 0xffff {
			continue
		}
		if inverted&(1<<i) != 0 {
			text += " !"
		}
		text += fmt.Sprint(name, from)
		if to != from {
			text += fmt.Sprint(":", to)
		}
	}
	return text
}
