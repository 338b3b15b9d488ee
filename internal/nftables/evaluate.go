package nftables

import (
	"slices"

	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/event"
	"dropwatch/internal/kernel"
)

// A verdict is what becomes of a packet (NFT_* and NF_*).
type verdict struct {
	code  int32
	chain string // to jump to, in the same table
	sure  truth  // perhaps: it may have been another
}

// Codes of verdicts that end a rule, and one that stands for the lack of a verdict.
const (
	verdictAccept   = 1  // NF_ACCEPT
	verdictStolen   = 2  // NF_STOLEN
	verdictQueue    = 3  // NF_QUEUE
	verdictContinue = -1 // NFT_CONTINUE
	verdictBreak    = -2 // NFT_BREAK
	verdictJump     = -3 // NFT_JUMP
	verdictGoto     = -4 // NFT_GOTO
	verdictReturn   = -5 // NFT_RETURN
)

// passive are the expressions that neither decide nor change anything that is compared.
var passive = []string{"counter", "log", "notrack", "last", "dup"}

// translating are the expressions that change the packet, or its connection, so that
// what the rules before them compared is not what was dropped. All but payload accept it.
var translating = []string{"nat", "masq", "redir", "tproxy", "synproxy", "fwd"}

// An evaluation is that of the expressions of one rule.
type evaluation struct {
	rules     *Ruleset
	table     tableName
	hook      string
	packet    *Packet
	registers registerFile
	match     truth     // of the expressions so far
	verdicts  []verdict // that may follow: several from a map
	changed   bool      // it changes the packet
	queues    *Queues   // of a verdict to queue; nil: they are not known
	found     []found   // elements of sets that it is

	others  truth // whether all expressions but those of stateful match
	limited bool  // it has one of those
}

// A found is an element that alone matches what is known in full of a packet.
type found struct {
	set     *set
	element *setElement
}

// evaluate runs a rule.
func (w *walk) evaluate(r *rule, table tableName) evaluation {
	e := evaluation{rules: w.rules, table: table, hook: w.hook, packet: w.packet, match: yes, others: yes}
	eachNested(r.expressions, func(expression []byte) {
		name, data := nlenc.String(kernel.Attribute(expression, nftaExprName)), kernel.Attribute(expression, nftaExprData)
		switch run := evaluators[name]; {
		case e.match == no || len(e.verdicts) > 0:
		case isStateful(name, data):
			e.match, e.limited = min(e.match, perhaps), true
		case run != nil:
			run(&e, data)
		case slices.Contains(translating, name):
			e.changed = true
			e.verdicts = []verdict{{code: verdictAccept, sure: perhaps}}
		case !slices.Contains(passive, name):
			e.unknown(data)
		}
	})
	return e
}

// isStateful reports whether an expression matches by what came before: up to a rate, a number of bytes or of connections,
// or beyond it.
func isStateful(name string, data []byte) bool {
	if name == "objref" {
		kind := kernel.BigEndian32(kernel.Attribute(data, nftaFirst))
		return kind == objectQuota || kind == objectLimit || kind == objectConnlimit
	}
	return slices.Contains([]string{"limit", "quota", "connlimit"}, name)
}

// evaluators are the expressions whose result is known, by their kernel name.
var evaluators map[string]func(e *evaluation, data []byte)

// The table is filled here, as its functions lead back to it. Its keys are the names of struct nft_expr_type.
func init() {
	evaluators = map[string]func(e *evaluation, data []byte){
		"immediate": (*evaluation).immediate, "reject": (*evaluation).reject, "target": (*evaluation).target, "meta": (*evaluation).meta,
		"ct": (*evaluation).ct, "payload": (*evaluation).payload, "bitwise": (*evaluation).bitwise, "cmp": (*evaluation).cmp,
		"range": (*evaluation).between, "lookup": (*evaluation).lookup, "byteorder": (*evaluation).byteorder,
		"objref": (*evaluation).objref, "queue": (*evaluation).queue,
	}
}

// unknown notes an expression of which nothing is known: it may match, and load any
// register.
func (e *evaluation) unknown([]byte) {
	clear(e.registers.known[:])
	e.is(perhaps)
}

// is notes whether an expression matches.
func (e *evaluation) is(t truth) { e.match, e.others = min(e.match, t), min(e.others, t) }

// decide ends the rule with a verdict that is certain if the rule matches.
func (e *evaluation) decide(code int32) { e.verdicts = []verdict{{code: code, sure: yes}} }

