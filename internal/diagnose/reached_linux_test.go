package diagnose_test

import (
	"regexp"
	"strconv"
	"testing"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestRulesReached: the verdict at a point is named by the rules of its network namespace.
func TestRulesReached(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	ns.Name("dropwatch-verdicts")
	ns.Run("nft", "table inet filter { chain sub { udp dport 9 drop; }; "+
		"chain input { type filter hook input priority 0; policy drop; meta l4proto udp jump sub; }; }")
	found := regexp.MustCompile(`udp dport 9 drop # handle (\d+)`).FindStringSubmatch(ns.Run("nft", "-a", "list", "ruleset"))
	handle, err := strconv.ParseUint(found[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	rules := diagnose.NewRules(host.New("/"))
	elsewhere, inDrop := verdict(1, handle), &event.Event{Kind: event.Drop}
	for _, tt := range []struct {
		e    *event.Event
		want diagnose.Rule
	}{
		{verdict(1, handle), diagnose.Rule{
			Text: "nftables inet filter sub handle " + found[1] + " (udp dport 9 drop)", Confidence: diagnose.Exactly,
		}},
		{verdict(1, 0), diagnose.Rule{Text: "nftables inet filter input", Confidence: diagnose.PolicyOf}},
		{verdict(1, 999), diagnose.Rule{}},
		{elsewhere, diagnose.Rule{}},
		{inDrop, diagnose.Rule{}},
	} {
		if tt.e != elsewhere {
			tt.e.Netns.Inode = ns.Inode()
		}
		if got := rules.Reached(tt.e.Netns.Inode, tt.e.Point, tt.e.Args); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.e.Args, got, tt.want)
		}
	}
}
