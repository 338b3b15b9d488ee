package nftables

import (
	"fmt"
	"slices"
)

// A Suspect is a rule, or the policy of a chain, that may have dropped a packet.
type Suspect struct {
	Object  string `json:"object"`            // "inet fw input handle 7", or the chain alone if it is the policy
	Text    string `json:"text,omitempty"`    // of the rule, as nft has it, with elements as that of a [Detail]
	Policy  bool   `json:"policy,omitempty"`  // Object is a chain whose policy drops
	Certain bool   `json:"certain,omitempty"` // each packet like this comes to it, and to none before it

	Queues *Queues `json:"queues,omitempty"` // to which it passes the packet, if that is how it may be dropped, and they are known
}

// Suspects returns what may drop a packet at a hook, by the names of [knowledge.Hook], in
// the order in which the packet comes to them. A rule or a policy whose own counter
// counts what it drops is left out: counters tell of that. It fails if there are too many
// ways through the rules.
func (r *Ruleset) Suspects(hook string, p *Packet) ([]Suspect, error) {
	return r.suspects(hook, p, false)
}

// AllSuspects is Suspects with the rules and policies whose counters count what they drop, for a single
// packet, which counters do not tell of.
func (r *Ruleset) AllSuspects(hook string, p *Packet) ([]Suspect, error) {
	return r.suspects(hook, p, true)
}

// suspects returns the rules and policies at a hook that may have dropped a packet, in the order in which it comes to them;
// several if what is known of the packet does not decide. Unless counted, those that count what they drop are left out, as their
// counters say it. It fails if the rules are too many: maxSteps bounds the time to well under a second.
func (r *Ruleset) suspects(hook string, p *Packet, counted bool) ([]Suspect, error) {
	w := r.walk(hook, p, counted)
	return w.suspects, w.err()
}

// Limits returns the rule that accepts packets like this one up to a rate, a number of bytes or of connections, and that it
// comes to before what dropped it, by the name of that rule or of the chain whose policy it was: it was over that. It has to
// be called as [Ruleset.Suspects] has.
func (r *Ruleset) Limits(object, hook string, p *Packet) (s Suspect, ok bool) {
	w := r.walk(hook, p, true)
	over := w.overs[object]
	if over == nil || w.err() != nil {
		return s, false
	}
	d, ok := r.Detail(over.name(), hook, nil)
	return Suspect{Object: over.name(), Text: d.Text}, ok
}

// maxSteps bounds the time of a walk to well under a second.
const maxSteps = 200_000

// err is that there were too many ways through the rules.
func (w *walk) err() error {
	if w.steps < 0 {
		return fmt.Errorf("evaluate the rules of nftables at %s: more than %d steps", w.hook, maxSteps)
	}
	return nil
}

// walk takes a packet through all chains at a hook.
func (r *Ruleset) walk(hook string, p *Packet, counted bool) *walk {
	w := &walk{
		rules: r, hook: hook, packet: p, counted: counted, steps: maxSteps, found: make(map[string]int), overs: make(map[string]*rule),
	}
	reached, chains := yes, r.base()
	for len(chains) > 0 {
		n := 1 // chains of the same priority come in an order that is not known
		for n < len(chains) && chains[n].priority == chains[0].priority {
			n++
		}
		reached, chains = w.together(chains[:n], reached), chains[n:]
	}
	for i := range w.suspects {
		s := &w.suspects[i]
		s.Certain = s.Certain && !w.changed
		if d, ok := r.Detail(s.Object, hook, nil); ok && !s.Policy {
			s.Text = d.Text
		}
	}
	return w
}

// Reached returns what has dropped a packet that a hook had passed to a chain: the rule of a handle in the same table, or
// without one, 0, the policy of the chain. Its Object is empty if there is none any more. The family of the table is a
// number (NFPROTO_*). It has to be called as [Ruleset.Suspects] has.
func (r *Ruleset) Reached(family byte, table, chain string, handle uint64) (s Suspect, hook string) {
	c := r.chains[families[family]+" "+table+" "+chain]
	if c == nil {
		return s, ""
	}
	if handle == 0 {
		return Suspect{Object: c.name, Text: policyDrop, Policy: true, Certain: true}, c.hook
	}
	for name, rules := range r.rules {
		i := slices.IndexFunc(rules, func(one *rule) bool { return one.handle == handle })
		if i < 0 || r.chains[name] == nil || r.chains[name].table != c.table {
			continue
		}
		d, _ := r.Detail(rules[i].name(), c.hook, nil)
		return Suspect{Object: rules[i].name(), Text: d.Text, Certain: true}, c.hook
	}
	return s, c.hook
}

// policyDrop is what a Suspect has for a policy.
const policyDrop = "policy drop"

// together takes the packet through chains of the same priority. If several of them drop,
// none does for certain.
func (w *walk) together(chains []*chain, reached truth) truth {
	first, dropping, after := len(w.suspects), 0, reached
	for _, c := range chains {
		before := len(w.suspects)
		after = min(after, w.base(c, reached))
		if len(w.suspects) > before {
			dropping++
		}
	}
	for i := first; i < len(w.suspects) && dropping > 1; i++ {
		w.suspects[i].Certain = false
	}
	return after
}

