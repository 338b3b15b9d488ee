package filter_test

import (
	"testing"

	"dropwatch/internal/stage/filter"
)

func TestOfFlow(t *testing.T) {
	for text, want := range map[string]bool{
		"host 192.0.2.1":                       true,
		"tcp port 443 and not net 10.0.0.0/8":  true,
		"src 2001:db8::1 or ip6 and dstport 9": true,
		"ip.dst == 192.0.2.1 and tcp":          true,
		"host 192.0.2.1 and iface eth0":        false,
		"reason NO_SOCKET":                     false,
		"port 443 or not netns web":            false,
		"tcp.flags syn":                        false,
		"inner host 192.0.2.1":                 false,
		"ttl 1":                                false,
	} {
		f, err := filter.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := f.OfFlow(); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	var none *filter.Filter
	if !none.OfFlow() {
		t.Error("no expression selects only some")
	}
}