// reject drops the packet, after the kernel has answered it.
func (e *evaluation) reject([]byte) { e.decide(nfDrop) }

// target is a target of iptables that iptables-nft wrote (net/netfilter/nft_compat.c): REJECT, which drops,
// and NFQUEUE are known.
func (e *evaluation) target(data []byte) {
	if nlenc.String(kernel.Attribute(data, nftaFirst)) == "REJECT" {
		e.decide(nfDrop)
		return
	}
	if q, ok := nfqueueOf(data); ok {
		e.queues = q
		e.decide(verdictQueue)
		return
	}
	e.unknown(data)
}

// objref is a named object (net/netfilter/nft_objref.c): a counter always matches, of others nothing is known.
func (e *evaluation) objref(data []byte) {
	if kernel.BigEndian32(kernel.Attribute(data, nftaFirst)) != objectCounter {
		e.unknown(data) // such as a limit
	}
}

// immediate loads a constant, or gives a verdict: accept, drop, jump and the like are immediates, too
// (nft_immediate_eval).
func (e *evaluation) immediate(data []byte) {
	content := kernel.Attribute(data, nftaSecond)
	if v, ok := verdictOf(content, yes); ok {
		e.verdicts = []verdict{v}
		return
	}
	e.registers.set(kernel.Attribute(data, nftaFirst), kernel.Attribute(content, nftaFirst))
}

// verdictOf reads the verdict in NFTA_DATA_VERDICT.
func verdictOf(data []byte, sure truth) (verdict, bool) {
	attributes := kernel.Attribute(data, nftaDataVerdict)
	code := kernel.Attribute(attributes, nftaVerdictCode)
	return verdict{int32(kernel.BigEndian32(code)), nlenc.String(kernel.Attribute(attributes, nftaVerdictChain)), sure}, len(code) == 4
}

// meta loads what nft_meta_get_eval does, as far as it is known of a packet.
func (e *evaluation) meta(data []byte) {
	register := kernel.Attribute(data, nftaFirst)
	if register == nil { // it sets something, which no rule behind it is taken to know
		return
	}
	const protocol, iif, oif, iifname, oifname, nfproto, l4proto = 1, 4, 5, 6, 7, 15, 16
	p := e.packet
	e.registers.forget(register, 0)
	switch key := kernel.BigEndian32(kernel.Attribute(data, nftaSecond)); key {
	case protocol:
		e.registers.set(register, []byte{byte(p.Proto >> 8), byte(p.Proto)})
	case nfproto:
		if family := map[uint16]byte{event.EtherIPv4: nfprotoIPv4, event.EtherIPv6: nfprotoIPv6}[p.Proto]; family != 0 && e.atIP() {
			e.registers.set(register, []byte{family})
		}
	case l4proto:
		if p.protocol >= 0 {
			e.registers.set(register, []byte{byte(p.protocol)})
		}
	case iifname, oifname:
		if name, known := p.ifname(e.hook, key == iifname); known {
			e.registers.set(register, append([]byte(name), make([]byte, max(16-len(name), 0))...))
		}
	case iif, oif:
		e.ifindex(register, key == iif)
	}
}

// atIP reports whether the hook is one of IP: at others nfproto is not that of the packet.
func (e *evaluation) atIP() bool {
	return e.table.family != "netdev" && e.table.family != "bridge" && e.hook != "ingress"
}

// ifindex loads the index of an interface, 0 if there is none at the hook.
func (e *evaluation) ifindex(register []byte, in bool) {
	name, known := e.packet.ifname(e.hook, in)
	switch {
	case known && name == "":
		e.registers.set(register, make([]byte, 4))
	case known && e.packet.Port.IfIndex != 0:
		e.registers.set(register, nlenc.Uint32Bytes(e.packet.Port.IfIndex))
	}
}

// ct loads what was known at the time of the packet alone.
func (e *evaluation) ct(data []byte) {
	if register := kernel.Attribute(data, nftaFirst); register != nil {
		e.registers.forget(register, 0)
		e.is(perhaps) // some packets have no connection
	}
}

