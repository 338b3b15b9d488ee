package nftables

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// Attributes of expressions, and verdicts, of include/uapi/linux/netfilter/nf_tables.h
// and include/uapi/linux/netfilter.h. Many expressions number theirs alike.
const (
	nftaExprName = 1
	nftaExprData = 2

	nftaDataVerdict  = 2
	nftaVerdictCode  = 1
	nftaVerdictChain = 2

	nftaFirst  = 1 // the meaning of these depends on the expression
	nftaSecond = 2
	nftaThird  = 3
	nftaFourth = 4
	nftaFifth  = 5

	nfDrop = 0
)

// verdicts are the texts of verdicts by their code.
var verdicts = map[int32]string{
	nfDrop: "drop", 1: "accept", 2: "stolen", 3: "queue", -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return",
}

// unconditional are the expressions that let each packet go on to the next: what comes
// to a counter before them comes to a verdict behind them.
var unconditional = []string{"counter", "log", "immediate", "reject", "notrack", "objref", "target", "last"}

// A rule is a rule as nft prints it, and what it counts.
type rule struct {
	chain   string // as the name of a chain
	table   string
	handle  uint64
	text    string
	packets uint64
	counts  bool
	object  string // the named counter that counts it
	drops   bool   // each packet that it counts is dropped

	expressions []byte // the list of them, in the memory of the kernel's message
}

// name is the rule as nft names it: "inet fw input handle 7".
func (r *rule) name() string { return fmt.Sprintf("%s handle %d", r.chain, r.handle) }

// parseRule reads a message about a rule (net/netfilter/nf_tables_api.c
// nf_tables_fill_rule_info).
func parseRule(data []byte) (r rule, err error) {
	family, attributes, err := parseNfgenmsg(data)
	if err != nil {
		return r, err
	}
	text := ruleText{rule: &r, registers: make(map[uint32]field)}
	var chain string
	var comment []byte
	err = kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case nftaTable:
			r.table = family + " " + a.String()
		case nftaRuleChain:
			chain = a.String()
		case nftaRuleHandle:
			if b := a.Bytes(); len(b) == 8 {
				r.handle = binary.BigEndian.Uint64(b)
			}
		case nftaRuleExprs:
			r.expressions = a.Bytes()
			a.Nested(func(list *netlink.AttributeDecoder) error {
				for list.Next() {
					text.expression(list.Bytes())
				}
				return list.Err()
			})
		case nftaRuleUserdata:
			comment = userComment(a.Bytes())
		}
	})
	if comment != nil {
		text.add(fmt.Sprintf("comment %q", comment))
	}
	r.chain, r.text = r.table+" "+chain, text.String()
	return r, err
}

// userComment gives the comment that nft keeps with a rule: type 0 of a list of types,
// lengths and values (libnftnl udata.h).
func userComment(data []byte) []byte {
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		value := data[2 : 2+int(data[1])]
		if data[0] == 0 {
			return []byte(nlenc.String(value))
		}
		data = data[2+len(value):]
	}
	return nil
}

// A ruleText makes the text of a rule from its expressions, the simple ones as nft has
// them, others by their kernel name.
type ruleText struct {
	rule      *rule
	words     []string // statements
	registers map[uint32]field
	protocol  string // "tcp", once the rule has asked for it

	conditional bool // what was counted need not come to the verdict
}

func (t *ruleText) add(words string) { t.words = append(t.words, words) }

// String is the rule without the conditions that the next one includes: "meta l4proto
// tcp" before "tcp dport 22".
func (t *ruleText) String() string {
	implied := map[string]string{"ipv4": "ip", "ipv6": "ip6", "ipv6-icmp": "icmpv6"}
	var kept []string
	for i, w := range t.words {
		if i+1 < len(t.words) {
			asked, ok := strings.CutPrefix(w, "meta l4proto ")
			if !ok {
				asked, ok = strings.CutPrefix(w, "meta nfproto ")
			}
			if short := implied[asked]; short != "" {
				asked = short
			}
			if ok && strings.HasPrefix(t.words[i+1], asked+" ") {
				continue
			}
		}
		kept = append(kept, w)
	}
	return strings.Join(kept, " ")
}

// expression adds one, and notes whether the rule counts, and what it drops.
func (t *ruleText) expression(attributes []byte) {
	name, data := nlenc.String(kernel.Attribute(attributes, nftaExprName)), kernel.Attribute(attributes, nftaExprData)
	if !slices.Contains(unconditional, name) && (t.rule.counts || t.rule.object != "") {
		t.conditional = true
	}
	if write := writers[name]; write != nil {
		write(t, data)
		return
	}
	t.add(name)
}

// writers are those whose text is known, by their kernel name.
var writers = map[string]func(t *ruleText, data []byte){
	"counter": (*ruleText).counter, "objref": (*ruleText).objref, "immediate": (*ruleText).immediate, "reject": (*ruleText).reject,
	"match": (*ruleText).match, "target": (*ruleText).target, "meta": (*ruleText).meta, "ct": (*ruleText).ct,
	"payload": (*ruleText).payload, "bitwise": (*ruleText).bitwise, "cmp": (*ruleText).cmp, "range": (*ruleText).between,
	"lookup": (*ruleText).lookup,
}

func (t *ruleText) counter(data []byte) {
	t.rule.packets, t.rule.counts = parseCounter(data)
	t.add("counter")
}

// objref is the use of a named object.
func (t *ruleText) objref(data []byte) {
	name := nlenc.String(kernel.Attribute(data, nftaSecond))
	if kernel.BigEndian32(kernel.Attribute(data, nftaFirst)) != objectCounter || name == "" {
		t.add("objref")
		return
	}
	t.rule.object = name
	t.add(fmt.Sprintf("counter name %q", name))
}

// immediate is a verdict, or the load of a constant, which has no text.
func (t *ruleText) immediate(data []byte) {
	verdict := kernel.Attribute(data, nftaSecond, nftaDataVerdict)
	if verdict == nil {
		return
	}
	code := int32(kernel.BigEndian32(kernel.Attribute(verdict, nftaVerdictCode)))
	words := verdicts[code]
	if chain := nlenc.String(kernel.Attribute(verdict, nftaVerdictChain)); chain != "" {
		words += " " + chain
	}
	t.add(words)
	if code == nfDrop {
		t.dropped()
	}
}

func (t *ruleText) reject([]byte) {
	t.add("reject")
	t.dropped()
}

// match is one of iptables.
func (t *ruleText) match(data []byte) {
	t.add(fmt.Sprintf("xt match %q", nlenc.String(kernel.Attribute(data, nftaFirst))))
}

// target is one of iptables. Of those that are not expressions of nftables REJECT is
// the one that drops.
func (t *ruleText) target(data []byte) {
	name := nlenc.String(kernel.Attribute(data, nftaFirst))
	t.add(fmt.Sprintf("xt target %q", name))
	if name == "REJECT" {
		t.dropped()
	}
}

// dropped notes a verdict that drops all that comes to it.
func (t *ruleText) dropped() { t.rule.drops = !t.conditional }
