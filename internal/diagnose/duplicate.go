package diagnose

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/knowledge"
)

// findDuplicates narrows findings of packets for addresses of their network namespace that
// another host has as well. They are found now; a namespace that is gone has none.
func (d *Diagnosis) findDuplicates(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.ipv6.drops == 0 || len(f.Namespaces) > 0 || len(f.Flows) == 0 || !f.mayBe(knowledge.Duplicate) {
			continue
		}
		if slices.Contains(h.duplicates(f.Netns.Inode), f.Flows[0].Flow.Dst.Addr().String()) {
			f.Meaning = f.Meaning.With(knowledge.Duplicate, f.event())
		}
	}
}

// mayBe reports whether the finding has a narrower cause for this evidence alone.
func (f *Finding) mayBe(evidence knowledge.Evidence) bool { return hasCase(f.Meaning.Entry, evidence) }

// hasCase reports whether an entry, which may be nil, has a case for this evidence alone.
func hasCase(en *knowledge.Entry, evidence knowledge.Evidence) bool {
	return en != nil && slices.ContainsFunc(en.Cases, func(c knowledge.Case) bool { return c.If == evidence })
}

// duplicates are the IPv6 addresses of a network namespace that another host has as well.
func (h *Host) duplicates(netns uint32) []string {
	return ask(h, fmt.Sprintf("duplicate addresses %d", netns), func() (all []string) {
		_ = h.within(netns, func() error {
			text, err := h.live.ReadFile("proc/thread-self/net/if_inet6")
			all = parseDuplicates(string(text))
			return err
		})
		return all
	})
}

// parseDuplicates reads if_inet6 (net/ipv6/addrconf.c if6_seq_show): address, index, length of
// the prefix, scope, flags, all in hexadecimal digits, and the interface.
func parseDuplicates(text string) (all []string) {
	const dadFailed = 0x08 // IFA_F_DADFAILED
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 {
			continue
		}
		address, err := hex.DecodeString(f[0])
		flags, flagsErr := strconv.ParseUint(f[4], 16, 32)
		if ip, ok := netip.AddrFromSlice(address); ok && err == nil && flagsErr == nil && flags&dadFailed != 0 {
			all = append(all, ip.String())
		}
	}
	return all
}
