package filter_test

import (
	"slices"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/stage/filter"
)

// TestBeyond: what the kernel compares in part only, or by a field that is not wanted, is named once.
func TestBeyond(t *testing.T) {
	some := condition.Of(condition.Netns, condition.Transport, condition.SrcPort, condition.DstPort, condition.Src, condition.Dst)
	for expression, want := range map[string][]string{
		"udp port 53 and (host 10.0.0.1 or net 2001:db8::/32)": nil,
		"not tcp dst port 80 or netns.inode 4026531833":        nil,
		"port 53 and iface lo and len > 100":                   {"iface", "len"},
		"ttl 1 or not ttl 2 or reason NO_SOCKET":               {"ttl", "reason"},
		"netns blue":                                           {"netns"},
		"inner udp port 53":                                    {"inner.udp.port"},
		"tcp.flags has syn":                                    {"tcp.flags"},
		"process nginx":                                        {"process"},
		"src port 1 or proto":                                  {"proto"},
	} {
		f, err := filter.Parse(expression)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Beyond(some); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}
