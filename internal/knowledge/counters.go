package knowledge

import (
	"slices"
	"strings"
)

// counted makes the Entry of a counter that is read with nstat, or as check says.
func counted(name, module string, c Class, s Severity, l Loses, u Unit, cause string, check ...string) Entry {
	if len(check) == 0 && !strings.Contains(name, ".") {
		check = []string{"nstat -az " + name}
	}
	return Entry{Name: name, Kind: Counter, Module: module, Class: c, Severity: s, Loses: l, Unit: u, Cause: cause, Check: check}
}

// fixed returns the Entry with what to do.
func (en Entry) fixed(fix string) Entry {
	en.Fix = fix
	return en
}

// usually returns the Entry with its usual causes.
func (en Entry) usually(causes ...string) Entry {
	en.Usual = causes
	return en
}

// narrowed returns the Entry with narrower causes.
func (en Entry) narrowed(cases ...Case) Entry {
	en.Cases = cases
	return en
}

// applied returns the Entry with the commands that do what its fix says.
func (en Entry) applied(commands ...string) Entry {
	en.Apply = commands
	return en
}

// like returns the Entry of a counter of drops with another name. See [Entry.Like].
func (en Entry) like(name string) Entry {
	en.Like = name
	return en
}

// decided returns the Entry with the settings that decide it.
func (en Entry) decided(settings ...string) Entry {
	en.Settings = settings
	return en
}

// fault returns the Entry of a counter of failures. See [Entry.Fault].
func (en Entry) fault() Entry {
	en.Fault = true
	return en
}

// including returns the Entry of a counter that counts what others do.
func (en Entry) including(counters ...string) Entry {
	en.Includes = counters
	return en
}

// shownBy returns the Entry with the levels that show which object it is about.
func (en Entry) shownBy(levels ...string) Entry {
	en.Counters = levels
	return en
}

// same makes the entries of counters that have the texts of another.
func same(as string, names ...string) (all []Entry) {
	for _, name := range names {
		all = append(all, Entry{Name: name, Kind: Counter, Same: as})
	}
	return all
}

// answered returns the counters of drops that an ICMP error answers, unless too many were
// sent (net/ipv4/icmp.c icmpv4_xrlim_allow).
func answered(counters ...string) []string {
	return append(slices.Clip(counters), "IcmpOutRateLimitHost", "IcmpOutRateLimitGlobal", "Icmp6OutRateLimitHost")
}

// unsent returns the counters of drops of packets that this host was to send. For datagrams
// it is counted as well that sending failed (net/ipv4/ip_output.c ip_send_skb), and for
// those of UDP, if a queue was full, that there was no room (net/ipv4/udp.c udp_send_skb).
func unsent(counters ...string) []string {
	return append(slices.Clip(counters), "IpOutDiscards", "Ip6OutDiscards", "UdpSndbufErrors", "Udp6SndbufErrors")
}
