package knowledge

import (
	"regexp"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// commandsIPv6 changes commands about IPv4 into those about IPv6. Commands about both it leaves as they are.
var commandsIPv6 = strings.NewReplacer(
	"ip route ", "ip -6 route ", "ip rule", "ip -6 rule", "ip -4 neigh", "ip -6 neigh", "tracepath -n", "tracepath -6 -n",
	"iptables -", "ip6tables -", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.ipfrag_", "net.ipv6.ip6frag_",
	"net.ipv4.neigh.", "net.ipv6.neigh.",
)

// wordsIPv6 changes words of sentences about IPv4 into those about IPv6.
var wordsIPv6 = strings.NewReplacer("TTL", "hop limit", "(0.0.0.0, [::])", "([::])")

// settingsIPv6 are the names of settings of IPv6, by those of IPv4 that decide the same. Those of neighbours differ in one word.
var settingsIPv6 = map[string]string{
	"net.ipv4.ip_forward": "net.ipv6.conf.{ifname}.forwarding", "net.ipv4.ipfrag_time": "net.ipv6.ip6frag_time",
	"net.ipv4.ipfrag_high_thresh": "net.ipv6.ip6frag_high_thresh", "net.ipv4.icmp_ratelimit": "net.ipv6.icmp.ratelimit",
}

var (
	// counterIPv6 matches the names of counters of IPv6, as /proc/net/snmp6 has them.
	counterIPv6 = regexp.MustCompile(`^(Ip|Icmp|Udp|UdpLite)6`)

	// onlyIPv4 and onlyIPv6 match what decides or shows nothing of packets of the other family. Settings of TCP and UDP,
	// which are below net.ipv4, are of both.
	onlyIPv4 = regexp.MustCompile(`net\.ipv4\.(conf|neigh|ip|icmp|igmp)`)
	onlyIPv6 = regexp.MustCompile(`net\.ipv6\.|\bip -6 |\btracepath -6|\bip6tables`)
)

// isIPv6 reports whether the commands have to be those for IPv6: the Entry is a counter of it, or the drop, which
// may be nil, is of a packet of it.
func (en *Entry) isIPv6(e *event.Event) bool {
	switch {
	case en.Kind == Counter:
		return counterIPv6.MatchString(en.Name)
	case e == nil:
		return false
	case e.Packet.HasProto:
		return e.Packet.Proto == event.EtherIPv6
	}
	f := e.Packet.Flow
	return f != nil && f.Has(event.FieldDst) && f.Dst.Is6()
}

// isIPv4 reports whether the drop, which may be nil, is of a packet of IPv4.
func (en *Entry) isIPv4(e *event.Event) bool {
	switch {
	case en.Kind == Counter || e == nil:
		return false
	case e.Packet.HasProto:
		return e.Packet.Proto == event.EtherIPv4
	}
	f := e.Packet.Flow
	return f != nil && f.Has(event.FieldDst) && f.Dst.Is4()
}

// useFamily leaves what is of the family of the drop, if that is known. It changes no slice that others share.
func (x *Explanation) useFamily(e *event.Event) {
	switch {
	case x.Entry.isIPv6(e):
		x.useIPv6()
		x.leaveOut(onlyIPv4)
	case x.Entry.isIPv4(e):
		x.leaveOut(onlyIPv6)
	}
}

// useIPv6 makes words, commands and settings those of IPv6.
func (x *Explanation) useIPv6() {
	x.Cause, x.Fix = wordsIPv6.Replace(x.Cause), wordsIPv6.Replace(x.Fix)
	x.Usual, x.Check, x.Apply = each(x.Usual, wordsIPv6.Replace), each(x.Check, commandsIPv6.Replace), each(x.Apply, commandsIPv6.Replace)
	x.Settings = each(x.Settings, func(s string) string {
		if other := settingsIPv6[s]; other != "" {
			return other
		}
		return strings.Replace(s, "net.ipv4.neigh.", "net.ipv6.neigh.", 1)
	})
}

// each returns what change makes of each text, without those that are there already.
func each(texts []string, change func(string) string) (all []string) {
	for _, text := range texts {
		if text = change(text); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// leaveOut removes the commands and the settings of the other family.
func (x *Explanation) leaveOut(other *regexp.Regexp) {
	for _, list := range []*[]string{&x.Check, &x.Apply, &x.Settings} {
		*list = slices.DeleteFunc(slices.Clone(*list), other.MatchString)
	}
}
