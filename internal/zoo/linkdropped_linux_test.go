package zoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/point"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// counted are losses that ip -s link counts as dropped, the point that names each, and the device. The last is counted
// by the driver alone, in a counter of its own.
var counted = []struct{ scenario, point, ifname string }{
	{"ethertype that nobody takes (LLDP)", "dev_rx_dropped", "far"},
	{"tun device whose program does not read", "dev_tx_dropped", "tun0"},
	{"inactive member of a bond", "dev_rx_nohandler", "far"},
	{"another host's frames", "dev_rx_otherhost_dropped", "far"},
	{"XDP program, in the driver", "", "far"},
}

// TestGuestLinkDropped: what ip -s link counts as dropped on a device is what the points named there, for each of its
// four counters.
func TestGuestLinkDropped(t *testing.T) {
	if !guest.AtLeast(6, 9) {
		return // no function counts it: diagnose says likely who did, of which TestGuestZoo is
	}
	o, ns := probing(t), drops.NewNamespace(t)
	var points []point.Point
	for _, name := range []string{"dev_rx_dropped", "dev_tx_dropped", "dev_rx_nohandler", "dev_rx_otherhost_dropped"} {
		p, _ := point.Lookup(name)
		points = append(points, p)
	}
	for _, c := range counted {
		i := slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == c.scenario })
		t.Run(c.scenario, func(t *testing.T) {
			n := ns.Of(t)
			lose := (&result{Scenario: &Scenarios[i], netns: "counted"}).prepare(n)
			before, byDriver := linkDropped(t, n, c.ifname), xdpDrops(t, n, c.ifname)
			running := watch(t, o, n, points...)
			lose()
			want := make(map[string]int)
			for name, count := range linkDropped(t, n, c.ifname) {
				if count -= before[name]; count > 0 {
					want[name] = count
				}
			}
			if want[c.point] != packets && c.point != "" {
				t.Errorf("ip -s link counts %v, not %d as %s", want, packets, c.point)
			}
			running.AwaitEnough(func(kept []event.Event, _ *event.Ledger) bool { return maps.Equal(named(kept, c.ifname), want) })
			if got := named(running.End(), c.ifname); !maps.Equal(got, want) {
				t.Errorf("ip -s link counts %v, the points named %v", want, got)
			}
			if got := xdpDrops(t, n, c.ifname) - byDriver; (got == packets) != (c.point == "") {
				t.Errorf("the driver counts %d drops by XDP", got)
			}
		})
	}
}

// named counts the events of a device by point.
func named(events []event.Event, ifname string) map[string]int {
	counts := make(map[string]int)
	for i := range events {
		if events[i].Port.IfName == ifname {
			counts[events[i].Point]++
		}
	}
	return counts
}

// linkDropped is what ip -s link counts as dropped on a device, by the point that names it.
func linkDropped(t *testing.T, ns *drops.Namespace, ifname string) map[string]int {
	t.Helper()
	var links []struct {
		Stats64 struct {
			RX struct{ Dropped, Nohandler, Otherhost int }
			TX struct{ Dropped int }
		}
	}
	text := ns.Run("ip", "-s", "-s", "-j", "link", "show", "dev", ifname)
	if err := json.Unmarshal([]byte(text), &links); err != nil || len(links) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	s := links[0].Stats64
	return map[string]int{
		"dev_rx_dropped": s.RX.Dropped, "dev_tx_dropped": s.TX.Dropped, "dev_rx_nohandler": s.RX.Nohandler,
		"dev_rx_otherhost_dropped": s.RX.Otherhost,
	}
}

// xdpDrops is how many packets XDP dropped on a device, as its driver counts.
func xdpDrops(t *testing.T, ns *drops.Namespace, ifname string) (n int) {
	t.Helper()
	r := counters.Reader{Host: host.New("/"), Groups: []counters.Group{counters.Driver}}
	ns.Do(func() error {
		s, err := r.Read(t.Context())
		if err != nil {
			return fmt.Errorf("read the driver's counters: %w", err)
		}
		for _, c := range s.Counters {
			if c.IfName == ifname && c.Name == "rx_queue_0_xdp_drops" {
				n += int(c.Value)
			}
		}
		return nil
	})
	return n
}
