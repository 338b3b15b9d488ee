package netlink_test

import (
	"os"
	"testing"

	"dropwatch/netlink"
)

// FuzzDecode: an error or an alert that its bytes can account for, and the
// same whether the Alert and the Decoder are new or have seen others.
func FuzzDecode(f *testing.F) {
	files, err := os.ReadDir(fixtures)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(fixture(f, file.Name()))
	}
	used, other := netlink.Alert{}, encodePacket(softwareDrop)
	f.Add(other)
	f.Add(encodePacket(hardwareDrop))
	f.Add(encodeSummary([]netlink.Point{{PC: 1, Count: 2}}, []netlink.Trap{{Name: "t", Count: 3}}))
	var d netlink.Decoder
	f.Fuzz(func(t *testing.T, msg []byte) {
		var first netlink.Alert
		err := new(netlink.Decoder).Decode(msg, &first)
		if e := d.Decode(other, &used); e != nil {
			t.Fatal(e)
		}
		again := d.Decode(msg, &used)
		if (err == nil) != (again == nil) {
			t.Fatalf("first %v, then %v", err, again)
		}
		if err != nil {
			return
		}
		if diff := diffAlerts(first, used); diff != "" {
			t.Error("a used Alert differs:", diff)
		}
		if n := 12*len(first.Points) + 4*len(first.Traps) + len(first.Payload); n > len(msg) {
			t.Errorf("%d bytes worth of alert from %d", n, len(msg))
		}
	})
}
