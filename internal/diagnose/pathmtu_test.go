package diagnose_test

import (
	"net/netip"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestErrorLost: packets that are too big, and the rule that drops the ICMP errors to their
// sender; not those to another, or in another network namespace.
func TestErrorLost(t *testing.T) {
	for _, test := range []struct {
		name, to string
		netns    event.Netns
		want     string // the rule
	}{
		{"to the sender", "10.0.0.1", blue, "nftables ip t c handle 2 (icmp drop)"},
		{"to another", "10.0.0.9", blue, ""},
		{"elsewhere", "10.0.0.1", event.Netns{Inode: 8, Name: "green"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			big := udp("PKT_TOO_BIG", 40001)
			big.Where, big.Args = at("ip_forward", "far", 1).Where, []event.Arg{{Name: "mtu", Number: 1000}}
			lost := dropped(1, "", "__ip_local_out")
			lost.Netns = test.netns
			lost.Packet.Flow = &event.Flow{Headers: event.Headers{
				Fields:  event.FieldSrc | event.FieldDst | event.FieldICMPType | event.FieldICMPCode,
				Network: event.IPv4, Transport: event.ICMP, ICMPType: 3, ICMPCode: 4,
				Src: netip.MustParseAddr("10.0.1.1"), Dst: netip.MustParseAddr(test.to),
			}}
			rule := of(counters.NFTables, "", "drop_packets", 1)
			rule.Netns, rule.Object, rule.About, rule.Hook = test.netns, "ip t c handle 2", "icmp drop", "OUTPUT"
			d := diagnose.New(collect(t, big, lost), rose(rule), nil)
			d.Ask(diagnose.RecordedHost(nil))
			if len(d.Findings) != 2 || d.Verdict() != "this host loses packets: see 1 and 2" {
				t.Fatalf("%s: %+v", d.Verdict(), d.Findings)
			}
			text := textOf(t, d)
			for i := range d.Findings {
				f := &d.Findings[i]
				switch named := strings.Contains(f.Meaning.Cause, "The firewall of this host"); {
				case f.ID == "PKT_TOO_BIG" && (f.AnswerLost.Text != test.want || named != (test.want != "")):
					t.Errorf("the rule is %+v: %s", f.AnswerLost, f.Meaning.Cause)
				case f.ID == "NETFILTER_DROP" && !strings.Contains(strings.Join(f.Meaning.Apply, ""), "handle 2 icmp type"):
					t.Errorf("the fix is %q", f.Meaning.Apply)
				}
			}
			if line := "   ICMP lost by nftables ip t c handle 2 (icmp drop)\n"; strings.Contains(text, line) != (test.want != "") {
				t.Errorf("%q in\n%s", line, text)
			}
		})
	}
}
