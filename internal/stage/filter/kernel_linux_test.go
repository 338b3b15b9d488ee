package filter_test

import (
	"testing"

	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/vmtest"
)

// TestThisKernelTakesIt hands conditions of every form to the kernel.
func TestThisKernelTakesIt(t *testing.T) {
	vmtest.RequireRoot(t)
	reason, err := trace.Reasons()
	if err == nil {
		var s *trace.Source
		if s, err = trace.Open(trace.Options{}); err == nil {
			s.Close()
		}
	}
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	for _, text := range append(comparisons,
		"not ip and not arp or reason in {NO_SOCKET, NETFILTER_DROP} and proto != {5, 10-20}",
		"(ip or reason NO_SOCKET) and not (proto 1-5 or reason != NO_SOCKET)",
	) {
		s, err := trace.Open(trace.Options{Filter: trace.Expression(parse(t, text).Kernel(filter.Resolver{Reason: reason}))})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		s.Close()
	}
}
