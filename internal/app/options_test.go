package app

import (
	"testing"

	"dropwatch/netlink"
)

func TestOriginSet(t *testing.T) {
	const both = netlink.Software | netlink.Hardware
	tests := []struct {
		given []string
		want  netlink.Origins
		text  string
	}{
		{nil, netlink.Software, "sw"},
		{[]string{"sw"}, netlink.Software, "sw"},
		{[]string{"hw"}, netlink.Hardware, "hw"},
		{[]string{"hw,sw"}, both, "sw,hw"},
		{[]string{"sw", "hw"}, both, "sw,hw"},
	}
	for _, tt := range tests {
		var o originSet
		for _, text := range tt.given {
			if err := o.Set(text); err != nil {
				t.Fatal(err)
			}
		}
		if o.orSoftware() != tt.want || o.String() != tt.text {
			t.Errorf("%q: %v, %s, want %v, %s", tt.given, o.orSoftware(), &o, tt.want, tt.text)
		}
	}
	for _, text := range []string{"", "SW", "sw,", "sw hw"} {
		if err := new(originSet).Set(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
