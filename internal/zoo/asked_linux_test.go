package zoo

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/point"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// asked are scenarios whose losses go on, the point that the first of them ask for, and what it makes the finding say, as JSON.
var asked = []struct{ scenario, point, want string }{
	{"nft INPUT, by policy", "nftables_policy", `"culprit":{"rule":{"text":"nftables ip t c",`},
	{
		"nft INPUT, two rules that depend on conntrack's state", "nftables", // without the point it is one of both
		`(ct state new drop)","confidence":"likely"`,
	},
	{"rp_filter", "rp_filter", `"rp_filter":1,"src":"192.0.2.1"`},
}

// TestGuestAsked: drops ask for the points that say more of them, while diagnose runs, and what these say is in the finding.
// At the end no probe is left.
func TestGuestAsked(t *testing.T) {
	if !guest.AtLeast(6, 12) || guest.AtLeast(7, 0) {
		return // the points themselves are tested on each kernel
	}
	for _, module := range []string{"nf_tables", "nf_conntrack"} {
		loadModule(module)
	}
	outer := drops.NewNamespace(t)
	var lose []func()
	var wanted []int
	for i, a := range asked {
		s := Scenarios[slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == a.scenario })]
		c := &result{Scenario: &s, netns: fmt.Sprint("asked", i)}
		if l := c.prepare(outer.Of(t)); l != nil {
			lose, wanted = append(lose, l), append(wanted, i)
		}
	}
	loseAll := func() {
		for _, l := range lose {
			l()
		}
	}
	r := start(t, guest.Dropwatch, "auto")
	var profile []byte
	defer func() {
		if t.Failed() {
			t.Logf("%s\n%s\n%s", profile, r.stdout.String(), r.stderr.String())
		}
	}()
	guest.Eventually(t, "each point is reached", func() bool {
		loseAll()
		profile, _ = os.ReadFile("/sys/kernel/tracing/kprobe_profile")
		return !slices.ContainsFunc(wanted, func(i int) bool { return !areHit(string(profile), asked[i].point) })
	})
	r.awaitAttached(t)
	loseAll()
	d := r.end(t)
	for _, i := range wanted {
		a := &asked[i]
		says := func(f finding) bool {
			return strings.Contains(f.line, `"name":"`+a.point+`"`) && strings.Contains(f.line, a.want) &&
				strings.Contains(f.line, `"later":true`)
		}
		if !slices.ContainsFunc(d.findings, says) {
			t.Errorf("%s: no finding says %s", a.scenario, a.want)
		}
	}
	isFollowed := func(f finding) bool {
		return strings.Contains(f.line, `"followed":[{"protocol":"udp"`) && strings.Contains(f.line, `"verdict":"lost"`)
	}
	if !slices.ContainsFunc(d.findings, isFollowed) {
		t.Error("no finding says what became of all packets of a flow")
	}
	if left, _ := os.ReadFile("/sys/kernel/tracing/kprobe_events"); len(left) > 0 {
		t.Errorf("probes are left: %s", left)
	}
}

// areHit reports whether all probes of a point were hit, by kprobe_profile: their names, the hits, and those that were missed.
func areHit(profile, name string) bool {
	probes, hit := 0, 0
	for line := range strings.Lines(profile) {
		words := strings.Fields(line)
		if len(words) == 3 && strings.Contains(words[0], "_"+name+"_") {
			probes++
			hit += min(len(strings.TrimLeft(words[1], "0")), 1)
		}
	}
	p, _ := point.Lookup(name)
	return hit == probes && probes > int(p.At) // at the return of a function its call has one, too
}
