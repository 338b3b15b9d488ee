package diagnose

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/nftables"
)

// readLimits finds the rules of nftables that accept packets up to a rate, a number of bytes or of connections, and that
// the packets of a finding came to before what dropped them: those have to be corrected, and what drops the rest is right.
// It asks the kernel as [Diagnosis.readRules].
func (d *Diagnosis) readLimits(h *Host) {
	for i := range d.Findings {
		if f := &d.Findings[i]; f.nft.object != "" && f.hook != "" {
			f.readLimit(h)
		}
	}
}

// readLimit does so for one finding: the samples have to be over the limit of the same rule.
func (f *Finding) readLimit(h *Host) {
	var over nftables.Suspect
	for i := range f.samples {
		one := h.limit(f.Netns.Inode, strings.TrimSuffix(f.nft.object, " policy"), f.hook, &f.samples[i])
		if i > 0 && one != over {
			one = nftables.Suspect{}
		}
		over = one
	}
	if over.Object == "" {
		return
	}
	f.Evidence = append(f.Evidence, "over the limit of "+event.Escape(suspectText(&over)))
	c := commandsOf(counters.NFTables, over.Object, over.Text)
	const fix = "What is over the limit of that rule comes to the one that drops. Raise the limit if the traffic is wanted:"
	f.Meaning = f.Meaning.WithFix(f.event(), c.show, fix, f.raise(&c, over.Text))
}

// limit is the rule by whose limit a packet came to what dropped it, zero if there is none or it is not known.
func (h *Host) limit(netns uint32, object, hook string, p *nftables.Packet) nftables.Suspect {
	return ask(h, fmt.Sprintf("limit %d %s %s %016x", netns, object, hook, hash(p)), func() (s nftables.Suspect) {
		if rules := h.ruleset(netns); rules != nil {
			_ = h.within(netns, func() error {
				s, _ = rules.Limits(object, hook, p)
				return nil
			})
		}
		return s
	})
}

// limits match what a rule of nftables has of limits; plain matches a text that nft takes as it is, and a shell, too.
var (
	rateLimit   = regexp.MustCompile(`\blimit rate (over )?(\d+)/(second|minute|hour|day|week)\b( burst \d+ packets)?`)
	otherLimits = regexp.MustCompile(`\b(limit rate (?:over )?|ct count (?:over )?|quota (?:over )?)\d+`)
	usedQuota   = regexp.MustCompile(`( used \d+ [km]?bytes)`)
	namedQuota  = regexp.MustCompile(`\bquota name "([\w.-]+)"`)
	plain       = regexp.MustCompile(`^[\w.:/@, -]+$`)
	unwritten   = regexp.MustCompile(`\b(reject|objref|xt|queue|(?:meta|ct) \d+)\b`) // or written in part
)

// raise is the command that raises the limit of a rule: a rate of packets to twice what came, others to N. A quota with a
// name is reset. Where the text of the rule is not known in full it has RULE.
func (f *Finding) raise(c *ruleCommands, text string) string {
	if name := namedQuota.FindStringSubmatch(text); name != nil {
		table := strings.Fields(c.replace)[3:5] // nft replace rule inet t c
		return fmt.Sprintf("nft reset quota %s %s", strings.Join(table, " "), name[1])
	}
	text = usedQuota.ReplaceAllString(text, "")
	if !plain.MatchString(text) || unwritten.MatchString(text) {
		return c.replace + " RULE"
	}
	if m := rateLimit.FindStringSubmatch(text); m != nil {
		old, err := strconv.ParseFloat(m[2], 64)
		if f.Rate > 0 && err == nil {
			seconds := map[string]float64{"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}[m[3]]
			limit := fmt.Sprintf("limit rate %s%.0f/%s%s", m[1], math.Ceil(2*(old+f.Rate*seconds)), m[3], m[4])
			return c.replace + " " + rateLimit.ReplaceAllLiteralString(text, limit)
		}
	}
	return c.replace + " " + otherLimits.ReplaceAllString(text, "${1}N")
}

// accepting is what matches the packets of a finding in a rule of nftables, and accepts them: empty if they are not all for
// one port.
func (f *Finding) accepting() string {
	if len(f.Flows) == 0 {
		return ""
	}
	of := func(c *FlowCount) (protocol string, port uint16, addr string) {
		end, side := c.Flow.Src.Addr(), "saddr"
		if strings.HasSuffix(f.hook, "OUTPUT") || strings.HasSuffix(f.hook, "POSTROUTING") || f.hook == "egress" {
			end, side = c.Flow.Dst.Addr(), "daddr"
		}
		family := "ip"
		if end.Is6() {
			family = "ip6"
		}
		return c.Flow.Protocol, c.Flow.Dst.Port(), fmt.Sprintf("%s %s %v ", family, side, end)
	}
	protocol, port, addr := of(&f.Flows[0])
	if protocol != "udp" && protocol != "tcp" || port == 0 {
		return ""
	}
	for i := range f.Flows {
		switch p, n, a := of(&f.Flows[i]); {
		case p != protocol || n != port:
			return ""
		case a != addr:
			addr = ""
		}
	}
	return fmt.Sprintf("%s%s dport %d accept", addr, protocol, port)
}

// isShared reports whether a rule of nftables is for other packets, too, by the elements of a set or a map.
func isShared(text string) bool { return hasSet.MatchString(text) || strings.Contains(text, " vmap ") }

// fixShared has the finding accept its packets before the rule or the policy, where that is not for them alone; false if
// no command does.
func (f *Finding) fixShared(check, fix, insert string) bool {
	match := f.accepting()
	if match == "" || !knowledge.IsWord(strings.ReplaceAll(match, " ", "")) {
		return false
	}
	f.Meaning = f.Meaning.WithFix(f.event(), check, fix, insert+" "+match)
	return true
}
