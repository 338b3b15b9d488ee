package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
)

// TestIgnoredPings: pings that are not answered are a finding where the host is set to answer none, and only there.
func TestIgnoredPings(t *testing.T) {
	const four, six = "net.ipv4.icmp_echo_ignore_all", "net.ipv6.icmp.echo_ignore_all"
	all := func(truth condition.Truth) diagnose.Selects {
		return func(*counters.Row) condition.Truth { return truth }
	}
	for name, test := range map[string]struct {
		requests, replies string
		asked, answered   uint64
		setting, value    string
		selects           diagnose.Selects
		want              string // of the report; empty: nothing is found
	}{
		"ignored": {
			"IcmpInEchos", "IcmpOutEchoReps", 5, 0, four, "1", nil,
			"1. IcmpInEchos 5 counted by the kernel, no drop seen (network, icmp, policy, maybe) why This host is set to answer no ping: " +
				four + " is 1.",
		},
		"ignored, IPv6": {"Icmp6InEchos", "Icmp6OutEchoReplies", 5, 2, six, "1", nil, "ip netns exec blue sysctl -w " + six + "=0"},
		"selected":      {"IcmpInEchos", "IcmpOutEchoReps", 5, 0, four, "1", all(condition.True), "1. IcmpInEchos 5"},
		"not selected":  {"IcmpInEchos", "IcmpOutEchoReps", 5, 0, four, "1", all(condition.Unknown), ""},
		"answered":      {"IcmpInEchos", "IcmpOutEchoReps", 5, 5, four, "1", nil, ""},
		"not ignored":   {"IcmpInEchos", "IcmpOutEchoReps", 5, 0, four, "0", nil, ""},
		"no setting":    {"IcmpInEchos", "IcmpOutEchoReps", 5, 0, six, "1", nil, ""},
		"nobody pings":  {"IcmpInEchos", "IcmpOutEchoReps", 0, 0, four, "1", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			zero := func(name string) counters.Counter { return of(counters.Protocol, "", name, 0) }
			before := &counters.Snapshot{Counters: []counters.Counter{zero(test.requests), zero(test.replies)}}
			after := &counters.Snapshot{Counters: []counters.Counter{
				of(counters.Protocol, "", test.requests, test.asked), of(counters.Protocol, "", test.replies, test.answered),
			}}
			d := diagnose.New(collect(t), counters.Rises(before, after), test.selects)
			d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{
				"setting 7 " + test.setting + " ": json.RawMessage(setting(test.setting, test.value, "")),
			}))
			text := strings.Join(strings.Fields(textOf(t, d)), " ")
			if len(d.Findings) > 0 != (test.want != "") || !strings.Contains(text, test.want) {
				t.Errorf("want %q in\n%s", test.want, text)
			}
		})
	}
}
