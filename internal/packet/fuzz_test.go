package packet_test

import (
	"slices"
	"testing"

	"dropwatch/internal/event"
)

// FuzzDecode decodes anything, cut anywhere: what is left of a packet gives
// nothing else than the whole.
func FuzzDecode(f *testing.F) {
	for _, s := range slices.Concat(corpus(), malformed()) {
		f.Add(s.data, s.link == event.LinkRaw, uint16(0), uint16(len(s.data)-1))
		f.Add(s.data, false, uint16(tIPv4), uint16(12))
	}
	f.Fuzz(func(t *testing.T, data []byte, raw bool, proto, cut uint16) {
		link := event.LinkEthernet
		if raw {
			link = event.LinkRaw
		}
		whole := decode(data, link, proto)
		if s := whole.Stop; s.Why == event.Undone || s.Offset < 0 || s.Offset > len(data) {
			t.Fatalf("%v at %d of %d", s.Why, s.Offset, len(data))
		}
		for _, h := range headers(&whole) {
			if err := subset(h, h); err != nil {
				t.Fatal(err)
			}
		}
		if err := cutAt(data, min(int(cut), len(data)), link, proto); err != nil {
			t.Fatal(err)
		}
	})
}
