package diagnose_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// frameTo is a drop of a packet in a frame for a MAC address.
func frameTo(mac byte, dst string, n uint64) *event.Event {
	e := udp("OTHERHOST", 40001)
	e.Count, e.Segments = n, n
	e.Packet.Type = event.PacketOtherHost
	f := e.Packet.Flow
	f.Fields |= event.FieldEthDst | event.FieldEthSrc
	f.EthDst, f.EthSrc, f.Dst = event.MAC{2, 0, 0, 0, 0, mac}, event.MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr(dst)
	return e
}

// TestMisaddressed: of frames for other MAC addresses those with packets for an address of the interface are a finding
// of their own, unless another interface here has that MAC address; the others stay noise.
func TestMisaddressed(t *testing.T) {
	const own, far, flooded = "10.0.0.2", "2001:db8::2", "10.0.0.9"
	answers := map[string]json.RawMessage{
		"interface 7 lo":                         json.RawMessage(`{"mac":"02:00:00:00:00:02","addresses":["10.0.0.2","2001:db8::2"]}`),
		"interface 7 with MAC 02:00:00:00:00:04": json.RawMessage(`true`),
		"interface 7 with MAC 02:00:00:00:00:03": json.RawMessage(`false`),
	}
	for name, test := range map[string]struct {
		drops        []*event.Event
		found, noise uint64
	}{
		"flooded":              {[]*event.Event{frameTo(3, flooded, 9)}, 0, 9},
		"for this host":        {[]*event.Event{frameTo(3, own, 5)}, 5, 0},
		"for this host, IPv6":  {[]*event.Event{frameTo(3, far, 5)}, 5, 0},
		"among flooded ones":   {[]*event.Event{frameTo(3, flooded, 90), frameTo(3, own, 5), frameTo(9, flooded, 1)}, 5, 91},
		"of another interface": {[]*event.Event{frameTo(4, own, 5)}, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			d := diagnose.New(collect(t, test.drops...), report("UdpNoPorts", 0), nil)
			d.Ask(diagnose.RecordedHost(answers))
			var found, noise uint64
			for _, f := range d.Findings {
				found += f.Count
				if f.Severity() != knowledge.Harm || f.Meaning.Case == nil || f.Meaning.Case.If != knowledge.Misaddressed {
					t.Errorf("%v: %s", f.Severity(), f.Meaning.Cause)
				}
			}
			for _, f := range d.Noise {
				noise += f.Count
			}
			if found != test.found || noise != test.noise || len(d.Findings) > 1 || len(d.Noise) > 1 {
				t.Errorf("%d drops are found and %d noise, want %d and %d", found, noise, test.found, test.noise)
			}
		})
	}
	d := diagnose.New(collect(t, frameTo(3, flooded, 90), frameTo(3, own, 5)), report("UdpNoPorts", 0), nil)
	d.Ask(diagnose.RecordedHost(answers))
	text := strings.Join(strings.Fields(textOf(t, d)), " ")
	for _, want := range []string{
		"1. OTHERHOST 5 drops, 0.5/s, 5 % of all drops", "The packet is for 10.0.0.2, an address of this interface",
		"frames to 02:00:00:00:00:03, not 02:00:00:00:00:02, from 02:00:00:00:00:01 (source 10.0.0.1, destination 10.0.0.2) 5",
		"ip netns exec blue tcpdump -eni lo ether dst 02:00:00:00:00:03", "ip neigh del 10.0.0.2 dev DEV", "noise: OTHERHOST 90",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	var b strings.Builder
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`"frames":[{"dst_mac":"02:00:00:00:00:03","interface_mac":"02:00:00:00:00:02","src_mac":"02:00:00:00:00:01",`+
		`"src":"10.0.0.1","dst":%q,"count":5}]`, own)
	if !strings.Contains(b.String(), want) {
		t.Errorf("%s is missing in %s", want, &b)
	}
}
