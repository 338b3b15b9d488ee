package event_test

import (
	"testing"

	"dropwatch/internal/event"
)

func TestReasonFamily(t *testing.T) {
	for reason, want := range map[string]string{
		"QDISC_DROP_OVERLIMIT": "QDISC_DROP", "XDP_EXCEPTION": "XDP", "QDISC_DROP": "", "QDISC_DROP_": "", "XDP": "",
		"QDISC_EGRESS": "", "TCP_OFO_QUEUE_PRUNE": "", "0x20005": "", "": "",
	} {
		if got := event.ReasonFamily(reason); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

// TestHasReason: neither no reason nor that of none says why.
func TestHasReason(t *testing.T) {
	for reason, want := range map[string]bool{"": false, event.NotSpecified: false, "NO_SOCKET": true} {
		if e := (event.Event{Reason: reason}); e.HasReason() != want {
			t.Errorf("%q: %t, want %t", reason, !want, want)
		}
	}
}
