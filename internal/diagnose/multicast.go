package diagnose

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A groupAnswer is what an interface has of a multicast group of IPv4.
type groupAnswer struct {
	Known    bool         `json:"known"` // the files could be read
	Joined   bool         `json:"joined,omitempty"`
	Others   []string     `json:"others,omitempty"`   // interfaces of the same network namespace that have joined it
	Accepted []netip.Addr `json:"accepted,omitempty"` // sources, by the filters of the programs that joined it
	Refused  []netip.Addr `json:"refused,omitempty"`
}

// findGroups narrows findings of multicast packets of IPv4 by what their interface has joined now: nothing of this
// group, or that of other sources.
func (d *Diagnosis) findGroups(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.IfName == "" || len(f.Namespaces) > 0 || len(f.Flows) == 0 || !f.mayBe(knowledge.Multicast|knowledge.NotJoined) {
			continue
		}
		if to := f.Flows[0].Flow.Dst.Addr(); to.IsMulticast() && f.is(knowledge.Multicast) {
			f.narrowByGroup(h.group(f.Netns.Inode, f.IfName, to))
		}
	}
}

// narrowByGroup gives the finding the cause that a group shows.
func (f *Finding) narrowByGroup(g groupAnswer) {
	from := f.Flows[0].Flow.Src.Addr()
	switch {
	case !g.Known:
	case !g.Joined:
		f.Meaning = f.Meaning.With(knowledge.Multicast|knowledge.NotJoined, f.event())
		if len(g.Others) > 0 { // of a program that did not choose an interface
			f.Evidence = append(f.Evidence, fmt.Sprintf("%v is joined on %s, not on %s", f.Flows[0].Flow.Dst.Addr(),
				event.Quote(g.Others[0]), event.Quote(f.IfName)))
		}
	case slices.Contains(g.Refused, from) && !slices.Contains(g.Accepted, from):
		f.Meaning = f.Meaning.With(knowledge.Multicast|knowledge.OtherSources, f.event())
		f.Evidence = append(f.Evidence, fmt.Sprintf("the source filter of %s refuses %v", event.Quote(f.IfName), from))
	case len(g.Accepted) > 0 && !slices.Contains(g.Accepted, from):
		f.Meaning = f.Meaning.With(knowledge.Multicast|knowledge.OtherSources, f.event())
		f.Evidence = append(f.Evidence, fmt.Sprintf("the source filter of %s accepts %s", event.Quote(f.IfName), addresses(g.Accepted)))
	}
}

// addresses names some of them.
func addresses(all []netip.Addr) string {
	const most = 3
	var names []string
	for _, a := range all[:min(len(all), most)] {
		names = append(names, a.String())
	}
	if rest := len(all) - most; rest > 0 {
		names = append(names, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(names, ", ")
}

// group is what an interface in a network namespace has of a multicast group of IPv4.
func (h *Host) group(netns uint32, ifname string, group netip.Addr) groupAnswer {
	return ask(h, fmt.Sprintf("group %d %s %v", netns, ifname, group), func() (a groupAnswer) {
		_ = h.within(netns, func() error {
			joined, err := h.live.ReadFile("proc/thread-self/net/igmp")
			if err != nil {
				return err
			}
			filters, err := h.live.ReadFile("proc/thread-self/net/mcfilter")
			a = parseGroup(string(joined), string(filters), ifname, group)
			a.Known = err == nil
			return err
		})
		return a
	})
}

// parseGroup reads igmp, which has a line for each interface, "2 va : 2 V3", and after it one for each of its groups, whose
// address is a number of this host's byte order in hexadecimal digits; and mcfilter, which has a line for each source:
// index, interface, group and source in network byte order, programs that accept it, and that refuse it
// (net/ipv4/igmp.c igmp_mc_seq_show, igmp_mcf_seq_show).
func parseGroup(igmp, mcfilter, ifname string, group netip.Addr) (a groupAnswer) {
	on := ""
	for line := range strings.Lines(igmp) {
		switch f := strings.Fields(line); {
		case len(f) > 1 && line[0] != '\t' && line[0] != ' ':
			on = strings.TrimSuffix(f[1], ":")
		case len(f) > 0 && hostOrder(f[0]) == group && on == ifname:
			a.Joined = true
		case len(f) > 0 && hostOrder(f[0]) == group:
			a.Others = append(a.Others, on)
		}
	}
	for line := range strings.Lines(mcfilter) {
		f := strings.Fields(line)
		if len(f) != 6 || f[1] != ifname || networkOrder(f[2]) != group {
			continue
		}
		if f[4] != "0" {
			a.Accepted = append(a.Accepted, networkOrder(f[3]))
		}
		if f[5] != "0" {
			a.Refused = append(a.Refused, networkOrder(f[3]))
		}
	}
	return a
}

// networkOrder is an address of eight hexadecimal digits after 0x, not valid if it is none.
func networkOrder(digits string) netip.Addr {
	b, err := hex.DecodeString(strings.TrimPrefix(digits, "0x"))
	if err != nil || len(b) != 4 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}

// hostOrder is an address whose bytes are a number of this host's byte order, as eight hexadecimal digits.
func hostOrder(digits string) netip.Addr {
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || len(digits) != 8 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(binary.NativeEndian.AppendUint32(nil, uint32(n))))
}
