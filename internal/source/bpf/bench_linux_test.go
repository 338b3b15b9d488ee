package bpf

import (
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/filter"
)

// BenchmarkDrop sends datagrams to a closed port as fast as one CPU can: what
// being watched costs it.
func BenchmarkDrop(b *testing.B) {
	for _, tt := range []struct {
		name string
		opts *Options
	}{
		{"unwatched", nil},
		{"sample", &Options{Sample: DefaultSample}},
		{"sample-stack", &Options{Sample: DefaultSample, Stack: true}},
		{"owner", &Options{Sample: DefaultSample, ByOwner: true}},
		{"all", &Options{}},
		{"all-stack", &Options{Stack: true}},
		{"kind", &Options{Sample: DefaultSample, Condition: conditionOf(b, "ifindex 1")}},
		{"port", &Options{Sample: DefaultSample, Condition: conditionOf(b, "udp dst port 9")}},
		{"no-port", &Options{Sample: DefaultSample, Condition: conditionOf(b, "udp dst port 53")}},
		{"undecided", &Options{Sample: DefaultSample, Condition: conditionOf(b, "ttl 64")}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			p := newPlace(b)
			r := &sourcetest.Running{Ledger: event.Ledger{Shown: uint64(b.N)}}
			if tt.opts != nil {
				r = sourcetest.Run(b, need(b, *tt.opts), func(*event.Event) bool { return false })
			}
			b.ResetTimer()
			p.send(b, b.N, 0)
			b.StopTimer()
			if tt.opts != nil {
				r.End()
			}
			if all := r.Ledger.Total(); all < uint64(b.N) {
				b.Errorf("%d accounted for, want %d or more", all, b.N)
			}
		})
	}
}

func conditionOf(b *testing.B, expression string) condition.Node {
	f, err := filter.Parse(expression)
	if err != nil {
		b.Fatal(err)
	}
	return f.Split(filter.Resolver{}, ofKind).Kernel
}
