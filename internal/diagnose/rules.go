package diagnose

import (
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/nftables"
)

// Rules names the rules of nftables by which single packets were dropped, while drops go on: those in force in
// the network namespace of the drop, which are read again when they are older than a second. It takes a small
// part of the time: of packets for which there is none left, no rule is known. It is not safe for concurrent use.
type Rules struct {
	host       *host.Host
	read       map[uint32]*readRules // by network namespace
	namespaces map[uint32]host.Netns
	listed     pace // of namespaces
	evaluated  budget
}

// A readRules is what nftables had in a network namespace.
type readRules struct {
	rules *nftables.Ruleset // nil: it could not be read
	again pace
}

// Bounds of Rules: for how many namespaces rules are kept, how old they may be, which part of the time reading them may
// take, one in so many, and how long packets are evaluated in a second.
const (
	maxRulesets  = 64
	rulesAge     = time.Second
	readingShare = 50
	evaluations  = 50 * time.Millisecond
)

// NewRules returns Rules of the running host. It reads nothing yet.
func NewRules(h *host.Host) *Rules { return &Rules{host: h, read: make(map[uint32]*readRules)} }

// Of returns the rule or the policy that dropped a packet: zero if none is known, as of packets that a
// firewall other than nftables dropped.
func (r *Rules) Of(drop *event.Event) (rule Rule) {
	hook := knowledge.Hook(drop)
	en := knowledge.Find(drop)
	packet, ok := nftables.NewPacket(drop)
	if hook == "" || en == nil || !slices.Contains(en.Counters, nftablesDrops) || !ok {
		return Rule{}
	}
	rules := r.rulesIn(drop.Netns.Inode)
	if rules == nil {
		return Rule{}
	}
	r.evaluated.run(func() {
		_ = r.within(drop.Netns.Inode, func() error {
			all, err := rules.AllSuspects(hook, &packet)
			if err == nil {
				rule = ruleOf(all, !isByNFTables(drop))
			}
			return err
		})
	})
	return rule
}

// Reached returns the rule or the policy of nftables that a point has seen to drop a packet in a network namespace, by the
// values there: zero if the point is another, or there is no such rule any more.
func (r *Rules) Reached(netns uint32, point string, args []event.Arg) Rule {
	at, ok := verdictOf(point, args)
	if !ok {
		return Rule{}
	}
	rules := r.rulesIn(netns)
	if rules == nil {
		return Rule{}
	}
	var by nftables.Suspect
	err := r.within(netns, func() error {
		by, _ = rules.Reached(at.family, at.table, at.chain, at.handle)
		return nil
	})
	if err != nil || by.Object == "" {
		return Rule{}
	}
	return ruleOf([]nftables.Suspect{by}, false)
}

// isByNFTables reports whether the location says that a rule of nftables dropped the packet. Where it is the
// function of all of netfilter, iptables or connection tracking may have done it.
func isByNFTables(drop *event.Event) bool {
	symbol, _, _, _ := drop.Where.Name()
	return event.FunctionOf(symbol) == "nft_do_chain"
}

// rulesIn returns those in force in a network namespace, nil if they are not known.
func (r *Rules) rulesIn(netns uint32) *nftables.Ruleset {
	of := r.read[netns]
	if of == nil {
		if len(r.read) >= maxRulesets {
			clear(r.read)
		}
		of = new(readRules)
		r.read[netns] = of
	}
	of.again.run(func() {
		of.rules = nil
		_ = r.within(netns, func() (err error) {
			of.rules, err = nftables.Read()
			return err
		})
	})
	return of.rules
}

// within calls get on a thread in a network namespace, as [Host.within] does.
func (r *Rules) within(netns uint32, get func() error) error {
	if netns == 0 || netns == r.host.Netns() {
		return get()
	}
	if _, known := r.namespaces[netns]; !known {
		r.listed.run(func() { r.namespaces = r.host.NetworkNamespaces() })
	}
	return r.host.InNetns(r.namespaces[netns], get)
}

// A pace keeps reading to its share of the time.
type pace struct{ next time.Time }

// run calls read, unless too little time has passed since the last call: rulesAge, and readingShare times what that
// call took.
func (p *pace) run(read func()) {
	begin := time.Now()
	if begin.Before(p.next) {
		return
	}
	read()
	p.next = begin.Add(max(rulesAge, readingShare*time.Since(begin)))
}

// A budget is how much of the evaluations of a second was used.
type budget struct {
	begin time.Time
	spent time.Duration
}

// run calls evaluate, unless the budget of this second is used up.
func (b *budget) run(evaluate func()) {
	begin := time.Now()
	if begin.Sub(b.begin) >= time.Second {
		b.begin, b.spent = begin, 0
	}
	if b.spent < evaluations {
		evaluate()
		b.spent += time.Since(begin)
	}
}
