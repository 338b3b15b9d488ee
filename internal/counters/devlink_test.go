package counters

import (
	"errors"
	"testing"

	"github.com/mdlayher/netlink"
)

// TestHealth: errors of a part of a device are a total; one that has not recovered is a level at
// its limit (net/devlink/health.c devlink_nl_health_reporter_fill).
func TestHealth(t *testing.T) {
	reporter := func(name string, state uint8, failed, recovered uint64, port bool) []byte {
		return attributes(t, func(e *netlink.AttributeEncoder) {
			e.String(devlinkBusName, "pci")
			e.String(devlinkDevName, "0000:01:00.0")
			if port {
				e.Uint32(devlinkPortIndex, 1)
			}
			e.Nested(devlinkReporter, func(h *netlink.AttributeEncoder) error {
				h.String(reporterName, name)
				h.Uint8(reporterState, state)
				h.Uint64(reporterErrors, failed)
				h.Uint64(reporterRecovered, recovered)
				return nil
			})
		})
	}
	got := reads(t, Devlink, func(r *reading) error {
		return errors.Join(r.reporter(reporter("fw", 0, 3, 3, false)), r.reporter(reporter("tx", 1, 5, 4, true)))
	})
	for name, want := range map[string]struct {
		value uint64
		gauge bool
		about string
	}{
		"pci/0000:01:00.0 fw.health_errors":   {3, false, "3 recovered"},
		"pci/0000:01:00.0/1 tx.health_errors": {5, false, "4 recovered"},
		"pci/0000:01:00.0/1 tx.health_failed": {1, true, "error"},
	} {
		c := got[name]
		if c.Value != want.value || c.Gauge != want.gauge || c.About != want.about {
			t.Errorf("%s: %+v, want %+v", name, c, want)
		}
		if row := Rows([]Change{{Counter: c, Delta: c.Value}})[0]; !row.Known || !row.Matters() {
			t.Errorf("%s does not matter: %+v", c.ID(), row)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestBrokenHealth: a message that breaks off is an error.
func TestBrokenHealth(t *testing.T) {
	broken := attributes(t, func(e *netlink.AttributeEncoder) { e.Bytes(devlinkReporter, []byte{9, 0, 115}) })
	if err := (&reading{into: new(Snapshot)}).reporter(broken); err == nil {
		t.Error("no error")
	}
}
