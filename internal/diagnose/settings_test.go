package diagnose_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// TestReversePathFilter: of the two settings the greater counts, and the file that set it is
// named.
func TestReversePathFilter(t *testing.T) {
	h := host.FS(fstest.MapFS{
		"proc/sys/net/ipv4/conf/all/rp_filter": {Data: []byte("0\n")},
		"proc/sys/net/ipv4/conf/lo/rp_filter":  {Data: []byte("2\n")},
		"etc/sysctl.d/90-site.conf":            {Data: []byte("net.ipv4.conf.default.rp_filter = 2\n")},
	})
	drop := udp("IP_RPFILTER", 40001)
	drop.Netns = event.Netns{}
	d := diagnose.New(collect(t, drop), new(counters.Report), nil)
	d.Ask(diagnose.NewHost(h, nil))
	text := textOf(t, d)
	for _, want := range []string{
		"net.ipv4.conf.lo.rp_filter = 2, set by /etc/sysctl.d/90-site.conf:1\n",
		"net.ipv4.conf.all.rp_filter = 0\n             does not count: net.ipv4.conf.lo.rp_filter = 2 does\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Count(text, "does not count") != 1 {
		t.Errorf("the greater counts, but:\n%s", text)
	}
}

// TestReversePathFix: rp_filter 2 is offered for packets whose source has a route by another interface, unless
// it counts already; a route is offered in any case.
func TestReversePathFix(t *testing.T) {
	const route = "ip netns exec blue ip route add 10.0.0.1 via GATEWAY  # if ip route get finds no route"
	const loose = "ip netns exec blue sysctl -w net.ipv4.conf.lo.rp_filter=2  # if it finds one by another interface"
	for _, test := range []struct {
		all, own string
		loose    bool
	}{
		{"0", "1", true}, {"1", "0", true}, {"1", "1", true}, {"0", "2", false}, {"2", "1", false},
	} {
		setting := func(of, value string) json.RawMessage {
			return json.RawMessage(`{"name":"net.ipv4.conf.` + of + `.rp_filter","value":"` + value + `"}`)
		}
		d := diagnose.New(collect(t, udp("IP_RPFILTER", 40001)), new(counters.Report), nil)
		d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{
			"setting 7 net.ipv4.conf.{ifname}.rp_filter lo": setting("lo", test.own),
			"setting 7 net.ipv4.conf.all.rp_filter lo":      setting("all", test.all),
		}))
		want := []string{route}
		if test.loose {
			want = append(want, loose)
		}
		if got := d.Findings[0].Meaning.Apply; !slices.Equal(got, want) {
			t.Errorf("all %s, lo %s: %q", test.all, test.own, got)
		}
	}
}

