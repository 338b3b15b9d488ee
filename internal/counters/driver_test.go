package counters

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/knowledge"
)

// reads collects what a reader of one group adds, by "interface object name".
func reads(t *testing.T, g Group, read func(*reading) error) map[string]Counter {
	t.Helper()
	var s Snapshot
	if err := read(&reading{group: g, into: &s}); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]Counter)
	for _, c := range s.Counters {
		found[strings.Join(strings.Fields(c.IfName+" "+c.Object+" "+c.Name), " ")] = c
	}
	if len(found) != len(s.Counters) {
		t.Errorf("%d of %d counters have a key of their own", len(found), len(s.Counters))
	}
	return found
}

// answer is what the kernel writes for names and values of a driver's statistics.
func answer(names []string, values []uint64) (strings, stats []byte) {
	strings, stats = make([]byte, sizeofGstrings), make([]byte, sizeofGstats)
	binary.NativeEndian.PutUint32(strings[8:12], uint32(len(names)))
	binary.NativeEndian.PutUint32(stats[4:8], uint32(len(values)))
	for _, name := range names {
		strings = append(strings, append([]byte(name), make([]byte, sizeofStatName-len(name))...)...)
	}
	for _, value := range values {
		stats = binary.NativeEndian.AppendUint64(stats, value)
	}
	return strings, stats
}

