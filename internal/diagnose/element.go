package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dropwatch/internal/nftables"
)

// readElements shows the elements of the sets in the rules of nftables that dropped packets, and which of them the
// packets are: that one can be deleted, so that the rule stays for others. It asks the kernel as [Diagnosis.readRules].
func (d *Diagnosis) readElements(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.nft.object != "" && hasSet.MatchString(f.nft.text) {
			f.readElement(h)
		}
	}
}

// hasSet matches a rule that looks up a set, or more.
var hasSet = regexp.MustCompile(`@\w|\{ `)

// readElement does so for one finding: the samples have to be of the same element.
func (f *Finding) readElement(h *Host) {
	packets := make([]*nftables.Packet, 0, maxSamples)
	for i := range f.samples {
		packets = append(packets, &f.samples[i])
	}
	if len(packets) == 0 || f.hook == "" {
		packets = []*nftables.Packet{nil}
	}
	var detail nftables.Detail
	for i, p := range packets {
		one := h.detail(f.Netns.Inode, f.nft.object, f.hook, p)
		if i > 0 && one != detail {
			one = nftables.Detail{Text: one.Text}
		}
		detail = one
	}
	if detail.Text == "" { // the rule is gone
		return
	}
	text := "(" + detail.Text + ")"
	if detail.Element != "" {
		text += ", element " + detail.Element
	}
	if detail.Element != "" && detail.Set != "" {
		text += " of " + detail.Set
	}
	f.Rule.Text = strings.Replace(f.Rule.Text, "("+f.nft.text+")", text, 1)
	f.deleteElement(detail.Delete)
}

// literal matches what a shell takes literally of the arguments of nft delete element.
var literal = regexp.MustCompile(`^[\w.:/ -]+ \{ [\w.:/ -]+ \}$`)

// deleteElement has the fix delete the element of a set, instead of the rule; empty: there is none that can be.
func (f *Finding) deleteElement(element string) {
	ofRule := func(command string) bool {
		return strings.Contains(command, "nft delete rule ") || strings.Contains(command, "nft insert rule ")
	}
	if !literal.MatchString(element) || !slices.ContainsFunc(f.Meaning.Apply, ofRule) {
		return
	}
	const fix = "Delete the element if the traffic is wanted: the rule is for the others as well. A program that added it may do so again."
	f.Meaning = f.Meaning.WithFix(f.event(), f.Meaning.Check[0], fix, "nft delete element "+element)
}

// detail is a rule of nftables with the elements of its sets, and that of a packet at a hook; nil: none is known. Its
// text is empty if the rule is not known.
func (h *Host) detail(netns uint32, object, hook string, p *nftables.Packet) nftables.Detail {
	question := fmt.Sprintf("rule %d %s", netns, object)
	if p != nil {
		question += fmt.Sprintf(" %s %016x", hook, hash(p))
	}
	return ask(h, question, func() (d nftables.Detail) {
		if rules := h.ruleset(netns); rules != nil {
			_ = h.within(netns, func() error {
				d, _ = rules.Detail(object, hook, p)
				return nil
			})
		}
		return d
	})
}