// textOf is the report for a terminal.
func textOf(t *testing.T, d *diagnose.Diagnosis) string {
	t.Helper()
	var b strings.Builder
	if err := d.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBufferOfDrop: rmem_max does not limit a buffer that the drop shows to be smaller, and the
// command that raises it is not given.
func TestBufferOfDrop(t *testing.T) {
	h := host.FS(fstest.MapFS{
		"proc/sys/net/core/rmem_max":     {Data: []byte("212992\n")},
		"proc/sys/net/core/rmem_default": {Data: []byte("212992\n")},
	})
	for size, limits := range map[uint64]bool{8192: false, 425984: true} {
		drop := udp("SOCKET_RCVBUFF", 40001)
		drop.Netns, drop.Args = event.Netns{}, []event.Arg{{Name: "rcvbuf", Number: size}}
		d := diagnose.New(collect(t, drop), new(counters.Report), nil)
		d.Ask(diagnose.NewHost(h, nil))
		text := textOf(t, d)
		upTo := strings.Contains(strings.Join(strings.Fields(text), " "), "its SO_RCVBUF may be up to 212992")
		if strings.Contains(text, "sysctl -w net.core.rmem_max") != limits || upTo == limits {
			t.Errorf("a buffer of %d bytes:\n%s", size, text)
		}
		if want := fmt.Sprintf("values    rcvbuf %d bytes\n", size); !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// TestHarmlessSettings: a value that drops nothing is left out, and so is the command that sets it.
func TestHarmlessSettings(t *testing.T) {
	for value, said := range map[string]bool{"0": false, "1": true} {
		e := udp("NEIGH_FAILED", 40001)
		e.Netns = event.Netns{}
		d := diagnose.New(collect(t, e), new(counters.Report), nil)
		d.Ask(diagnose.NewHost(host.FS(fstest.MapFS{
			"proc/sys/net/ipv4/conf/all/arp_ignore": {Data: []byte(value + "\n")},
			"proc/sys/net/ipv4/conf/lo/arp_ignore":  {Data: []byte("0\n")},
		}), nil))
		if text := textOf(t, d); strings.Contains(text, "arp_ignore = "+value) != said {
			t.Errorf("arp_ignore %s:\n%s", value, text)
		}
	}
}

// TestRingAtMaximum: a ring that is as large as the device can have it is not what limits, and
// the command that enlarges it is not given.
func TestRingAtMaximum(t *testing.T) {
	for value, limits := range map[string]bool{"256 of 4096": true, "256 of 256": false} {
		missed := counters.Counter{
			Key:   counters.Key{Netns: blue, Group: counters.Interface, IfName: "eth0", Name: "rx_missed_errors"},
			Value: 9, Bits: 64, Sparse: true,
		}
		r := counters.NewReport(new(counters.Snapshot), &counters.Snapshot{Counters: []counters.Counter{missed}})
		d := diagnose.New(collect(t), r, nil)
		d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{
			"setting 7 device.{ifname}.ring_rx eth0": json.RawMessage(`{"name":"device.eth0.ring_rx","value":"` + value + `"}`),
		}))
		text := textOf(t, d)
		enlarge, no := strings.Contains(text, "ethtool -G eth0 rx N"), strings.Contains(text, "the device has no more")
		if !strings.Contains(text, "device.eth0.ring_rx = "+value) || enlarge != limits || no == limits {
			t.Errorf("a ring of %s:\n%s", value, text)
		}
	}
}

// TestHeadline: the class of a finding is on a line of its own where both do not fit one.
func TestHeadline(t *testing.T) {
	text := textOf(t, diagnose.New(collect(t, udp("SOCKET_RCVBUFF", 40001)), new(counters.Report), nil))
	if !strings.Contains(text, " of all drops\n   (transport, socket, no_buffer, harm)\n") {
		t.Errorf("one line:\n%s", text)
	}
	text = textOf(t, diagnose.New(collect(t, udp("XDP", 40001)), new(counters.Report), nil))
	if !strings.Contains(text, " of all drops  (") {
		t.Errorf("two lines:\n%s", text)
	}
}

// forwarding is a host whose settings of forwarding have these values.
func forwarding(all, own string) *diagnose.Host {
	return diagnose.NewHost(host.FS(fstest.MapFS{
		"proc/sys/net/ipv4/ip_forward":            {Data: []byte(all + "\n")},
		"proc/sys/net/ipv4/conf/lo/forwarding":    {Data: []byte(own + "\n")},
		"proc/sys/net/ipv6/conf/all/forwarding":   {Data: []byte(all + "\n")},
		"proc/sys/net/ipv6/conf/lo/forwarding":    {Data: []byte(own + "\n")},
		"proc/sys/net/ipv4/conf/all/accept_local": {Data: []byte("0\n")},
		"proc/sys/net/ipv4/conf/lo/accept_local":  {Data: []byte("0\n")},
	}), nil)
}

// TestForwarding: of IPv4 the setting of the interface counts, and a command that would change nothing is not offered.
func TestForwarding(t *testing.T) {
	for _, test := range []struct {
		all, own string
		missing  []string
		offered  []string
	}{
		{"1", "0", []string{"sysctl -w net.ipv4.ip_forward=1", "ip_forward = 1"}, []string{"sysctl -w net.ipv4.conf.lo.forwarding=1"}},
		{"0", "0", nil, []string{"sysctl -w net.ipv4.ip_forward=1", "net.ipv4.conf.lo.forwarding = 0"}},
	} {
		drop := udp("IP_INADDRERRORS", 40001)
		drop.Netns, drop.Where = event.Netns{}, event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: "ip_error"}}
		drop.Packet.Proto, drop.Packet.HasProto = event.EtherIPv4, true
		d := diagnose.New(collect(t, drop), new(counters.Report), nil)
		d.Ask(forwarding(test.all, test.own))
		text := textOf(t, d)
		for _, want := range test.offered {
			if !strings.Contains(text, want) {
				t.Errorf("all %s, lo %s: %q is missing in\n%s", test.all, test.own, want, text)
			}
		}
		for _, no := range test.missing {
			if strings.Contains(text, no) {
				t.Errorf("all %s, lo %s: %q is in\n%s", test.all, test.own, no, text)
			}
		}
	}
}

// TestSettingOnce: what is known of the setting of an interface and of that of all is said once; that of one which never
// counts is not shown.
func TestSettingOnce(t *testing.T) {
	for reason, want := range map[string]string{
		"IP_LOCAL_SOURCE": "net.ipv4.conf.lo.accept_local = 0\n             net.ipv4.conf.all.accept_local = 0\n             At 0, packets",
	} {
		drop := udp(reason, 40001)
		drop.Netns = event.Netns{}
		d := diagnose.New(collect(t, drop), new(counters.Report), nil)
		d.Ask(forwarding("0", "0"))
		if text := textOf(t, d); !strings.Contains(text, want) || strings.Count(text, "At 0, packets") != 1 {
			t.Errorf("%s:\n%s", reason, text)
		}
	}
	drop := udp("IP_INADDRERRORS", 40001)
	drop.Netns, drop.Where = event.Netns{}, event.Where{Frame: event.Frame{Lookup: event.Found, Symbol: "ip6_forward"}}
	drop.Packet.Proto, drop.Packet.HasProto = event.EtherIPv6, true
	d := diagnose.New(collect(t, drop), new(counters.Report), nil)
	d.Ask(forwarding("0", "1"))
	if text := textOf(t, d); !strings.Contains(text, "net.ipv6.conf.all.forwarding = 0\n") || strings.Contains(text, "conf.lo.") {
		t.Errorf("of IPv6 that of all counts:\n%s", text)
	}
}

// TestMoreBuffer: of the two settings of receive buffers the one that made this buffer as large as it is may be raised.
func TestMoreBuffer(t *testing.T) {
	h := host.FS(fstest.MapFS{
		"proc/sys/net/core/rmem_max": {Data: []byte("4194304\n")}, "proc/sys/net/core/rmem_default": {Data: []byte("212992\n")},
	})
	const largest, normal = "sysctl -w net.core.rmem_max=N", "sysctl -w net.core.rmem_default=N"
	for size, want := range map[uint64][2]bool{212992: {false, true}, 2 * 4194304: {true, false}, 65536: {false, false}} {
		drop := udp("SOCKET_RCVBUFF", 40001)
		drop.Netns, drop.Args = event.Netns{}, []event.Arg{{Name: "rcvbuf", Number: size}}
		d := diagnose.New(collect(t, drop), new(counters.Report), nil)
		d.Ask(diagnose.NewHost(h, nil))
		if text := textOf(t, d); strings.Contains(text, largest) != want[0] || strings.Contains(text, normal) != want[1] {
			t.Errorf("a buffer of %d:\n%s", size, text)
		}
	}
}
