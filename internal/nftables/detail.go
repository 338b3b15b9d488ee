package nftables

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxElements is how many elements of a set are written.
const maxElements = 8

// A Detail is a rule with the elements of its sets, and which of them a packet is.
type Detail struct {
	Text    string `json:"text"`              // as nft has it, with elements of sets without a name, eight of each at most
	Element string `json:"element,omitempty"` // "192.0.2.1", of the only set of the rule that the packet is in; empty if that is not known
	Set     string `json:"set,omitempty"`     // that one, "@blocked", if it has a name
	Delete  string `json:"delete,omitempty"`  // "inet fw blocked { 192.0.2.1 }", as nft delete element takes it; empty: it cannot
}

// Detail returns that of a rule by its name, "inet fw input handle 7", and for a packet at a hook; nil: none is known.
// It fails if the rule is gone, and has to be called as [Ruleset.Suspects] has.
func (r *Ruleset) Detail(name, hook string, p *Packet) (d Detail, ok bool) {
	of, c := r.ruleOf(name)
	if c == nil {
		return d, false
	}
	text := ruleText{rule: of, sets: func(name string) *set { return r.set(c.table, name) }}
	_ = text.write() // which was read before
	d.Text = text.String()
	if p == nil {
		return d, true
	}
	w := walk{rules: r, hook: hook, packet: p}
	if e := w.evaluate(of, c.table); e.match != no && len(e.found) == 1 {
		s, element := e.found[0].set, e.found[0].element
		d.Element = s.elementText(element, text.keys[s.name])
		if s.flags&setAnonymous == 0 {
			d.Set = "@" + s.name
		}
		if s.flags&(setAnonymous|setConstant) == 0 && !element.catchall {
			d.Delete = fmt.Sprintf("%s %s %s { %s }", c.table.family, c.table.name, s.name, d.Element)
		}
	}
	return d, true
}

// ruleOf returns a copy of a rule, and its chain; nil if there is none.
func (r *Ruleset) ruleOf(name string) (*rule, *chain) {
	for chain, rules := range r.rules {
		if !strings.HasPrefix(name, chain+" ") || r.chains[chain] == nil {
			continue
		}
		for _, one := range rules {
			if one.name() == name {
				of := *one
				return &of, r.chains[chain]
			}
		}
	}
	return nil, nil
}

// fieldsAt are what the parts of so many bytes hold, from a register on, each with its size. The kernel says of keys of
// sets with intervals alone what those are.
func (t *ruleText) fieldsAt(register uint32, length int, lengths []int) (all []field) {
	const word = 4
	whole := min(length, len(registerFile{}.data))
	for at := 0; at < whole; {
		f := field{name: "?", size: word}
		for number, known := range t.registers {
			if offsetOf(number) == offsetOf(register)+at {
				f = known
				f.size = cmp.Or(f.size, sizes[f.kind], word)
			}
		}
		if len(all) < len(lengths) {
			f.size = lengths[len(all)]
		}
		f.size = max(1, min(f.size, whole-at))
		all = append(all, f)
		at += (f.size + word - 1) &^ (word - 1)
	}
	return all
}

// text is the elements as nft has them, by their keys: "{ 7, 9, and 3 more }".
func (s *set) text(keys []field) string {
	var begin []*setElement
	for i := range s.elements {
		if e := &s.elements[i]; !e.end {
			begin = append(begin, e)
		}
	}
	slices.SortStableFunc(begin, func(a, b *setElement) int { return bytes.Compare(a.key, b.key) })
	var all []string
	for _, e := range begin[:min(len(begin), maxElements)] {
		text := s.elementText(e, keys)
		if v, ok := verdictOf(e.data, yes); ok {
			text += " : " + v.String()
		}
		all = append(all, text)
	}
	if more := len(begin) - maxElements; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return "{ " + strings.Join(all, ", ") + " }"
}

// elementText is the key of an element as nft has it: "192.0.2.0/24 . 5-10".
func (s *set) elementText(e *setElement, keys []field) string {
	from, to := e.key, e.keyEnd
	switch {
	case e.catchall:
		return "*"
	case to == nil && s.flags&setInterval != 0:
		to = s.endOf(e)
	case to == nil:
		to = from
	}
	var parts []string
	at := 0
	for _, key := range keys {
		n := key.size
		if at+n > len(from) || at+n > len(to) {
			return fmt.Sprintf("%#x", from)
		}
		if s.flags&setInterval != 0 && (key.kind == hostNumber || key.kind == hostMark) { // of which nft turns the bytes around
			key.kind = bigEndianNumber
		}
		parts = append(parts, key.rangeText(from[at:at+n], to[at:at+n]))
		at += (n + 3) &^ 3
	}
	return strings.Join(parts, " . ")
}

// endOf is the last key of the interval that an element begins: the one before the next element's.
func (s *set) endOf(e *setElement) []byte {
	last := bytes.Repeat([]byte{0xff}, len(e.key))
	i := slices.IndexFunc(s.elements, func(o setElement) bool { return !o.catchall && bytes.Compare(o.key, e.key) > 0 })
	if i < 0 || len(s.elements[i].key) != len(last) {
		return last
	}
	copy(last, s.elements[i].key)
	for at := len(last) - 1; at >= 0; at-- {
		if last[at]--; last[at] != 0xff {
			break
		}
	}
	return last
}

// rangeText is all values from one to another, as nft writes them.
func (f *field) rangeText(from, to []byte) string {
	if bytes.Equal(from, to) {
		return f.text(from)
	}
	if a, ok := netip.AddrFromSlice(from); ok && f.kind == networkAddress {
		for bits := range 8 * len(from) {
			if p := netip.PrefixFrom(a, bits); p.Masked() == p && bytes.Equal(lastOf(p), to) {
				return p.String()
			}
		}
	}
	return f.text(from) + "-" + f.text(to)
}

// lastOf is the last address of a network.
func lastOf(p netip.Prefix) []byte {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}