func TestDriverStats(t *testing.T) {
	long := strings.Repeat("x", sizeofStatName) // is not terminated
	names, values := answer(
		[]string{"rx_drops", "rx0_drops", "rx1_drops", "tx_queue_0_bytes", "  pkts rx OOB", "  pkts rx OOB", "", long, "peer_ifindex"},
		[]uint64{7, 3, 4, 1 << 40, 8, 9, 10, 11, 12})
	got := reads(t, Driver, func(r *reading) error {
		r.driverStats(&driverStats{"eth0", "virtio_net", statNames(parseStatNames(names)), parseStatValues(values)})
		return nil
	})
	want := map[string]uint64{
		"eth0 rx_drops": 7, "eth0 rx0_drops": 3, "eth0 rx1_drops": 4, "eth0 tx_queue_0_bytes": 1 << 40, "eth0 pkts rx OOB": 8,
		"eth0 number 2 pkts rx OOB": 9, "eth0 [6]": 10, "eth0 " + long: 11, "eth0 peer_ifindex": 12,
	}
	for name, value := range want {
		if c, ok := got[name]; !ok || c.Value != value || c.About != "virtio_net" || c.Gauge != (name == "eth0 peer_ifindex") ||
			c.Part != (value == 3 || value == 4) {
			t.Errorf("%s: %+v, want %d", name, c, value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d counters, want %d: %v", len(got), len(want), got)
	}
}

// TestDriverStatsCutShort: what the kernel did not write is not read.
func TestDriverStatsCutShort(t *testing.T) {
	names, values := answer([]string{"a", "b"}, []uint64{1, 2})
	for cut := range names {
		if got := parseStatNames(names[:cut]); len(got) > max(0, cut-sizeofGstrings)/sizeofStatName {
			t.Errorf("%d bytes: %q", cut, got)
		}
	}
	for cut := range values {
		if got := parseStatValues(values[:cut]); len(got) > max(0, cut-sizeofGstats)/8 {
			t.Errorf("%d bytes: %d", cut, got)
		}
	}
	binary.NativeEndian.PutUint32(names[8:12], 1) // fewer than there was room for
	if got := parseStatNames(names); !slices.Equal(got, []string{"a"}) {
		t.Errorf("of one name: %q", got)
	}
}

// TestPart: the statistic of a queue is a part of that of all queues, if there is one.
func TestPart(t *testing.T) {
	for name, total := range map[string]string{
		"rx0_drops": "rx_drops", "rx_queue_3_drops": "rx_drops", "rx-12.dropped": "rx_dropped", "queue_1_rx_drops": "rx_drops",
		"[0]: rx_oom_discards": "rx_total_oom_discards", "rx_drops[11]": "rx_drops", "tx7_dropped": "tx_dropped",
	} {
		with, without := map[string]int{total: 0, name: 0}, map[string]int{"rx_packets": 0, name: 0}
		if !isPart(name, with) || isPart(name, without) || isPart(total, with) {
			t.Errorf("%s is not a part of %s, or of another", name, total)
		}
	}
}

func attributes(t *testing.T, encode func(*netlink.AttributeEncoder)) []byte {
	t.Helper()
	e := netlink.NewAttributeEncoder()
	encode(e)
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRingsAndPause(t *testing.T) {
	header := func(e *netlink.AttributeEncoder) {
		e.Nested(ethtoolHeader, func(h *netlink.AttributeEncoder) error {
			h.Uint32(1, 2)
			h.String(ethtoolHeaderDevName, "eth0")
			return nil
		})
	}
	got := reads(t, Driver, func(r *reading) error {
		err := r.ring(attributes(t, func(e *netlink.AttributeEncoder) {
			header(e)
			for attribute, value := range map[uint16]uint32{2: 4096, 3: 64, 5: 2048, 6: 512, 7: 8, 9: 2048, 12: 64} {
				e.Uint32(attribute, value)
			}
		}))
		if err != nil {
			return err
		}
		return r.pauseOf(attributes(t, func(e *netlink.AttributeEncoder) {
			header(e)
			e.Uint8(2, 1)
			e.Uint8(pauseRX, 1)
			e.Uint8(pauseTX, 0)
			e.Nested(pauseStats, func(s *netlink.AttributeEncoder) error {
				s.Uint64(pauseFrames, 5)
				s.Uint64(pauseFrames+1, 6)
				return nil
			})
		}))
	})
	for name, want := range map[string]Counter{
		"eth0 ring_rx": {Value: 512, Limit: 4096, Gauge: true}, "eth0 ring_tx": {Value: 2048, Limit: 2048, Gauge: true},
		"eth0 ring_rx_mini": {Value: 8, Limit: 64, Gauge: true}, "eth0 pause_rx": {Value: 1, Gauge: true}, "eth0 pause_tx": {Gauge: true},
		"eth0 pause_tx_frames": {Value: 5}, "eth0 pause_rx_frames": {Value: 6},
	} {
		c, ok := got[name]
		if !ok || c.Value != want.Value || c.Limit != want.Limit || c.Gauge != want.Gauge {
			t.Errorf("%s: %+v, want %+v", name, c, want)
		}
		if row := Rows([]Change{{Counter: c}})[0]; !row.Known || row.Matters() || row.Meaning.Entry.Loses != knowledge.Never {
			t.Errorf("%s, which loses nothing: known %t, matters %t", name, row.Known, row.Matters())
		}
	}
	if len(got) != 7 {
		t.Errorf("got %v", got)
	}
}

// TestQueue: the kernel writes a number in 4 bytes if they suffice; what counts a part of
// other drops of the queue is marked, and what has no name yet is kept.
func TestQueue(t *testing.T) {
	got := reads(t, Queue, func(r *reading) error {
		return r.queue(attributes(t, func(e *netlink.AttributeEncoder) {
			e.Uint32(qstatsIfindex, 3)
			e.Uint32(qstatsQueueType, queueTypeTX)
			e.Uint32(qstatsQueueID, 5)
			e.Uint64(13, 1<<33) // rx-hw-drops
			e.Uint32(14, 4)     // rx-hw-drop-overruns
			e.Uint32(25, 6)     // tx-hw-drop-errors, without tx-hw-drops
			e.Uint32(99, 7)
		}), map[uint32]string{3: "eth0"})
	})
	want := map[string]Counter{
		"eth0 tx 5 rx-hw-drops": {Value: 1 << 33}, "eth0 tx 5 rx-hw-drop-overruns": {Value: 4, Part: true},
		"eth0 tx 5 tx-hw-drop-errors": {Value: 6}, "eth0 tx 5 qstats[99]": {Value: 7},
	}
	for name, want := range want {
		if c, ok := got[name]; !ok || c.Value != want.Value || c.Part != want.Part {
			t.Errorf("%s: %+v, want %+v", name, c, want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	wrong := attributes(t, func(e *netlink.AttributeEncoder) { e.Uint16(13, 1) })
	if err := (&reading{into: new(Snapshot)}).queue(wrong, nil); err == nil {
		t.Error("a number of 2 bytes is none")
	}
}

// TestQueueStatNames: the last name is that of the last statistic that there is a number for.
func TestQueueStatNames(t *testing.T) {
	if got := queueStatName(34 - qstatsFirst); got != "tx-wake" {
		t.Errorf("statistic 34, NETDEV_A_QSTATS_TX_WAKE, is %s", got)
	}
}

func TestTrap(t *testing.T) {
	trap := func(name string, stats map[uint16]uint64) []byte {
		return attributes(t, func(e *netlink.AttributeEncoder) {
			e.String(devlinkBusName, "netdevsim")
			e.String(devlinkDevName, "netdevsim10")
			e.String(devlinkTrapName, name)
			e.Uint8(devlinkAction, 0)
			e.Uint8(devlinkTrapType, 9)
			e.String(devlinkGroupName, "l3_drops")
			e.Nested(devlinkStats, func(s *netlink.AttributeEncoder) error {
				for attribute, value := range stats {
					s.Uint64(attribute, value)
				}
				return nil
			})
		})
	}
	got := reads(t, Devlink, func(r *reading) error {
		return errors.Join(r.trap(trap("blackhole_route", map[uint16]uint64{0: 5, 1: 500, 2: 7})),
			r.trap(trap("new_trap", map[uint16]uint64{2: 8})), r.trap(trap("fid_miss", map[uint16]uint64{0: 9})))
	})
	const device = "netdevsim/netdevsim10 "
	for name, want := range map[string]struct {
		value uint64
		entry string
		loses knowledge.Loses
	}{
		"blackhole_route.rx_dropped": {7, "blackhole_route", knowledge.Always},
		"blackhole_route.rx_packets": {5, "devlink.rx_packets", knowledge.Never},
		"new_trap.rx_dropped":        {8, "devlink.rx_dropped", knowledge.Always},
		"fid_miss.rx_packets":        {9, "devlink.rx_packets", knowledge.Never},
	} {
		c := got[device+name]
		row := Rows([]Change{{Counter: c}})[0]
		if c.Value != want.value || c.About != "type 9, action drop, group l3_drops" || !row.Known ||
			row.Meaning.Entry.Name != want.entry || row.Meaning.Entry.Loses != want.loses || row.Meaning.Entry.Unit == 0 {
			t.Errorf("%s: %+v, %+v, want %+v", name, c, row.Meaning.Entry, want)
		}
	}
	if len(got) != 5 {
		t.Errorf("got %v", got)
	}
}

// TestLinkStates: only a state in which packets are lost is a counter.
func TestLinkStates(t *testing.T) {
	const up = 1
	for _, test := range []struct {
		flags      uint32
		oper       uint8
		kind, port string
		state      uint8
		want       string
	}{
		{up, 6, "", "", 0, ""},
		{up, 2, "", "", 0, "no_carrier"},
		{up, 3, "veth", "", 0, "no_carrier"},
		{0, 2, "", "", 0, ""},
		{up, 2, "bridge", "", 0, ""},
		{up, 6, "veth", "bridge", 3, ""},
		{up, 6, "veth", "bridge", 4, "bridge_port_blocked"},
		{up, 6, "veth", "bridge", 0, "bridge_port_blocked"},
		{0, 2, "veth", "bridge", 0, ""},
		{up, 6, "", "bond", 0, ""},
		{up, 6, "", "bond", 1, "bond_member_inactive"},
		{up, 6, "", "team", 1, ""},
	} {
		l, err := parseLink(linkMessage(t, test.flags, test.oper, test.kind, test.port, test.state))
		if err != nil || l.name != "p0" || l.index != 7 {
			t.Fatalf("%+v: %v", l, err)
		}
		got := reads(t, Interface, func(r *reading) error { r.linkStates(&l); return nil })
		c, ok := got["p0 "+test.want]
		if len(got) != len(strings.Fields(test.want)) || ok && (c.Value != 1 || c.Limit != 1 || !c.Gauge || c.About == "") {
			t.Errorf("%+v: %+v", test, got)
		}
		if ok && !Rows([]Change{{Counter: c}})[0].Known {
			t.Errorf("nothing is known of %s", c.ID())
		}
	}
}

// linkMessage is the kernel's about an interface p0.
func linkMessage(t *testing.T, flags uint32, oper uint8, kind, port string, state uint8) []byte {
	t.Helper()
	message := make([]byte, sizeofIfInfomsg)
	binary.NativeEndian.PutUint32(message[4:8], 7)
	binary.NativeEndian.PutUint32(message[8:12], flags)
	return append(message, attributes(t, func(e *netlink.AttributeEncoder) {
		e.String(iflaIfname, "p0")
		e.Uint8(iflaOperstate, oper)
		e.Nested(iflaLinkinfo, func(info *netlink.AttributeEncoder) error {
			if kind != "" {
				info.String(infoKind, kind)
			}
			if port != "" {
				info.String(infoSlaveKind, port)
				info.Nested(infoSlaveData, func(data *netlink.AttributeEncoder) error {
					data.Uint8(portState, state)
					data.Uint16(2, 128)
					return nil
				})
			}
			return nil
		})
	})...)
}
