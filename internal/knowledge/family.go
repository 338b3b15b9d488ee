package knowledge

import (
	"regexp"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// commandsIPv6 changes commands about IPv4 into those about IPv6. Commands about both it leaves as they are.
var commandsIPv6 = strings.NewReplacer(
	"ip route ", "ip -6 route ", "ip rule", "ip -6 rule", "tracepath -n", "tracepath -6 -n", "iptables -", "ip6tables -",
	"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.ipfrag_", "net.ipv6.ip6frag_",
)

// settingsIPv6 are the names of settings of IPv6, by those of IPv4 that decide the same.
var settingsIPv6 = map[string]string{
	"net.ipv4.ip_forward": "net.ipv6.conf.{ifname}.forwarding", "net.ipv4.ipfrag_time": "net.ipv6.ip6frag_time",
	"net.ipv4.ipfrag_high_thresh": "net.ipv6.ip6frag_high_thresh", "net.ipv4.icmp_ratelimit": "net.ipv6.icmp.ratelimit",
}

// counterIPv6 matches the names of counters of IPv6, as /proc/net/snmp6 has them.
var counterIPv6 = regexp.MustCompile(`^(Ip|Icmp|Udp|UdpLite)6`)

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

// useIPv6 makes the commands and settings those of IPv6. It changes no slice that others share.
func (x *Explanation) useIPv6() {
	x.Check, x.Apply = slices.Clone(x.Check), slices.Clone(x.Apply)
	for _, commands := range []*[]string{&x.Check, &x.Apply} {
		for i, c := range *commands {
			(*commands)[i] = commandsIPv6.Replace(c)
		}
		*commands = slices.Compact(*commands) // where one for each family was there
	}
	x.Settings = slices.Clone(x.Settings)
	for i, s := range x.Settings {
		if other := settingsIPv6[s]; other != "" {
			x.Settings[i] = other
		}
	}
}
