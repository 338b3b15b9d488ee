package zoo

import (
	"os"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// asked are scenarios whose losses go on, and what a point says of them that the first losses ask for, as JSON. The
// function of the point is the key of the probes.
var asked = []struct{ scenario, probe, want string }{
	{"nft INPUT, by policy", "nftables", `"args":{"chain":"c","family":2,"handle":1,"hook":"NF_INET_LOCAL_IN","in":"lo","table":"t"}`},
	{"nft OUTPUT", "nftables", `"hook":"NF_INET_LOCAL_OUT","out":"lo","table":"t"}`},
	{"iptables INPUT", "iptables", `"hook":"NF_INET_LOCAL_IN","in":"lo","table":"filter"}`},
	{"rp_filter", "rp_filter", `"src":"192.0.2.1"`},
	{"source address of this host", "martian_source", `"src":"10.0.0.1"`},
	{"UDP receive buffer full, its reader is asleep", "udp_queue", `"port":9,`},
}

// TestGuestAsked: drops ask for the points that say more of them, while diagnose runs, and what these say is in the finding.
// At the end no probe is left.
func TestGuestAsked(t *testing.T) {
	for _, module := range []string{"nf_tables", "nf_conntrack"} {
		loadModule(module)
	}
	outer := drops.NewNamespace(t)
	var lose []func()
	var wanted []int
	for i, a := range asked {
		s := Scenarios[slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == a.scenario })]
		c := &result{Scenario: &s, netns: a.probe + s.Want.IfName}
		if l := c.prepare(outer.Of(t)); l != nil && (a.probe != "nftables" || guest.AtLeast(6, 1)) { // modules have no types
			lose, wanted = append(lose, l), append(wanted, i)
		}
	}
	loseAll := func() {
		for _, l := range lose {
			l()
		}
	}
	r := start(t, guest.Dropwatch, "auto")
	guest.Eventually(t, "each point is reached", func() bool {
		loseAll()
		profile, _ := os.ReadFile("/sys/kernel/tracing/kprobe_profile")
		return !slices.ContainsFunc(wanted, func(i int) bool { return !wasHit(string(profile), asked[i].probe) })
	})
	loseAll()
	d := r.end(t)
	for _, i := range wanted {
		a := &asked[i]
		says := func(f finding) bool {
			return strings.Contains(f.line, `"name":"`+a.probe+`"`) && strings.Contains(f.line, a.want) &&
				strings.Contains(f.line, `"later":true`)
		}
		if !slices.ContainsFunc(d.findings, says) {
			t.Errorf("%s: no finding says %s", a.scenario, a.want)
		}
	}
	if left, _ := os.ReadFile("/sys/kernel/tracing/kprobe_events"); len(left) > 0 {
		t.Errorf("probes are left: %s", left)
	}
	if t.Failed() {
		t.Log(r.stderr.String())
		for _, f := range d.findings {
			t.Log(f.line)
		}
	}
}

// wasHit reports whether a probe of a point was hit, by kprobe_profile: its name, the hits, and those that were missed.
func wasHit(profile, point string) bool {
	for line := range strings.Lines(profile) {
		words := strings.Fields(line)
		if len(words) == 3 && strings.HasSuffix(words[0], "_"+point) && words[1] != "0" {
			return true
		}
	}
	return false
}