// A walk takes a packet through the chains at a hook.
type walk struct {
	rules    *Ruleset
	hook     string
	packet   *Packet
	counted  bool // what counts its drops is a suspect, too
	suspects []Suspect
	found    map[string]int // index in suspects, by object
	changed  bool           // a rule that may have changed the packet was passed
	steps    int            // that are left

	over  *rule            // the last one passed that accepts such packets up to a limit
	overs map[string]*rule // that before each suspect, by object
}

// base takes the packet through a chain that a hook calls, to which it comes perhaps or
// for certain, and returns whether it comes out of it.
func (w *walk) base(c *chain, reached truth) truth {
	if c.hook != w.hook && "bridge "+c.hook != w.hook || !w.packet.inFamily(c.table.family, c.hook) || reached == no {
		return reached
	}
	name := w.packet.Port.IfName
	w.over = nil // what another chain accepts comes to this one all the same
	if c.devices != nil && name != "" && !slices.Contains(c.devices, name) {
		return reached
	}
	passes := c.devices != nil && name == "" || c.nat // only some packets come to it
	in := reached
	if passes {
		in = min(in, perhaps)
	}
	out, accepted := w.chain(c, in, 0)
	if c.drop {
		left := c.counts && !w.counted
		w.suspect(Suspect{Object: c.name, Text: policyDrop, Policy: true}, out, left)
		if !left {
			out = no
		}
	}
	if passes {
		return min(reached, perhaps)
	}
	return max(out, accepted)
}

// suspect adds one that a packet comes to, unless it is left out.
func (w *walk) suspect(s Suspect, reached truth, left bool) {
	if reached == no || left {
		return
	}
	s.Certain = reached == yes
	if w.over != nil {
		w.overs[s.Object] = w.over
	}
	if i, known := w.found[s.Object]; known {
		w.suspects[i].Certain = w.suspects[i].Certain || s.Certain
		return
	}
	w.found[s.Object] = len(w.suspects)
	w.suspects = append(w.suspects, s)
}

// chain takes the packet through the rules of a chain, and returns whether it comes to
// their end, or back from them, and whether one accepts it.
func (w *walk) chain(c *chain, reached truth, depth int) (end, accepted truth) {
	const maxDepth = 16 // NFT_JUMP_STACK_SIZE
	if w.steps--; depth > maxDepth || w.steps < 0 {
		return reached, no
	}
	for _, r := range w.rules.rules[c.name] {
		if reached == no {
			break
		}
		w.steps--
		e := w.evaluate(r, c.table)
		w.changed = w.changed || e.changed
		if e.match == no {
			continue
		}
		if e.limited && e.others == yes && len(e.verdicts) == 1 && e.verdicts[0] == (verdict{code: verdictAccept, sure: yes}) {
			w.over = r
		}
		next := no // whether the packet comes to the next rule
		if len(e.verdicts) == 0 {
			next = reached
		} else if e.match == perhaps {
			next = min(reached, perhaps)
		}
		for _, v := range e.verdicts {
			if v.sure == perhaps {
				next = max(next, min(reached, perhaps))
			}
			o := w.follow(r, e.queues, v, c, min(reached, e.match, v.sure), depth)
			next, end, accepted = max(next, o.next), max(end, o.end), max(accepted, o.accepted)
		}
		reached = next
	}
	return max(end, reached), accepted
}

// An outcome is where a packet comes behind a verdict: to the next rule, to the end of the
// chain, or out of all chains of this hook and priority.
type outcome struct{ next, end, accepted truth }

// follow follows a verdict of a rule that the packet comes to; queues are those of a verdict to queue.
func (w *walk) follow(r *rule, queues *Queues, v verdict, c *chain, reached truth, depth int) (o outcome) {
	suspect := Suspect{Object: r.name(), Text: r.text}
	left := r.drops && (r.counts || r.object != "") && !w.counted
	switch v.code {
	case nfDrop:
		w.suspect(suspect, reached, left)
		if left { // as its counter did not count it
			o.next = reached
		}
	case verdictQueue:
		suspect.Queues = queues
		w.suspect(suspect, min(reached, perhaps), false)
		o.accepted = min(reached, perhaps)
	case verdictAccept, verdictStolen:
		o.accepted = reached
	case verdictContinue, verdictBreak:
		o.next = reached
	case verdictReturn:
		o.end = reached
	case verdictJump, verdictGoto:
		to := w.rules.chains[c.table.family+" "+c.table.name+" "+v.chain]
		if to == nil { // made since
			return outcome{next: min(reached, perhaps)}
		}
		o.next, o.accepted = w.chain(to, reached, depth+1)
		if v.code == verdictGoto {
			o.next, o.end = no, o.next
		}
	}
	return o
}
