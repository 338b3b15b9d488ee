package diagnose_test

import (
	"strings"
	"testing"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestVXLANHeader: a finding says which VNI the packets have, and which extension, if all have the same.
func TestVXLANHeader(t *testing.T) {
	vxlan := func(reason string, flags byte, vni uint32) *event.Event {
		e := udp(reason, 40001)
		e.Packet.Flow.Tunnel = event.Tunnel{Kind: event.VXLAN, ID: vni, HasID: true}
		e.Packet.Link, e.Packet.HasData = event.LinkEthernet, true
		e.Packet.Data = append(make([]byte, 14), 0x45)
		e.Packet.Data = append(append(e.Packet.Data, make([]byte, 19+8)...), flags, 0, 0, 0)
		return e
	}
	for name, test := range map[string]struct {
		drops []*event.Event
		want  string
	}{
		"an unknown VNI": {[]*event.Event{vxlan("VXLAN_VNI_NOT_FOUND", 8, 6), vxlan("VXLAN_VNI_NOT_FOUND", 8, 6)}, "values    vni 6\n"},
		"several":        {[]*event.Event{vxlan("VXLAN_VNI_NOT_FOUND", 8, 6), vxlan("VXLAN_VNI_NOT_FOUND", 8, 7)}, ""},
		"GBP":            {[]*event.Event{vxlan("VXLAN_INVALID_HDR", 0x88, 5)}, "values    vni 5, header GBP\n"},
		"GPE":            {[]*event.Event{vxlan("VXLAN_INVALID_HDR", 0x0c, 5)}, "values    vni 5, header GPE\n"},
		"another loss":   {[]*event.Event{vxlan("NO_SOCKET", 8, 6)}, ""},
	} {
		text := textOf(t, diagnose.New(collect(t, test.drops...), rose(), nil))
		if !strings.Contains(text, test.want) || test.want == "" && strings.Contains(text, "values") {
			t.Errorf("%s: %q is missing in\n%s", name, test.want, text)
		}
	}
}
