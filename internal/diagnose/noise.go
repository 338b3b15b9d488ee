package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// maxNoise is how many kinds of noise are listed.
const maxNoise = 4

// A noiseKind is what noise of several places has in common.
type noiseKind struct {
	id        string
	narrow    *knowledge.Case
	ethertype string // of a packet without addresses
}

// appendNoise appends a paragraph on what needs no attention: a few words for each kind.
func (d *Diagnosis) appendNoise(b *strings.Builder) {
	var parts []string
	for _, group := range d.noiseKinds() {
		parts = append(parts, noise(group))
	}
	parts = append(parts, d.counterNoise()...)
	if more := len(parts) - maxNoise; more > 0 {
		parts = append(parts[:maxNoise], fmt.Sprintf("and %d more", more))
	}
	if d.Harmless > 0 {
		parts = append(parts, fmt.Sprintf("%s that lost nothing", event.Plural(d.Harmless, "drop")))
	}
	if len(parts) > 0 {
		appendRemark(b, "noise", strings.Join(parts, ", "))
	}
}

// noiseKinds are the findings of noise by kind, the most drops first.
func (d *Diagnosis) noiseKinds() [][]*Finding {
	kinds := make(map[noiseKind]int)
	var all [][]*Finding
	for i := range d.Noise {
		f := &d.Noise[i]
		k := noiseKind{f.ID, f.Meaning.Case, f.ethertype()}
		at, known := kinds[k]
		if !known {
			at = len(all)
			kinds[k], all = at, append(all, nil)
		}
		all[at] = append(all[at], f)
	}
	slices.SortStableFunc(all, func(a, b []*Finding) int { return cmp.Compare(drops(b), drops(a)) })
	return all
}

// drops is the sum of the drops of findings.
func drops(all []*Finding) (n uint64) {
	for _, f := range all {
		n += f.Count
	}
	return n
}

// ethertype names the packets of the first flow if they have no addresses.
func (f *Finding) ethertype() string {
	if len(f.Flows) == 0 || f.Flows[0].Flow.Src.IsValid() {
		return ""
	}
	return f.Flows[0].Flow.String()
}

// noise is one kind in a few words: how many, what they are, and where, if that is one place.
func noise(group []*Finding) string {
	f := group[0]
	var words []string
	for _, word := range []string{f.short(), f.ethertype(), places(group)} {
		if word != "" {
			words = append(words, word)
		}
	}
	if share := cmp.Or(f.ofReceived(), f.ofSent()); share != "" && len(group) == 1 {
		words = append(words, share)
	}
	text := fmt.Sprintf("%s %d", event.Escape(f.ID), drops(group))
	if len(words) > 0 {
		text += " (" + strings.Join(words, ", ") + ")"
	}
	return text
}

// short is the cause in about three words, if there are any.
func (f *Finding) short() string {
	switch x := &f.Meaning; {
	case x.Case != nil && x.Case.Short != "":
		return x.Case.Short
	case x.Entry != nil && x.Case == nil:
		return x.Entry.Short
	}
	return ""
}

// places is where one finding is, or at how many interfaces or in how many network namespaces several are.
func places(group []*Finding) string {
	if f := group[0]; len(group) == 1 && len(f.Namespaces) == 0 {
		return f.where()
	}
	namespaces, interfaces := make(map[uint32]bool), 0
	for _, f := range group {
		namespaces[f.Netns.Inode] = true
		for _, n := range f.Namespaces {
			namespaces[n.Netns.Inode] = true
		}
		if f.IfName != "" && len(f.Namespaces) == 0 {
			interfaces++
		}
	}
	if interfaces == len(group) {
		return event.Plural(uint64(interfaces), "interface")
	}
	return event.Plural(uint64(len(namespaces)), "network namespace")
}

// ofReceived is how much of what its interface dropped it explains.
func (f *Finding) ofReceived() string {
	for i := range f.Counters {
		if r := &f.Counters[i]; r.ID() == "interface.rx_dropped" {
			return fmt.Sprintf("%d %% of rx_dropped", 100*min(f.Segments, r.Delta)/r.Delta)
		}
	}
	return ""
}

// counterNoise is what counters say beyond drops that needs no attention: a few words for each of their IDs.
func (d *Diagnosis) counterNoise() (parts []string) {
	same := make(map[string][]*Account)
	var ids []string
	for i := range d.Accounts {
		if a := &d.Accounts[i]; a.Rest > 0 && d.Remainder(a) == NoAttention {
			if same[a.ID()] == nil {
				ids = append(ids, a.ID())
			}
			same[a.ID()] = append(same[a.ID()], a)
		}
	}
	for _, id := range ids {
		parts = append(parts, counterPart(id, same[id]))
	}
	return parts
}

// counterPart is what no drop explains of a counter: in one place with its name, in several with how many they are.
func counterPart(id string, of []*Account) string {
	if len(of) == 1 {
		return fmt.Sprintf("%s%s +%d", id, whereOf(&of[0].Row, of[0].InNetns), of[0].Rest)
	}
	var rest uint64
	for _, a := range of {
		rest += a.Rest
	}
	return fmt.Sprintf("%s of %d places +%d", id, len(of), rest)
}
