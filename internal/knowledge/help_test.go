package knowledge

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
)

// TestHelp: whatever may matter has usual causes, a check, and a fix or a sentence that there
// is nothing to do on this host. Commands that change something stand behind a sentence only.
func TestHelp(t *testing.T) {
	for _, en := range All() {
		x := en.Explain(nil)
		if en.Severity != Noise && (len(x.Usual) == 0 || len(x.Check) == 0 || x.Fix == "") {
			t.Errorf("%s is %v: usual causes %q, check %q, fix %q", en.Name, en.Severity, x.Usual, x.Check, x.Fix)
		}
		for _, c := range append(en.CaseExplanations(), x) {
			if len(c.Apply) > 0 && c.Fix == "" {
				t.Errorf("%s: %q without a sentence", en.Name, c.Apply)
			}
			if c.Severity != Noise && c.Fix == "" {
				t.Errorf("%s: no fix of %q", en.Name, c.Cause)
			}
		}
	}
}

// TestUsual: a usual cause is a phrase that says something beside the cause, once.
func TestUsual(t *testing.T) {
	for _, en := range All() {
		seen := make(map[string]bool)
		for _, phrase := range en.Usual {
			if strings.HasSuffix(phrase, ".") || strings.Contains(phrase, ";") || strings.TrimSpace(phrase) != phrase || phrase == "" {
				t.Errorf("%s: %q is no phrase", en.Name, phrase)
			}
			if seen[phrase] || strings.EqualFold(phrase+".", en.Cause) {
				t.Errorf("%s: %q is said twice", en.Name, phrase)
			}
			seen[phrase] = true
		}
	}
}

// TestLike: an Entry that is like another has its help from one that has its own.
func TestLike(t *testing.T) {
	for _, table := range tables {
		for _, en := range table.entries {
			if en.Like == "" {
				continue
			}
			if other := find(index(), en.Like); other == nil || other.Like != "" {
				t.Errorf("%s is like %s, which is none or is like another", en.Name, en.Like)
			}
		}
	}
}

// TestApply: a command sets what this host can be told, and its numbers and names are either
// right everywhere, or capitals that nobody runs by mistake.
func TestApply(t *testing.T) {
	set := regexp.MustCompile(`^sysctl -w [a-z0-9_.{}/]+=(N|[0-9])( |$)`)
	for _, en := range All() {
		for _, command := range en.Apply {
			if strings.HasPrefix(command, "sysctl") && !set.MatchString(command) {
				t.Errorf("%s: %s", en.Name, command)
			}
		}
	}
}

// TestFamilies: no text for a packet of one family, or a counter of it, is about the other.
func TestFamilies(t *testing.T) {
	ipv4 := regexp.MustCompile(`\bip (-4 |route |rule)|\btracepath -n|\biptables -|\bnet\.ipv4\.(conf|neigh|ip|icmp)|\bTTL\b|\barp`)
	ipv6 := regexp.MustCompile(`\bip -6 |\btracepath -6|\bip6tables|\bnet\.ipv6\.|hop limit`)
	only := []string{ // of IPv4, of answers to commands, or where both call it TTL
		"IP_LOCAL_SOURCE", "IP_RPFILTER", "ip_forward", "ip_error", "inet_rtm_getroute", "inet6_rtm_getroute", "TCP_MINTTL",
		"OVS_DROP_IP_TTL",
	}
	for _, en := range All() {
		isCounter := en.Kind == Counter || en.Kind == Trap
		if of6 := packetIPv6("", "", event.Headers{}); !isCounter && !slices.Contains(only, en.Name) || counterIPv6.MatchString(en.Name) {
			saysNothingOf(t, en, &of6, ipv4)
		}
		if of4 := packet("", "", event.Headers{}); !isCounter && en.Module != "ipv6" && !strings.HasPrefix(en.Name, "ip6_") {
			saysNothingOf(t, en, &of4, ipv6)
		}
	}
}

// saysNothingOf checks the texts of an entry for a drop.
func saysNothingOf(t *testing.T, en *Entry, e *event.Event, other *regexp.Regexp) {
	t.Helper()
	x := en.Explain(e)
	for _, text := range slices.Concat(x.Check, x.Apply, x.Settings, x.Usual, []string{x.Cause, x.Fix}) {
		if other.MatchString(text) {
			t.Errorf("%s: %s", en.Name, text)
		}
	}
}

// TestCounterFamilies: a counter of IPv6 that has the texts of IPv4's has its own commands and settings.
func TestCounterFamilies(t *testing.T) {
	for name, want := range map[string]string{
		"Ip6OutNoRoutes": "ip -6 route get ADDR", "Ip6InNoRoutes": "ip -6 route get ADDR from SRC iif DEV",
		"Ip6FragFails": "ip -6 route get ADDR", "Ip6InAddrErrors": "sysctl net.ipv6.conf.all.forwarding",
		"Ip6ReasmTimeout": "nstat -az Ip6ReasmTimeout", "Icmp6InErrors": "nstat -az Icmp6InErrors", "IpOutNoRoutes": "ip route get ADDR",
	} {
		if got := Lookup(name)[0].Explain(nil).Check; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"Ip6ReasmTimeout": "net.ipv6.ip6frag_time", "Icmp6OutRateLimitHost": "net.ipv6.icmp.ratelimit",
		"Ip6InAddrErrors": "net.ipv6.conf.{ifname}.forwarding", "IpReasmTimeout": "net.ipv4.ipfrag_time",
	} {
		if got := Lookup(name)[0].Explain(nil).Settings; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
