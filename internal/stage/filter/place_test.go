package filter_test

import (
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/stage/filter"
)

// TestPlace: of the drops of a counter the place is known, and not their packets, reasons and owners.
func TestPlace(t *testing.T) {
	const no, unknown, yes = condition.False, condition.Unknown, condition.True
	overflows, ok := knowledge.OfCounter("TcpExtListenOverflows", "", event.Netns{})
	if !ok {
		t.Fatal("nothing is known of TcpExtListenOverflows")
	}
	tcp := filter.Place{Netns: event.Netns{Inode: 7, Name: "blue"}, Entry: overflows.Entry}
	device := filter.Place{Netns: tcp.Netns, IfName: "eth0"}
	for _, test := range []struct {
		text        string
		tcp, device condition.Truth
	}{
		{"netns blue", yes, yes},
		{"netns red", no, no},
		{"netns 7", yes, yes},
		{"netns.inode != 7", no, no},
		{"netns", yes, yes},
		{"iface eth0", unknown, yes},
		{"iface", unknown, yes},
		{"not iface eth*", unknown, no},
		{"layer transport", yes, unknown},
		{"layer link", no, unknown},
		{"layer.module tcp", yes, unknown},
		{"layer.module != tcp", no, unknown},
		{"udp port 53", unknown, unknown},
		{"reason NO_SOCKET", unknown, unknown},
		{"not reason NO_SOCKET", unknown, unknown},
		{"process nginx", unknown, unknown},
		{"netns red and udp port 53", no, no},
		{"netns blue and udp port 53", unknown, unknown},
		{"netns blue or udp port 53", yes, yes},
	} {
		f := parse(t, test.text)
		if got := f.DecidePlace(&tcp); got != test.tcp {
			t.Errorf("%s of TcpExtListenOverflows is %v, want %v", test.text, got, test.tcp)
		}
		if got := f.DecidePlace(&device); got != test.device {
			t.Errorf("%s of a counter of eth0 is %v, want %v", test.text, got, test.device)
		}
	}
	var all *filter.Filter
	if got := all.DecidePlace(&tcp); got != yes {
		t.Errorf("no expression: %v", got)
	}
}
