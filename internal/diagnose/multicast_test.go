package diagnose

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// TestGroup: what an interface has joined is read from the files as Linux 6.18 writes them, and chooses the cause.
func TestGroup(t *testing.T) {
	number := func(a string) string {
		return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(netip.MustParseAddr(a).AsSlice()))
	}
	igmp := "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n" +
		"1\tlo        :     1      V3\n\t\t\t\t" + number("239.9.9.9") + "     1 0:00000000\t\t0\n" +
		"2\tva        :     3      V3\n\t\t\t\t" + number("232.1.2.3") + "     1 0:00000000\t\t0\n" +
		"\t\t\t\t" + number("239.1.2.3") + "     1 0:00000000\t\t0\n"
	const filters = "Idx Device        MCA        SRC    INC    EXC\n" +
		"  2     va 0xe8010203 0x0a4d0009      1      0\n" +
		"  2     va 0xef010203 0x0a4d0002      0      1\n" +
		"  3     vb 0xe8010203 0x0a4d0002      1      0\n"
	const joined, other, general = "No program on this host has joined", "but not for packets from 10.77.0.2", "Or one has"
	for _, test := range []struct {
		name, group    string
		cause, because string
	}{
		{"another source", "232.1.2.3", other, "the source filter of va accepts 10.77.0.9"},
		{"a source that is refused", "239.1.2.3", other, "the source filter of va refuses 10.77.0.2"},
		{"joined on another interface", "239.9.9.9", joined, "239.9.9.9 is joined on lo, not on va"},
		{"not joined", "239.1.2.4", joined, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := ofGroup(test.group)
			g := parseGroup(igmp, filters, "va", netip.MustParseAddr(test.group))
			g.Known = true
			f.narrowByGroup(g)
			cause := f.Meaning.Cause
			if !strings.Contains(cause, test.cause) || strings.Contains(cause, general) || strings.Join(f.Evidence, "; ") != test.because {
				t.Errorf("%s %q", cause, f.Evidence)
			}
			if slices.Contains(f.Meaning.Settings, "net.ipv4.conf.{ifname}.accept_local") {
				t.Error("it has the settings of source addresses")
			}
		})
	}
	f := ofGroup("232.1.2.3")
	if f.narrowByGroup(groupAnswer{}); !strings.Contains(f.Meaning.Cause, general) {
		t.Errorf("not known: %s", f.Meaning.Cause)
	}
}

// ofGroup is a finding of packets for a multicast group.
func ofGroup(group string) *Finding {
	h := event.Headers{
		Fields:  event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldProtocol,
		Network: event.IPv4, Transport: event.UDP,
		Src: netip.MustParseAddr("10.77.0.2"), Dst: netip.MustParseAddr(group), Protocol: 17, SrcPort: 40000, DstPort: 5000,
	}
	e := &event.Event{Kind: event.Drop, Count: 1, Reason: event.NotSpecified, Port: event.Port{IfName: "va"}}
	e.Where = event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: "ip_rcv_finish_core"}}
	e.Packet = event.Packet{Flow: &event.Flow{Headers: h}}
	x, _ := knowledge.Of(e)
	src, dst := netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort)
	return &Finding{
		Meaning: x, IfName: "va", Flows: []FlowCount{{Flow: Flow{"udp", src, dst}, Count: 1, first: tupleOf(e.Packet.Flow)}},
	}
}
