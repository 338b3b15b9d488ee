package capture

import (
	"fmt"
	"slices"
	"testing"
)

func TestUnknownReasons(t *testing.T) {
	known := []string{"NETFILTER_DROP", "NO_SOCKET", "TCP_CSUM", "UDP_CSUM"}
	tests := []struct {
		wanted, known []string
		want          []string
	}{
		{[]string{"NO_SOCKET", "UDP_CSUM"}, known, nil},
		{[]string{"NO_SOCKT", "NO_SOCKET", "DCP_CSUM"}, known, []string{
			"this kernel has no reason NO_SOCKT: did you mean NO_SOCKET?",
			"this kernel has no reason DCP_CSUM: did you mean TCP_CSUM or UDP_CSUM?",
		}},
		{[]string{"A\x1b[2J"}, known, []string{
			`this kernel has no reason A\x1b[2J: tracefs lists them in events/skb/kfree_skb/format`,
		}},
		{[]string{"RX_DROP_U_REPLAY", "OVS_DROP_METER", "XDP_EXCEPTION", "QDISC_DROP_OVERLIMIT"}, known, nil},
		{[]string{"XDP_EXCEPTIO"}, known, []string{
			"this kernel has no reason XDP_EXCEPTIO: tracefs lists them in events/skb/kfree_skb/format",
		}},
		{[]string{"NOPE"}, nil, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, err := range unknownReasons(tt.wanted, tt.known) {
			got = append(got, fmt.Sprint(err))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.wanted, got, tt.want)
		}
	}
}
