package filter_test

import (
	"errors"
	"os"
	"testing"

	"dropwatch/internal/source/trace"
)

// TestThisKernelTakesIt hands conditions of every form to the kernel.
func TestThisKernelTakesIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to set the filter of a trace event")
	}
	reason, err := trace.Reasons()
	if errors.Is(err, trace.ErrNoTracefs) || errors.Is(err, trace.ErrNoEvent) {
		t.Skip("needs the trace event skb:kfree_skb:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(comparisons,
		"not ip and not arp or reason in {NO_SOCKET, NETFILTER_DROP} and proto != {5, 10-20}",
		"(ip or reason NO_SOCKET) and not (proto 1-5 or reason != NO_SOCKET)",
	) {
		s, err := trace.Open(trace.Options{Filter: parse(t, text).Kernel(reason)})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		s.Close()
	}
}
