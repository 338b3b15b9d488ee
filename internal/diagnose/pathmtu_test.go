package diagnose_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestErrorLost: packets that are too big, and the rule that drops the ICMP errors to their
// sender, in any network namespace; not those to another.
func TestErrorLost(t *testing.T) {
	for _, test := range []struct {
		name, to string
		netns    event.Netns
		want     string // the rule
	}{
		{"to the sender", "10.0.0.1", blue, "nftables ip t c handle 2 (icmp drop)"},
		{"to another", "10.0.0.9", blue, ""},
		{"elsewhere", "10.0.0.1", event.Netns{Inode: 8, Name: "green"}, "nftables ip t c handle 2 (icmp drop)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			big := udp("PKT_TOO_BIG", 40001)
			big.Where, big.Args = at("ip_forward", "far", 1).Where, []event.Arg{{Name: "mtu", Number: 1000}}
			big.Packet.Flow.Fields |= event.FieldProtocol
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
				case f.ID == "PKT_TOO_BIG" && !strings.HasSuffix(f.Meaning.Check[0], " tracepath -n 10.0.0.2"):
					t.Errorf("check %q", f.Meaning.Check)
				case f.ID == "NETFILTER_DROP" && !strings.Contains(strings.Join(f.Meaning.Apply, ""), "handle 2 icmp type"):
					t.Errorf("the fix is %q", f.Meaning.Apply)
				}
			}
			line := "   ICMP lost by nftables ip t c handle 2 (icmp drop)"
			if test.netns != blue {
				line += " in network namespace green"
			}
			line += "\n"
			if strings.Contains(text, line) != (test.want != "") {
				t.Errorf("%q in\n%s", line, text)
			}
		})
	}
}

// TestTooBigWithoutMTU: packets of which the source does not read the MTU that they exceed are of the
// same finding as those of which it does.
func TestTooBigWithoutMTU(t *testing.T) {
	big, offloaded := udp("PKT_TOO_BIG", 40001), udp("PKT_TOO_BIG", 40001)
	big.Where, big.Args = at("ip_forward", "far", 1).Where, []event.Arg{{Name: "mtu", Number: 1000}}
	offloaded.Where, offloaded.Segments = big.Where, 5
	other := udp("PKT_TOO_BIG", 40001)
	other.Where, other.Netns = big.Where, event.Netns{Inode: 8, Name: "green"}
	d := diagnose.New(collect(t, big, offloaded, other), rose(), nil)
	if len(d.Findings) != 2 {
		t.Fatalf("%d findings, want one of each network namespace:\n%s", len(d.Findings), textOf(t, d))
	}
	f := &d.Findings[0]
	if f.Count != 2 || f.Segments != 6 || !slices.Equal(f.Args, big.Args) || len(f.Flows) != 1 || f.Flows[0].Count != 2 || f.Share < 0.66 {
		t.Errorf("got %+v", f)
	}
}
