package nftables

import (
	"cmp"
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
	nftaExprName = 1 // NFTA_EXPR_NAME
	nftaExprData = 2 // NFTA_EXPR_DATA

	nftaDataVerdict  = 2 // NFTA_DATA_VERDICT
	nftaVerdictCode  = 1 // NFTA_VERDICT_CODE
	nftaVerdictChain = 2 // NFTA_VERDICT_CHAIN

	nftaFirst  = 1 // the meaning of these depends on the expression
	nftaSecond = 2
	nftaThird  = 3
	nftaFourth = 4
	nftaFifth  = 5

	nfDrop = 0 // NF_DROP
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
	table   string // with its family, as in the name of a chain
	handle  uint64 // by which nft names it; unique in its table
	text    string
	packets uint64 // that its first counter has counted
	counts  bool   // it has a counter, or uses a named one
	object  string // the named counter that counts it
	drops   bool   // each packet that it counts is dropped

	expressions []byte // the list of them, in the memory of the kernel's message
	comment     []byte // nil: it has none
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
	var chain string
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
		case nftaRuleUserdata:
			r.comment = userComment(a.Bytes())
		}
	})
	text := ruleText{rule: &r}
	r.chain = r.table + " " + chain
	err = cmp.Or(err, text.write())
	r.text = text.String()
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

	sets func(name string) *set // with their elements, nil if one cannot be read; nil: elements are not written
	keys map[string][]field     // what the keys of each set are compared with, by its name
}

// write adds all that the rule has.
func (t *ruleText) write() error {
	t.registers, t.keys = make(map[uint32]field), make(map[string][]field)
	err := kernel.EachAttribute(t.rule.expressions, func(a *netlink.AttributeDecoder) { t.expression(a.Bytes()) })
	if t.rule.comment != nil {
		t.add(fmt.Sprintf("comment %q", t.rule.comment))
	}
	return err
}

func (t *ruleText) add(words string) { t.words = append(t.words, words) }

// String is the rule without the conditions that the next one includes: "meta l4proto
// tcp" before "tcp dport 22".
func (t *ruleText) String() string {
	var kept []string
	for i, w := range t.words {
		asked, ok := protocolIn(w)
		next := slices.IndexFunc(t.words[i+1:], func(w string) bool { _, also := protocolIn(w); return !also })
		if ok && next >= 0 && slices.ContainsFunc(strings.Split(t.words[i+1+next], " . "), func(field string) bool {
			return strings.HasPrefix(field, asked+" ")
		}) {
			continue
		}
		kept = append(kept, w)
	}
	return strings.Join(kept, " ")
}

// protocolIn returns the protocol that a condition asks for, as fields begin with it; false if it asks for none.
func protocolIn(words string) (protocol string, ok bool) {
	if protocol, ok = strings.CutPrefix(words, "meta l4proto "); !ok {
		protocol, ok = strings.CutPrefix(words, "meta nfproto ")
	}
	short := map[string]string{"ipv4": "ip", "ipv6": "ip6", "ipv6-icmp": "icmpv6"}[protocol]
	return cmp.Or(short, protocol), ok
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
	clear(t.registers) // any may have been loaded
	t.add(name)
}

// writers are those whose text is known, by their kernel name.
var writers = map[string]func(t *ruleText, data []byte){
	"counter": (*ruleText).counter, "objref": (*ruleText).objref, "immediate": (*ruleText).immediate, "reject": (*ruleText).reject,
	"match": (*ruleText).match, "target": (*ruleText).target, "meta": (*ruleText).meta, "ct": (*ruleText).ct,
	"payload": (*ruleText).payload, "bitwise": (*ruleText).bitwise, "cmp": (*ruleText).cmp, "range": (*ruleText).between,
	"lookup": (*ruleText).lookup, "numgen": (*ruleText).numgen, "byteorder": (*ruleText).byteorder,
	"limit": (*ruleText).limit, "connlimit": (*ruleText).connlimit, "quota": (*ruleText).quota, "fib": (*ruleText).fib,
	"queue": (*ruleText).queue, "log": (*ruleText).log, "osf": (*ruleText).osf, "socket": (*ruleText).socket, "hash": (*ruleText).hash,
}

// counter keeps the packets of the rule's own counter; the text has no number, as nft list has none with -s.
func (t *ruleText) counter(data []byte) {
	t.rule.packets, t.rule.counts = parseCounter(data)
	t.add("counter")
}

// immediate is a verdict, or the load of a constant, which has no text.
func (t *ruleText) immediate(data []byte) {
	if kernel.Attribute(data, nftaSecond, nftaDataVerdict) == nil {
		return
	}
	v, _ := verdictOf(kernel.Attribute(data, nftaSecond), yes)
	t.add(v.String())
	if v.code == nfDrop {
		t.dropped()
	}
}

// String is the verdict as nft has it: "drop", "jump sub".
func (v verdict) String() string {
	if v.chain == "" {
		return verdicts[v.code]
	}
	return verdicts[v.code] + " " + v.chain
}

// reject drops the packet; with what it is answered is left out.
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
	words := fmt.Sprintf("xt target %q", name)
	if q, _ := nfqueueOf(data); q != nil {
		words += " " + q.Options()
	}
	t.add(words)
	if name == "REJECT" {
		t.dropped()
	}
}

// dropped notes a verdict that drops all that comes to it.
func (t *ruleText) dropped() { t.rule.drops = !t.conditional }