// payload loads a part of the packet. One that does not have it ends the rule.
func (e *evaluation) payload(data []byte) {
	register, n := kernel.Attribute(data, nftaFirst), int(kernel.BigEndian32(kernel.Attribute(data, nftaFourth)))
	if register == nil {
		e.changed = true
		return
	}
	e.registers.forget(register, n)
	const link, network, transport = 0, 1, 2
	p, from, offset := e.packet, []byte(nil), int(kernel.BigEndian32(kernel.Attribute(data, nftaThird)))
	whole := p.Whole
	switch kernel.BigEndian32(kernel.Attribute(data, nftaSecond)) {
	case link:
		from, whole = p.Link, false
	case network:
		from = p.Network
	case transport:
		switch {
		case p.transport < 0 && p.protocol >= 0: // a later fragment
			e.is(no)
			return
		case p.transport < 0:
			e.is(perhaps)
			return
		}
		from = p.Network[min(p.transport, len(p.Network)):]
	default:
		whole = false
	}
	switch {
	case n > 0 && offset+n <= len(from):
		e.registers.set(register, from[offset:offset+n])
	case whole:
		e.is(no)
	default:
		e.is(perhaps)
	}
}

// bitwise masks a value and inverts bits of it (nft_bitwise_eval_bool), which is how a network or a flag is compared.
// Shifts, NFTA_BITWISE_OP from Linux 5.6 on, make a value that is not known.
func (e *evaluation) bitwise(data []byte) {
	n := int(kernel.BigEndian32(kernel.Attribute(data, nftaThird)))
	to := kernel.Attribute(data, nftaSecond)
	if op := kernel.Attribute(data, 6); op != nil && kernel.BigEndian32(op) != 0 {
		e.registers.forget(to, n)
		return
	}
	v := e.registers.get(kernel.Attribute(data, nftaFirst), n)
	mask, xor := kernel.Attribute(data, nftaFourth, nftaFirst), kernel.Attribute(data, nftaFifth, nftaFirst)
	e.registers.store(to, v.masked(mask, xor))
}

// byteorder swaps the bytes of numbers, of a size each (nft_byteorder_eval).
func (e *evaluation) byteorder(data []byte) {
	n, size := int(kernel.BigEndian32(kernel.Attribute(data, nftaFourth))), int(kernel.BigEndian32(kernel.Attribute(data, nftaFifth)))
	e.registers.store(kernel.Attribute(data, nftaSecond), e.registers.get(kernel.Attribute(data, nftaFirst), n).swapped(size))
}

// cmp compares a register with a constant, byte by byte from the first on, as numbers are in network byte order
// (nft_cmp_eval).
func (e *evaluation) cmp(data []byte) {
	with := kernel.Attribute(data, nftaThird, nftaFirst)
	op := kernel.BigEndian32(kernel.Attribute(data, nftaSecond))
	e.is(e.registers.get(kernel.Attribute(data, nftaFirst), len(with)).compare(op, with))
}

// between is a range of constants, both of which are in it (nft_range_eval); with NFT_RANGE_NEQ all that is outside.
func (e *evaluation) between(data []byte) {
	from, to := kernel.Attribute(data, nftaThird, nftaFirst), kernel.Attribute(data, nftaFourth, nftaFirst)
	in := e.registers.get(kernel.Attribute(data, nftaFirst), len(from)).between(from, to)
	if kernel.BigEndian32(kernel.Attribute(data, nftaSecond)) == 1 {
		in = in.not()
	}
	e.is(in)
}

// lookup searches a set, or a map for a value or verdicts.
func (e *evaluation) lookup(data []byte) {
	set := e.rules.set(e.table, nlenc.String(kernel.Attribute(data, nftaFirst)))
	to := kernel.Attribute(data, nftaThird)
	if set == nil {
		e.unknown(data)
		return
	}
	key := e.registers.get(kernel.Attribute(data, nftaSecond), set.keyLen)
	switch {
	case to != nil:
		e.mapTo(to, set, key)
	case kernel.BigEndian32(kernel.Attribute(data, nftaFifth)) == 1:
		e.is(set.membership(set.find(key)).not())
	default:
		hits := set.find(key)
		e.is(set.membership(hits))
		if len(hits) == 1 && key.whole() {
			e.found = append(e.found, found{set, hits[0].element})
		}
	}
}

// mapTo loads a register with the value of a key, or takes the verdicts that it may have.
func (e *evaluation) mapTo(register []byte, set *set, key value) {
	hits := set.find(key)
	e.is(set.membership(hits))
	e.registers.forget(register, 0)
	for _, h := range hits {
		if v, ok := verdictOf(h.element.data, h.sure); ok {
			e.verdicts = append(e.verdicts, v)
			continue
		}
		if h.sure == yes {
			e.registers.set(register, kernel.Attribute(h.element.data, nftaFirst))
		}
	}
}
