package diagnose_test

import (
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
)

// TestRuleFix: the commands are those for the very rule, in its network namespace.
func TestRuleFix(t *testing.T) {
	const nft, ipt = counters.NFTables, counters.IPTables
	const in, general = "ip netns exec blue ", "Allow the traffic if it is wanted. nft monitor trace shows the rule."
	const list = in + "iptables-legacy -t filter -L INPUT --line-numbers -v -n  # iptables, if there is no iptables-legacy"
	for object, want := range map[string]struct {
		group             counters.Group
		about, check, fix string
	}{
		"inet fw in handle 7": {nft, "udp dport 9 drop", in + "nft -a list chain inet fw in", in + "nft delete rule inet fw in handle 7"},
		"inet fw in policy":   {nft, "policy drop", in + "nft -a list chain inet fw in", ""},
		"ip filter INPUT -j DROP": {
			ipt, "rule 3", list,
			in + "iptables-legacy -t filter -D INPUT 3",
		},
		"ip filter INPUT policy": {
			ipt, "policy DROP", list, "",
		},
		"ip filter $(reboot) -j DROP": {ipt, "rule 3", in + "nft list ruleset | grep -A20 'hook input'", ""},
	} {
		row := of(want.group, "", "drop_packets", 5)
		row.Object, row.About, row.Hook = object, want.about, "INPUT"
		d := diagnose.New(collect(t, dropped(5, "lo", "ip_local_deliver")), rose(row), nil)
		m := d.Findings[0].Meaning
		if m.Check[0] != want.check || strings.Join(m.Apply, "; ") != want.fix {
			t.Errorf("%s: check %q, fix %q", object, m.Check, m.Apply)
		}
		if (m.Fix == general) != strings.Contains(object, "$") {
			t.Errorf("%s: %s", object, m.Fix)
		}
	}
}
